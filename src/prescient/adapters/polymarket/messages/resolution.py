"""When a market is decided, and what it pays: read from the catalogue's status and final prices, never guessed."""

from __future__ import annotations

from collections.abc import Sequence

from polymarket_kit.model import Payout
from polymarket_kit.values import MICRO
from prescient.domain.market import Resolution

# All that a binary market can pay. Anything else on a closed market (0/0, 0.58/0.42, 0.999/0.001) is not final.
FINAL_PRICES = frozenset({(MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2)})

_ORACLE_STATES = {
    "proposed": Resolution.PROPOSED,
    "disputed": Resolution.DISPUTED,
    "challenged": Resolution.DISPUTED,
}


def oracle_status(status: str | None, statuses: Sequence[str]) -> str:
    """Return the oracle's present status: its own field, else the last of its history, else ""."""
    return (status or (statuses[-1] if statuses else "")).lower()


def resolution_of(closed: bool, status: str) -> Resolution:
    """Return where a market stands. A result is final only on a closed market; before that it is a proposal."""
    if status == "resolved":
        return Resolution.RESOLVED if closed else Resolution.PROPOSED
    return _ORACLE_STATES.get(status, Resolution.ENDED if closed else Resolution.OPEN)


def payout_of(condition_id: str, token_ids: Sequence[str], prices: Sequence[int | None]) -> Payout | None:
    """Return what each share pays if the prices are final ones, else None."""
    payouts = tuple(price for price in prices if price is not None)
    if payouts not in FINAL_PRICES or len(token_ids) != len(prices):
        return None
    return Payout(condition_id, tuple(token_ids), payouts)
