"""State of one followed token beside its book: whether it is published, when it was verified, how far recovery went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prescient.adapters.polymarket.stream.live_book import StreamBook
from prescient.backoff import Backoff
from prescient.domain.market import OrderBook
from prescient.domain.stream import BookSeen

MEBIBYTE = 1024 * 1024
# Recovery levels of an asset whose books do not come: each costs more than the one before.
STREAMED, RESUBSCRIBED, MOVED, POLLED = range(4)
# What nearly every market has; REST corrects it a moment later.
DEFAULT_TICK_MICRO = 10_000
DEFAULT_MINIMUM_SIZE_MICRO = 5_000_000


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Time-outs and sizes of the stream. Times in seconds of the timer; tests shorten them."""

    # The venue expects a PING every ten seconds; after thirty without a PONG the connection counts as dead.
    ping_every_s: float = 10.0
    pong_dead_s: float = 30.0
    connect_timeout_s: float = 10.0
    backoff: Backoff = Backoff(first_s=0.5, most_s=30.0)
    # After a connection that delivered for this long, the next failure counts as the first.
    steady_s: float = 30.0
    # The venue sends no first books on sockets with 500 tokens or more, without an error.
    tokens_per_socket: int = 250
    frame_bytes_max: int = 16 * MEBIBYTE
    check_every_s: float = 1.0
    # Without an event for this long, REST is asked whether the book is still right.
    quiet_s: float = 5.0
    # A book that differs from REST is compared again after this long: changes may be on their way.
    confirm_s: float = 1.5
    # A stream that moves but is still behind what REST said this long ago counts as stalled.
    lag_s: float = 10.0
    snapshot_wait_s: float = 3.0
    rest_timeout_s: float = 10.0
    rest_tokens_max: int = 1_000
    poll_s: float = 5.0
    poll_backoff: Backoff = Backoff(first_s=60.0, most_s=900.0)
    absent_most_s: float = 300.0
    # After so many invalidations within this time the asset goes up a recovery level.
    invalidations_max: int = 3
    invalidations_within_s: float = 60.0
    events_max: int = 65_536
    # Messages stamped further ahead of our clock than this are dropped; None where the clocks cannot be compared.
    future_s: float | None = 300.0


class TokenSocket(Protocol):
    """What an asset is subscribed on: one connection after another for its ``tokens`` (``socket``)."""

    tokens: dict[str, Asset]
    connected: bool
    # When anything but PONG came last, and when this connection began.
    last_message_s: float
    connected_s: float
    # Connections in a row that stalled: from two on, REST replaces the stream while the socket keeps trying.
    stalls: int

    @property
    def room(self) -> int: ...

    def add(self, assets: Sequence[Asset]) -> None:
        """Subscribe to more tokens, at once if connected."""

    def drop(self, assets: Iterable[Asset]) -> None:
        """Unsubscribe from these."""

    def resubscribe(self, assets: Sequence[Asset]) -> None:
        """Subscribe to these again on the same connection: the venue then sends their books again."""

    def restart(self, reason: str) -> None:
        """Drop this connection and open another."""

    def close(self) -> None:
        """Close it; it is not opened again."""


class Asset:
    """One followed token. Times ending in ``_s`` are the timer's; None means never or not wanted."""

    __slots__ = (
        "absences",
        "attempts",
        "book",
        "changed_s",
        "checked_s",
        "condition_id",
        "deferred",
        "due_s",
        "escalated_s",
        "floor_ms",
        "invalidated_s",
        "invalidations",
        "last_trade_micro",
        "latest",
        "minimum_size_micro",
        "mismatch_first_s",
        "mismatch_s",
        "negative_risk",
        "polls",
        "polls_until_s",
        "published",
        "published_ms",
        "recovery_level",
        "required_ms",
        "resolved",
        "socket",
        "terms_known",
        "tick_micro",
        "tick_ms",
        "token_id",
        "verified_s",
    )

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        self.book = StreamBook()
        self.socket: TokenSocket | None = None
        # Whether the consumer was given a whole book and every change since; the time of that book.
        self.published, self.published_ms = False, 0
        # The consumer fell behind: it gets the book as it stands once it has caught up.
        self.deferred = False
        # What a book message does not say.
        self.terms_known = False
        self.condition_id = ""
        self.tick_micro, self.tick_ms = 0, 0
        self.minimum_size_micro = DEFAULT_MINIMUM_SIZE_MICRO
        self.negative_risk = False
        self.last_trade_micro: int | None = None
        self.resolved = False
        # Evidence: the last change on the stream, the last other proof (a whole book, an equal one by REST).
        self.changed_s: float | None = None
        self.verified_s: float | None = None
        self.checked_s = 0.0
        # When REST is to be asked for a missing book, how often it was, and the newest time seen before the gap.
        self.due_s: float | None = None
        self.attempts, self.absences, self.floor_ms = 0, 0, 0
        # Recent invalidations; a mismatch with REST that is not confirmed yet; the recovery level and when it last rose.
        self.invalidations, self.invalidated_s = 0, 0.0
        self.mismatch_s: float | None = None
        self.mismatch_first_s, self.required_ms = 0.0, 0
        self.recovery_level, self.escalated_s = STREAMED, 0.0
        # How often in a row REST stood in for its stream, and until when it does now.
        self.polls, self.polls_until_s = 0, 0.0
        # The last change in the present frame that names this token.
        self.latest: object = None

    @property
    def known(self) -> bool:
        return self.book.base_ms is not None

    def evidence_s(self) -> float | None:
        """Return when the book was last known to be right."""
        proofs = [moment for moment in (self.changed_s, self.verified_s) if moment is not None]
        return max(proofs, default=None)

    def last_activity_s(self) -> float:
        """Return when the book last changed or was compared, whatever came of it."""
        return max(self.changed_s or 0.0, self.verified_s or 0.0, self.checked_s)

    def clear_mismatch(self) -> None:
        """Forget a mismatch that was not confirmed."""
        self.mismatch_s = None

    def order_book(self) -> OrderBook:
        """The book as it stands, best level first."""
        return OrderBook(
            token_id=self.token_id,
            condition_id=self.condition_id,
            bids=self.book.bids.levels(),
            asks=self.book.asks.levels(),
            time_ms=self.book.time_ms,
            tick_micro=self.tick_micro or DEFAULT_TICK_MICRO,
            minimum_size_micro=self.minimum_size_micro,
            last_trade_micro=self.last_trade_micro,
            negative_risk=self.negative_risk,
        )

    def publish_book(self) -> BookSeen:
        """Return the whole book for the consumer and mark it as published."""
        self.published, self.published_ms, self.deferred = True, self.book.time_ms, False
        return BookSeen(self.order_book(), self.book.time_ms)
