"""The venue's rate limits per IP address: excess requests wait in a queue, and only a wait that is too long is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

TEN_SECONDS = 10.0
TEN_MINUTES = 600.0
# Who would wait longer is refused. The venue does not document its queue: assumed.
QUEUE_MAX_S = 20.0


class Rule(NamedTuple):
    """So many requests in so many seconds."""

    requests: int
    window_s: float = TEN_SECONDS


# As the venue documents them. The route table says which routes count to which; "global" counts all, and "clob",
# "gamma" and "data" count their areas.
RULES: dict[str, tuple[Rule, ...]] = {
    "global": (Rule(15_000),),
    "clob": (Rule(9_000),),
    "book": (Rule(1_500),),
    "price": (Rule(1_500),),
    "midpoint": (Rule(1_500),),
    "books": (Rule(500),),
    "prices": (Rule(500),),
    "midpoints": (Rule(500),),
    "prices-history": (Rule(1_000),),
    "tick-size": (Rule(200),),
    "data/orders": (Rule(500),),
    "data/trades": (Rule(500),),
    "ledger": (Rule(900),),
    "notifications": (Rule(125),),
    "balance-allowance": (Rule(200),),
    "balance-allowance/update": (Rule(50),),
    "keys": (Rule(100),),
    "ok": (Rule(100),),
    "post order": (Rule(5_000), Rule(120_000, TEN_MINUTES)),
    "cancel order": (Rule(5_000), Rule(120_000, TEN_MINUTES)),
    "post orders": (Rule(2_000), Rule(21_000, TEN_MINUTES)),
    "cancel orders": (Rule(2_000), Rule(15_000, TEN_MINUTES)),
    "cancel-all": (Rule(250), Rule(6_000, TEN_MINUTES)),
    "cancel-market-orders": (Rule(1_500), Rule(21_000, TEN_MINUTES)),
    "gamma": (Rule(4_000),),
    "events": (Rule(500),),
    "markets": (Rule(300),),
    "events and markets": (Rule(900),),
    "tags": (Rule(200),),
    "search": (Rule(350),),
    "data": (Rule(1_000),),
    "trades": (Rule(200),),
    "positions": (Rule(150),),
    "relayer submit": (Rule(25, 60.0),),
}
AREAS = frozenset({"clob", "gamma", "data"})


class _Bucket:
    """Room for one rule's requests of one address; it fills all the time. Below zero, requests wait."""

    __slots__ = ("at_s", "per_second", "room", "tokens")

    def __init__(self, rule: Rule, scale: float, now_s: float) -> None:
        self.room = rule.requests * scale
        self.per_second = self.room / rule.window_s
        self.tokens = self.room
        self.at_s = now_s


class AddressLimits:
    """Says how long a request waits. Off at first; ``scale`` multiplies every limit.

    ``limits_of`` names the limits of a method and path, besides those of its area and of all.
    """

    def __init__(self, limits_of: Callable[[str, str], tuple[str, ...]]) -> None:
        self.on = False
        self.scale = 1.0
        self._limits_of = limits_of
        self._buckets: dict[tuple[str, str], list[_Bucket]] = {}
        # The buckets of a kind of request, found once.
        self._found: dict[tuple[str, str, tuple[str, ...]], tuple[_Bucket, ...]] = {}

    def reset(self) -> None:
        """Refill the buckets of every address."""
        self._buckets.clear()
        self._found.clear()

    def wait_s(self, address: str, method: str, path: str, now_s: float) -> float:
        """How many seconds this request has to wait; one for which that is more than ``QUEUE_MAX_S`` is not counted."""
        area = path.split("/", 2)[1] if path.startswith("/") else ""
        kind = (address, area if area in AREAS else "", self._limits_of(method, path))
        buckets = self._found.get(kind)
        if buckets is None:
            buckets = self._found[kind] = self._find(*kind, now_s)
        longest_s = 0.0
        for bucket in buckets:
            tokens = bucket.tokens + (now_s - bucket.at_s) * bucket.per_second
            bucket.at_s = now_s
            bucket.tokens = tokens = tokens if tokens < bucket.room else bucket.room
            if tokens < 1.0:
                longest_s = max(longest_s, (1.0 - tokens) / bucket.per_second)
        if longest_s <= QUEUE_MAX_S:
            for bucket in buckets:
                bucket.tokens -= 1.0
        return longest_s

    def _find(self, address: str, area: str, limits: tuple[str, ...], now_s: float) -> tuple[_Bucket, ...]:
        found: list[_Bucket] = []
        for name in ("global", *((area,) if area else ()), *limits):
            buckets = self._buckets.get((address, name))
            if buckets is None:
                buckets = [_Bucket(rule, self.scale, now_s) for rule in RULES[name]]
                self._buckets[address, name] = buckets
            found += buckets
        return tuple(found)
