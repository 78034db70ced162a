"""All injected faults: those that wait for a matching request, those that last, and those drawn from a seed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from random import Random
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from practice_exchange.faults.kinds import KINDS, RANDOM_KINDS, Fault, Group, check_fault, suits

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


class Faults:
    """Faults that wait for a matching request, oldest first, persistent faults, and random faults."""

    def __init__(self) -> None:
        # Looked at for every request, so it is one attribute.
        self.armed = False
        self.random_faults: RandomFaults | None = None
        # How often each kind was applied.
        self.applied: dict[str, int] = {}
        self._waiting: list[Fault] = []
        self._active: dict[tuple[str, str], Fault] = {}

    def add(self, fault: Fault) -> None:
        """Add a fault. Of persistent ones, the last of a kind counts, for each address, token or channel it names.

        Raises FaultRefused.
        """
        check_fault(fault)
        if KINDS[fault.kind].is_single_use:
            self._waiting.append(fault)
        else:
            self._active[_named(fault)] = fault
        self._arm()

    def clear(self, kind: str = "") -> None:
        """Drop all faults, random ones included, or the faults of one kind."""
        self._waiting = [fault for fault in self._waiting if kind and fault.kind != kind]
        self._active = {name: fault for name, fault in self._active.items() if kind and name[0] != kind}
        if not kind:
            self.random_faults = None
            self.applied = {}
        self._arm()

    def clear_single_use(self) -> None:
        """Drop the faults of single requests, random ones included; persistent ones stay."""
        self._waiting, self.random_faults = [], None
        self._arm()

    def add_random(self, order: RandomFaultsOrder) -> None:
        """Draw faults for requests from a seed, from now on."""
        self.random_faults = RandomFaults(order)
        self._arm()

    def waiting(self) -> list[Fault]:
        """Everything that waits or holds."""
        return [*self._waiting, *self._active.values()]

    def active(self, kind: str) -> Fault | None:
        """What holds of this kind; of several, the first."""
        return next(iter(self.all_active(kind)), None)

    def all_active(self, kind: str) -> list[Fault]:
        return [fault for name, fault in self._active.items() if name[0] == kind]

    def take_match(self, path: str, method: str = "GET") -> Fault | None:
        """The fault for this request, used up by one, or None."""
        fault = self._due(path, method)
        if fault is not None:
            self.applied[fault.kind] = self.applied.get(fault.kind, 0) + 1
        return fault

    def _due(self, path: str, method: str) -> Fault | None:
        # Random faults are drawn for every request, so that other faults do not shift the stream.
        drawn = self.random_faults.draw(method, path) if self.random_faults is not None else None
        for fault in self._waiting:
            if fault.method in (UNSET, method) and fnmatchcase(path, fault.path):
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
                    self._arm()
                return fault
        return None if drawn is None else Fault(path, drawn.kind, seconds=drawn.seconds)

    def _arm(self) -> None:
        self.armed = bool(self._waiting) or self.random_faults is not None

    # What a checkpoint keeps: only what holds. The others are for the requests of this process.

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(list(self._active.values()))

    def load_state(self, kept: bytes) -> None:
        found = msgspec.msgpack.decode(kept, type=list[Fault])
        self._active = {_named(fault): fault for fault in found if KINDS[fault.kind].group is not Group.STREAM}


def _named(fault: Fault) -> tuple[str, str]:
    """The key of a persistent fault: its kind and whom it affects."""
    named = [each for each in (fault.address, fault.token_id, fault.channel) if each is not UNSET]
    return fault.kind, str(named[0]) if named else ""
