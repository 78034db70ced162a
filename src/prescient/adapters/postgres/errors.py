"""Translates the driver's errors into those of the ports: database unavailable, invariant broken, request invalid."""

from __future__ import annotations

import asyncpg

from polymarket_kit.errors import InvalidRequest, PrescientError
from prescient.domain.errors import InvariantBroken, StoreUnavailable

# Serialization failure, deadlock, lock time-out: the same transaction may well succeed a moment later.
RETRYABLE = frozenset({"40001", "40P01", "55P03"})
UNDEFINED_TABLE = "42P01"
# Connection lost, out of resources or shutting down, cancelled, wrong login, no such database, transaction timed out.
UNAVAILABLE_CLASSES = frozenset({"08", "53", "57", "58", "28", "3D", "XX"})
TIMED_OUT_IN_TRANSACTION = frozenset({"25P03", "25P04"})


def sqlstate_of(error: BaseException) -> str:
    """Return PostgreSQL's five-character code, or an empty string for an error that did not come from the server."""
    return getattr(error, "sqlstate", None) or ""


def translated(error: BaseException) -> PrescientError | None:
    """Return the domain error for a database error, None for one that is not the database's."""
    state = sqlstate_of(error)
    if state[:2] in UNAVAILABLE_CLASSES or state in RETRYABLE or state in TIMED_OUT_IN_TRANSACTION:
        return StoreUnavailable(f"({error})")
    if state == UNDEFINED_TABLE:
        return StoreUnavailable(f"The schema is missing ({error}); start with `prescient up`, which makes it.")
    if state[:2] == "22":
        return InvalidRequest("value", "holds a number or a character that cannot be stored; correct it.")
    if state[:2] in ("23", "P0"):
        return InvariantBroken(f"The database refused: {error}. Nothing was booked; check the figures that were sent.")
    if isinstance(error, asyncpg.DataError | UnicodeEncodeError):
        # Raised before anything was sent: a number beyond 64 bits, a lone surrogate.
        return InvalidRequest("value", "holds a number or a character that cannot be stored; correct it.")
    if isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return StoreUnavailable(f"({error or type(error).__name__})")
    return None
