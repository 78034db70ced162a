"""What the stream knows of one followed token beside its book: whether the consumer has it, what proves it, what is owed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prescient.adapters.polymarket.stream.live_book import StreamBook
from prescient.backoff import Backoff
from prescient.domain.market import OrderBook
from prescient.domain.stream import BookSeen

MEBIBYTE = 1024 * 1024
# Rungs of the ladder that an asset climbs while its books do not come: each costs more than the one before.
STREAMED, RESUBSCRIBED, MOVED, POLLED = range(4)
# What nearly every market has; REST tells the truth a moment later.
DEFAULT_TICK_MICRO = 10_000
DEFAULT_MINIMUM_SIZE_MICRO = 5_000_000


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How patient the stream is. Times in seconds of the timer; each has a test that shortens it."""

    # The venue wants a PING every ten seconds, and is taken for dead after thirty without a PONG.
    ping_every_s: float = 10.0
    pong_dead_s: float = 30.0
    connect_timeout_s: float = 10.0
    backoff: Backoff = Backoff(first_s=0.5, most_s=30.0)
    # A connection that delivered for this long owes nothing to the failures before it.
    steady_s: float = 30.0
    # Sockets with 500 tokens and more silently get no first books.
    tokens_per_socket: int = 250
    frame_bytes_max: int = 16 * MEBIBYTE
    check_every_s: float = 1.0
    # Without an event for this long, REST is asked whether the book is still right.
    quiet_s: float = 5.0
    # A book that differs from REST is looked at again after this long, for changes may be under way.
    confirm_s: float = 1.5
    # While a stream moves but stays behind what REST said this long ago, it is as good as stalled.
    lag_s: float = 10.0
    snapshot_wait_s: float = 3.0
    rest_timeout_s: float = 10.0
    rest_tokens_max: int = 1_000
    poll_s: float = 5.0
    poll_backoff: Backoff = Backoff(first_s=60.0, most_s=900.0)
    absent_most_s: float = 300.0
    # So many doubts within this time, and the asset climbs the ladder.
    doubts_max: int = 3
    doubts_within_s: float = 60.0
    events_max: int = 65_536
    # Messages stamped later than this ahead of our clock are nonsense; None where clocks are not comparable.
    future_s: float | None = 300.0


class TokenSocket(Protocol):
    """What carries an asset: one connection after another for its ``tokens`` (``stream_socket``)."""

    tokens: dict[str, Asset]
    connected: bool
    # When anything but PONG came last, and when this connection began.
    heard_s: float
    began_s: float
    # Connections in a row that stalled: above one, REST stands in while the socket goes on trying.
    stalls: int

    @property
    def room(self) -> int: ...

    def add(self, assets: Sequence[Asset]) -> None:
        """Follow more tokens, at once if connected."""

    def drop(self, assets: Iterable[Asset]) -> None:
        """Follow these no more."""

    def resubscribe(self, assets: Sequence[Asset]) -> None:
        """Ask for these afresh on the same connection: the venue sends their books again."""

    def restart(self, reason: str) -> None:
        """Give this connection up for a new one."""

    def close(self) -> None:
        """End for good."""


class Asset:
    """One followed token. Times ending in ``_s`` are the timer's; None means never or not wanted."""

    __slots__ = (
        "absences",
        "attempts",
        "book",
        "checked_s",
        "climbed_s",
        "condition_id",
        "delta_s",
        "doubt_s",
        "doubts",
        "due_s",
        "floor_ms",
        "last_trade_micro",
        "latest",
        "minimum_size_micro",
        "need_ms",
        "negative_risk",
        "owed",
        "polls",
        "polls_until_s",
        "proved_s",
        "recovery_level",
        "resolved",
        "socket",
        "suspect_first_s",
        "suspect_s",
        "terms_known",
        "tick_micro",
        "tick_ms",
        "token_id",
        "told",
        "told_ms",
    )

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        self.book = StreamBook()
        self.socket: TokenSocket | None = None
        # Whether the consumer was given a whole book and every change since; the time of that book.
        self.told, self.told_ms = False, 0
        # The consumer fell behind: it gets the book as it is when it has caught up.
        self.owed = False
        # What a book on the wire does not say.
        self.terms_known = False
        self.condition_id = ""
        self.tick_micro, self.tick_ms = 0, 0
        self.minimum_size_micro = DEFAULT_MINIMUM_SIZE_MICRO
        self.negative_risk = False
        self.last_trade_micro: int | None = None
        self.resolved = False
        # Evidence: the last change on the stream, the last other proof (a whole book, an equal one by REST).
        self.delta_s: float | None = None
        self.proved_s: float | None = None
        self.checked_s = 0.0
        # When REST is to be asked for a book that is missing, how often it was, and the newest time seen before.
        self.due_s: float | None = None
        self.attempts, self.absences, self.floor_ms = 0, 0, 0
        # Doubts lately; a difference to REST that is not confirmed yet; the rung of the ladder.
        self.doubts, self.doubt_s = 0, 0.0
        self.suspect_s: float | None = None
        self.suspect_first_s, self.need_ms = 0.0, 0
        self.recovery_level, self.climbed_s = STREAMED, 0.0
        # How often in a row REST stood in for its stream, and until when it does now.
        self.polls, self.polls_until_s = 0, 0.0
        # The last change of the frame at hand that names this token.
        self.latest: object = None

    @property
    def known(self) -> bool:
        return self.book.base_ms is not None

    def evidence_s(self) -> float | None:
        """When the book was last proven right."""
        proofs = [moment for moment in (self.delta_s, self.proved_s) if moment is not None]
        return max(proofs, default=None)

    def looked_at_s(self) -> float:
        """When anything last shed light on this asset, whatever it showed."""
        return max(self.delta_s or 0.0, self.proved_s or 0.0, self.checked_s)

    def calm(self) -> None:
        """Forget a suspicion that did not hold."""
        self.suspect_s = None

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

    def seen(self) -> BookSeen:
        """The whole book for the consumer, who has it from now on."""
        self.told, self.told_ms, self.owed = True, self.book.time_ms, False
        return BookSeen(self.order_book(), self.book.time_ms)
