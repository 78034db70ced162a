"""Every fault that waits for its request, every one that holds, and the weather."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec
from msgspec import UNSET

from practice_exchange.faults.kinds import KINDS, Group
from practice_exchange.faults.order import Fault, check_fault
from practice_exchange.faults.random_faults import RandomFaults, RandomFaultsOrder


class Faults:
    """The faults that wait for their request, oldest first, those that hold, and the weather."""

    def __init__(self) -> None:
        # Looked at for every request, so it is one attribute.
        self.armed = False
        self.weather: RandomFaults | None = None
        # How often each kind has struck.
        self.struck: dict[str, int] = {}
        self._waiting: list[Fault] = []
        self._standing: dict[tuple[str, str], Fault] = {}

    def add(self, fault: Fault) -> None:
        """Let a fault wait, or hold; of those that hold, the last of a kind counts, for each whom it names.

        Raises FaultRefused.
        """
        check_fault(fault)
        if KINDS[fault.kind].strikes:
            self._waiting.append(fault)
        else:
            self._standing[_named(fault)] = fault
        self._arm()

    def clear(self, kind: str = "") -> None:
        """Drop all faults and the weather, or the faults of one kind."""
        self._waiting = [fault for fault in self._waiting if kind and fault.kind != kind]
        self._standing = {name: fault for name, fault in self._standing.items() if kind and name[0] != kind}
        if not kind:
            self.weather = None
            self.struck = {}
        self._arm()

    def calm(self) -> None:
        """Drop what waits for requests, weather included; what holds stays."""
        self._waiting, self.weather = [], None
        self._arm()

    def rain(self, order: RandomFaultsOrder) -> None:
        """Let requests draw their faults from a seed, from now on."""
        self.weather = RandomFaults(order)
        self._arm()

    def waiting(self) -> list[Fault]:
        """Everything that waits or holds."""
        return [*self._waiting, *self._standing.values()]

    def standing(self, kind: str) -> Fault | None:
        """What holds of this kind; of several, the first."""
        return next(iter(self.all_standing(kind)), None)

    def all_standing(self, kind: str) -> list[Fault]:
        return [fault for name, fault in self._standing.items() if name[0] == kind]

    def strike(self, path: str, method: str = "GET") -> Fault | None:
        """The fault for this request, used up by one, or None."""
        fault = self._due(path, method)
        if fault is not None:
            self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
        return fault

    def _due(self, path: str, method: str) -> Fault | None:
        # Weather draws for every request, so that what is ordered besides does not shift it.
        drawn = self.weather.draw(method, path) if self.weather is not None else None
        for fault in self._waiting:
            if fault.method in (UNSET, method) and fnmatchcase(path, fault.path):
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
                    self._arm()
                return fault
        return None if drawn is None else Fault(path, drawn.kind, seconds=drawn.seconds)

    def _arm(self) -> None:
        self.armed = bool(self._waiting) or self.weather is not None

    # What a checkpoint keeps: only what holds. The others are for the requests of this process.

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(list(self._standing.values()))

    def load_state(self, kept: bytes) -> None:
        found = msgspec.msgpack.decode(kept, type=list[Fault])
        self._standing = {_named(fault): fault for fault in found if KINDS[fault.kind].group is not Group.STREAM}


def _named(fault: Fault) -> tuple[str, str]:
    """A fault that holds, by its kind and whom it strikes."""
    named = [each for each in (fault.address, fault.token_id, fault.channel) if each is not UNSET]
    return fault.kind, str(named[0]) if named else ""
