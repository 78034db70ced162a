"""The venue's rate limits per signer: one token bucket for orders and one for cancels, refilled by tier."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

import msgspec

from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Metered

ORDERS = (Metered.ORDER, Metered.ORDERS)
BATCHES = (Metered.ORDERS, Metered.CANCELS)


class Tier(msgspec.Struct, frozen=True):
    """Tokens per second and the most that a bucket holds, for orders; cancels have twice as much of both."""

    name: str
    per_second: float
    burst: float


# As the venue documents them.
_TIERS = (
    Tier("Standard", 40, 60), Tier("Copper", 60, 90), Tier("Bronze", 80, 120), Tier("Silver", 200, 300),
    Tier("Gold", 400, 600), Tier("Platinum", 450, 675), Tier("Diamond", 525, 787), Tier("Elite", 600, 900),
)  # fmt: skip
TIERS = {tier.name.lower(): tier for tier in _TIERS}


class Balance(msgspec.Struct, array_like=True):
    """What was in a bucket at a moment of this machine's time."""

    tokens: float
    at_s: float


class SignerLimits:
    """Takes tokens for orders and cancels of each signer. Off at first; then it costs one look at an attribute.

    With ``enforced`` off nothing is refused: answers only warn, as the venue's did while it introduced the limits.
    """

    def __init__(self, machine_s: Callable[[], float]) -> None:
        self.on = False
        self.enforced = True
        self.tier = TIERS["elite"]
        self._machine_s = machine_s
        self._orders: dict[str, Balance] = {}
        self._cancels: dict[str, Balance] = {}

    def meter(self, address: str, metered: Metered, body: bytes, do: Callable[[], Answer]) -> Answer:
        """Do an order's or a cancel's action if its signer has the tokens, and say in the response's headers what is left.

        How many orders CANCEL_ALL cancels is known only afterwards, so it may leave a bucket below zero.
        """
        is_order = metered in ORDERS
        size = 1 if is_order else 2
        balance = self._balance(self._orders if is_order else self._cancels, address, size)
        cost = _length(body) if metered in BATCHES else 1
        short = balance.tokens < cost
        if short and self.enforced:
            return self._headed(json_answer({"error": "Too Many Requests"}, 429), balance, cost, size)
        answer = do()
        if metered is Metered.CANCEL_ALL:
            cost += _canceled(answer)
        balance.tokens -= cost
        answer = self._headed(answer, balance, 0, size)
        if short:
            answer.headers["Poly-RateLimit-Warning"] = "true"
        return answer

    def refill(self) -> None:
        """Refill the buckets of every signer."""
        self._orders.clear()
        self._cancels.clear()

    def _balance(self, balances: dict[str, Balance], address: str, size: int) -> Balance:
        """A bucket as it is now."""
        now_s, burst = self._machine_s(), self.tier.burst * size
        balance = balances.get(address)
        if balance is None:
            balance = balances[address] = Balance(burst, now_s)
        passed_s = max(0.0, now_s - balance.at_s)
        balance.tokens = min(burst, balance.tokens + passed_s * self.tier.per_second * size)
        balance.at_s = now_s
        return balance

    def _headed(self, answer: Answer, balance: Balance, wanted: int, size: int) -> Answer:
        """The answer with what is left; ``wanted`` is what a refused request would have cost."""
        per_second = self.tier.per_second * size
        wait_s = max(0.0, max(wanted, 1) - balance.tokens) / per_second
        headers = {
            **answer.headers,
            "Poly-RateLimit-Remaining": str(floor(balance.tokens)),
            "Poly-RateLimit-Reset": str(ceil(balance.at_s + wait_s)),
            "Poly-RateLimit-Tier": self.tier.name,
        }
        if wanted:
            headers["Retry-After"] = str(max(1, ceil(wait_s)))
        return answer._replace(headers=headers)

    # What a checkpoint keeps, so that a repeated request meets the same bucket

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode((self.tier, self._orders, self._cancels))

    def load_state(self, kept: bytes) -> None:
        """Raises msgspec.MsgspecError for what it did not write itself."""
        form = tuple[Tier, dict[str, Balance], dict[str, Balance]]
        self.tier, self._orders, self._cancels = msgspec.msgpack.decode(kept, type=form)


def _length(body: bytes) -> int:
    """How many orders a batch has; nonsense costs one."""
    try:
        return max(1, len(msgspec.json.decode(body, type=list[msgspec.Raw])))
    except (msgspec.MsgspecError, RecursionError):
        return 1


def _canceled(answer: Answer) -> int:
    if answer.status != 200:
        return 0
    content = msgspec.json.decode(answer.body)
    return len(content["canceled"]) if isinstance(content, dict) else 0
