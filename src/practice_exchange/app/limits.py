"""The exchange's rate limits, per address and per signer, and the control that sets them."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Literal

import msgspec

from practice_exchange.app.address_limits import QUEUE_MAX_S, AddressLimits
from practice_exchange.clob.signer_limits import TIERS, SignerLimits, Tier
from practice_exchange.web.controls import control_refused, read_control
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Request

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
