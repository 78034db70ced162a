"""All injected faults: those that wait for a matching request, those that last, and the random ones."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec
from msgspec import UNSET

from practice_exchange.faults.kinds import KINDS, Group
from practice_exchange.faults.order import Fault, check_fault
from practice_exchange.faults.random_faults import RandomFaults, RandomFaultsOrder


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
