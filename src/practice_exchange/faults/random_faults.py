"""Random faults: requests draw them from a seeded stream, so that the same requests meet the same faults again."""

from __future__ import annotations

from fnmatch import fnmatchcase
from random import Random
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from practice_exchange.faults.kinds import KINDS, RANDOM_KINDS, suits

# Waits that are drawn are shorter than what is ordered by default, so that a day of them still goes on.
WAIT_MAX_S = 3.0


class RandomFaultsOrder(msgspec.Struct, forbid_unknown_fields=True):
    """``rate`` is the share of requests that get a fault; ``path`` a pattern of those that may get one."""

    seed: int
    rate: float
    path: str = "*"
    kinds: tuple[str, ...] = RANDOM_KINDS

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError("rate must be between 0 and 1")
        unfit = [name for name in self.kinds if name not in KINDS or not KINDS[name].is_single_use]
        if unfit or not self.kinds:
            fit = ", ".join(name for name, kind in KINDS.items() if kind.is_single_use)
            raise ValueError(f"weather cannot have {', '.join(unfit) or 'no kinds'}. Choose some of: {fit}")


class Drawn(NamedTuple):
    """What fell on a request. ``seconds`` is set for kinds that wait."""

    kind: str
    seconds: float | UnsetType


class RandomFaults:
    """One stream of chance. Each matching request takes three numbers of it, whether or not it gets a fault."""

    def __init__(self, order: RandomFaultsOrder) -> None:
        self.order = order
        self.requests = 0
        self._chance = Random(order.seed)

    def draw(self, method: str, path: str) -> Drawn | None:
        """What falls on this request, which is the next one of the stream if its path matches."""
        order = self.order
        if not fnmatchcase(path, order.path):
            return None
        self.requests += 1
        falls, which, how_long = self._chance.random(), self._chance.random(), self._chance.random()
        if falls >= order.rate:
            return None
        fitting = [kind for kind in order.kinds if suits(kind, method, path)]
        if not fitting:
            return None
        kind = fitting[int(which * len(fitting))]
        waits = any(parameter.name == "seconds" for parameter in KINDS[kind].parameters)
        return Drawn(kind, round(how_long * WAIT_MAX_S, 3) if waits else UNSET)
