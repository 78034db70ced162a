"""The venue's limits per address, on the wire: what is too much waits in a queue, and only what would wait too long is refused."""

from __future__ import annotations

from typing import NamedTuple

TEN_SECONDS = 10.0
TEN_MINUTES = 600.0
# Who would wait longer is refused. The venue does not document its queue: assumed.
QUEUE_MAX_S = 20.0


class Rule(NamedTuple):
    """So many requests in so many seconds, of these paths together. An empty method is any."""

    name: str
    method: str
    paths: tuple[str, ...]
    requests: int
    window_s: float = TEN_SECONDS


LEDGER = ("/clob/data/order", "/clob/data/orders", "/clob/data/trades", "/clob/notifications")
# As the venue documents them.
RULES = (
    Rule("global", "", ("",), 15_000),
    Rule("clob", "", ("/clob",), 9_000),
    Rule("book", "", ("/clob/book",), 1_500),
    Rule("price", "", ("/clob/price",), 1_500),
    Rule("midpoint", "", ("/clob/midpoint",), 1_500),
    Rule("books", "", ("/clob/books",), 500),
    Rule("prices", "", ("/clob/prices",), 500),
    Rule("midpoints", "", ("/clob/midpoints",), 500),
    Rule("prices-history", "", ("/clob/prices-history",), 1_000),
    Rule("tick-size", "", ("/clob/tick-size",), 200),
    Rule("data/orders", "", ("/clob/data/orders",), 500),
    Rule("data/trades", "", ("/clob/data/trades",), 500),
    Rule("ledger", "", LEDGER, 900),
    Rule("notifications", "", ("/clob/notifications",), 125),
    Rule("balance-allowance", "GET", ("/clob/balance-allowance",), 200),
    Rule("balance-allowance/update", "", ("/clob/balance-allowance/update",), 50),
    Rule("keys", "", ("/clob/auth",), 100),
    Rule("ok", "", ("/clob/ok",), 100),
    Rule("post order", "POST", ("/clob/order",), 5_000),
    Rule("post order, long", "POST", ("/clob/order",), 120_000, TEN_MINUTES),
    Rule("cancel order", "DELETE", ("/clob/order",), 5_000),
    Rule("cancel order, long", "DELETE", ("/clob/order",), 120_000, TEN_MINUTES),
    Rule("post orders", "POST", ("/clob/orders",), 2_000),
    Rule("post orders, long", "POST", ("/clob/orders",), 21_000, TEN_MINUTES),
    Rule("cancel orders", "DELETE", ("/clob/orders",), 2_000),
    Rule("cancel orders, long", "DELETE", ("/clob/orders",), 15_000, TEN_MINUTES),
    Rule("cancel-all", "DELETE", ("/clob/cancel-all",), 250),
    Rule("cancel-all, long", "DELETE", ("/clob/cancel-all",), 6_000, TEN_MINUTES),
    Rule("cancel-market-orders", "DELETE", ("/clob/cancel-market-orders",), 1_500),
    Rule("cancel-market-orders, long", "DELETE", ("/clob/cancel-market-orders",), 21_000, TEN_MINUTES),
    Rule("gamma", "", ("/gamma",), 4_000),
    Rule("events", "", ("/gamma/events",), 500),
    Rule("markets", "", ("/gamma/markets",), 300),
    Rule("events and markets", "", ("/gamma/events", "/gamma/markets"), 900),
    Rule("comments", "", ("/gamma/comments",), 200),
    Rule("tags", "", ("/gamma/tags",), 200),
    Rule("search", "", ("/gamma/public-search",), 350),
    Rule("data", "", ("/data",), 1_000),
    Rule("trades", "", ("/data/trades",), 200),
    Rule("positions", "", ("/data/positions", "/data/closed-positions"), 150),
    Rule("relayer submit", "POST", ("/relayer/submit",), 25, 60.0),
)


class _Bucket:
    """Room for one rule's requests of one address; it fills all the time. Below zero, requests wait."""

    __slots__ = ("at_s", "per_second", "room", "tokens")

    def __init__(self, rule: Rule, scale: float, now_s: float) -> None:
        self.room = rule.requests * scale
        self.per_second = self.room / rule.window_s
        self.tokens = self.room
        self.at_s = now_s


class AddressLimits:
    """Says how long a request waits. Off at first; ``scale`` multiplies every limit."""

    def __init__(self) -> None:
        self.on = False
        self.scale = 1.0
        self._buckets: dict[tuple[str, int], _Bucket] = {}
        # The buckets of a kind of request, found once.
        self._found: dict[tuple[str, str, str], tuple[_Bucket, ...]] = {}

    def reset(self) -> None:
        """Let every address begin anew."""
        self._buckets.clear()
        self._found.clear()

    def wait_s(self, address: str, method: str, path: str, now_s: float) -> float:
        """How many seconds this request has to wait; one for which that is more than ``QUEUE_MAX_S`` is not counted."""
        stem = _stem(path)
        buckets = self._found.get((address, method, stem))
        if buckets is None:
            buckets = self._found[address, method, stem] = self._find(address, method, stem, now_s)
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

    def _find(self, address: str, method: str, stem: str, now_s: float) -> tuple[_Bucket, ...]:
        found = []
        for number, rule in enumerate(RULES):
            if rule.method in ("", method) and any(_covers(path, stem) for path in rule.paths):
                bucket = self._buckets.get((address, number))
                if bucket is None:
                    bucket = self._buckets[address, number] = _Bucket(rule, self.scale, now_s)
                found.append(bucket)
        return tuple(found)


def _stem(path: str) -> str:
    """The part of a path that limits know: area and name, and one part more where names have two."""
    parts = path.split("/", 4)
    deep = len(parts) > 3 and parts[2] in ("data", "balance-allowance")
    return "/".join(parts[:4] if deep else parts[:3])


def _covers(path: str, stem: str) -> bool:
    """Whether a rule's path is this stem's own, or that of its whole area."""
    return stem == path or (path.count("/") < 2 and stem.startswith(f"{path}/"))
