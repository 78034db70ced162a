"""The venue's rate limits: per IP address, where excess requests wait in a queue, per signer, and the control of both."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Literal, NamedTuple

import msgspec

from practice_exchange.clob.signer_limits import TIERS, SignerLimits, Tier
from practice_exchange.web.controls import control_refused, read_control
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Request

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
_IN_TEN_SECONDS = {
    "global": 15_000, "clob": 9_000, "book": 1_500, "price": 1_500, "midpoint": 1_500, "books": 500, "prices": 500,
    "midpoints": 500, "prices-history": 1_000, "tick-size": 200, "data/orders": 500, "data/trades": 500,
    "ledger": 900, "notifications": 125, "balance-allowance": 200, "balance-allowance/update": 50, "keys": 100,
    "ok": 100,
    "gamma": 4_000, "events": 500, "markets": 300, "events and markets": 900, "tags": 200, "search": 350,
    "data": 1_000, "trades": 200, "positions": 150,
}  # fmt: skip
RULES: dict[str, tuple[Rule, ...]] = {name: (Rule(requests),) for name, requests in _IN_TEN_SECONDS.items()} | {
    "post order": (Rule(5_000), Rule(120_000, TEN_MINUTES)),
    "cancel order": (Rule(5_000), Rule(120_000, TEN_MINUTES)),
    "post orders": (Rule(2_000), Rule(21_000, TEN_MINUTES)),
    "cancel orders": (Rule(2_000), Rule(15_000, TEN_MINUTES)),
    "cancel-all": (Rule(250), Rule(6_000, TEN_MINUTES)),
    "cancel-market-orders": (Rule(1_500), Rule(21_000, TEN_MINUTES)),
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


TierName = Literal["standard", "copper", "bronze", "silver", "gold", "platinum", "diamond", "elite"]
EXAMPLE = '{"on": true, "tier": "standard"}'
PER_SECOND_MAX, SCALE_MAX = 1_000_000.0, 1_000.0


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What is not given stays as it is. ``per_second`` and ``burst`` make a tier of one's own."""

    on: bool | None = None
    tier: TierName | None = None
    per_second: float | None = None
    burst: float | None = None
    enforced: bool | None = None
    scale: float | None = None


class Limits:
    """Both kinds of limits. They run in this machine's time, whatever the speed of the world's.

    Off at first. While they are on and not enforced, nothing waits and nothing is refused: answers to orders and
    cancels say what is left, and warn, as the venue's did while it introduced the limits.
    """

    def __init__(self, signers: SignerLimits | None, limits_of: Callable[[str, str], tuple[str, ...]]) -> None:
        """``limits_of`` names the address limits of a method and path."""
        self.on = False
        self.enforced = True
        self.addresses = AddressLimits(limits_of)
        self._signers = signers

    def switch(self, on: bool, enforced: bool = True) -> None:
        self.on, self.enforced = on, enforced
        self.addresses.on = on and enforced
        if self._signers is not None:
            self._signers.on, self._signers.enforced = on, enforced

    def queue_s(self, address: str, method: str, path: str, now_s: float) -> float | Answer:
        """How long a request waits before anybody looks at it, or the refusal of one that would wait too long."""
        wait_s = self.addresses.wait_s(address, method, path, now_s)
        if wait_s <= QUEUE_MAX_S:
            return wait_s
        refused = json_answer({"error": "Too Many Requests"}, 429)
        refused.headers["Retry-After"] = str(ceil(wait_s - QUEUE_MAX_S))
        return refused

    # What a checkpoint keeps

    def dump_state(self) -> bytes:
        assert self._signers is not None
        return msgspec.msgpack.encode((self.on, self.enforced, self.addresses.scale, self._signers.dump_state()))

    def load_state(self, kept: bytes) -> None:
        """Raises msgspec.MsgspecError for what it did not write itself."""
        assert self._signers is not None
        form = tuple[bool, bool, float, bytes]
        on, enforced, self.addresses.scale, signers = msgspec.msgpack.decode(kept, type=form)
        self._signers.load_state(signers)
        self.switch(on, enforced)

    # Controls

    def show(self, request: Request) -> Answer:
        """Which rate limits hold."""
        return self._state_answer()

    def set(self, request: Request) -> Answer:
        """Set the rate limits."""
        wanted = read_control(request.body, _Wanted, EXAMPLE)
        _check("per_second", wanted.per_second, PER_SECOND_MAX)
        _check("burst", wanted.burst, PER_SECOND_MAX)
        _check("scale", wanted.scale, SCALE_MAX)
        self.switch(
            self.on if wanted.on is None else wanted.on, self.enforced if wanted.enforced is None else wanted.enforced
        )
        if wanted.scale is not None:
            self.addresses.scale = wanted.scale
        self.addresses.reset()
        if self._signers is not None:
            self._set_signers(self._signers, wanted)
        return self._state_answer()

    def _set_signers(self, signers: SignerLimits, wanted: _Wanted) -> None:
        if wanted.tier is not None:
            signers.tier = TIERS[wanted.tier]
        if wanted.per_second is not None or wanted.burst is not None:
            per_second = signers.tier.per_second if wanted.per_second is None else wanted.per_second
            burst = signers.tier.burst if wanted.burst is None else wanted.burst
            signers.tier = Tier("Custom", per_second, burst)
        signers.refill()

    def _state_answer(self) -> Answer:
        content: dict[str, object] = {
            "on": self.on,
            "enforced": self.enforced,
            "scale": self.addresses.scale,
            "queue_max_s": QUEUE_MAX_S,
        }
        if self._signers is not None:
            signers = self._signers
            content |= {
                "tier": signers.tier.name,
                "orders": {"per_second": signers.tier.per_second, "burst": signers.tier.burst},
                "cancels": {"per_second": 2 * signers.tier.per_second, "burst": 2 * signers.tier.burst},
            }
        return json_answer(content)


def _check(name: str, value: float | None, highest: float) -> None:
    if value is not None and not 0 < value <= highest:
        raise control_refused(f"{name} must be above 0 and at most {highest:g}")
