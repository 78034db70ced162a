"""One requested fault: its kind, which requests it matches, its parameters, and its validation."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from practice_exchange.faults.kinds import KINDS

COUNT_MAX = 1_000_000
# Every fault may have these; all else must be a parameter of its kind.
GENERAL = frozenset({"path", "kind", "count", "retry_after_s", "method"})


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One fault of the catalogue (faults/kinds.py), with the parameters of its kind.

    ``path`` is a pattern such as ``/gamma/events*`` and ``method`` one method or any: a fault that acts on requests
    strikes the next ``count`` that match. ``seconds`` are of this machine's time except where trades settle.
    """

    path: str = "*"
    kind: str = ""
    count: int = 1
    retry_after_s: int = 1
    method: str | UnsetType = UNSET
    seconds: float | UnsetType = UNSET
    status: int | UnsetType = UNSET
    text: str | UnsetType = UNSET
    rate: float | UnsetType = UNSET
    retries: int | UnsetType = UNSET
    address: str | UnsetType = UNSET
    market: str | UnsetType = UNSET
    token_id: str | UnsetType = UNSET
    tick_size: float | UnsetType = UNSET
    minimum_size: float | UnsetType = UNSET
    fee_rate: float | UnsetType = UNSET
    price: float | UnsetType = UNSET
    shares: float | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    socket: int | UnsetType = UNSET

    def number(self, name: str) -> float:
        """A parameter's value: the given one, or its kind's default."""
        given = getattr(self, name)
        return float(self._default(name) if given is UNSET else given)

    def words(self, name: str) -> str:
        given = getattr(self, name)
        return str(self._default(name) if given is UNSET else given)

    def _default(self, name: str) -> float | str:
        return next(each.default for each in KINDS[self.kind].parameters if each.name == name)


class FaultRefused(ValueError):
    """A fault that is not in the catalogue, or a parameter out of its bounds; the message says what would do."""


def check_fault(fault: Fault) -> None:
    """Raises FaultRefused unless the fault is one of the catalogue with parameters of its kind, within their bounds."""
    kind = KINDS.get(fault.kind)
    if kind is None:
        raise FaultRefused(f"there is no kind {fault.kind!r}. Choose one of: {', '.join(KINDS)}")
    if not 1 <= fault.count <= COUNT_MAX:
        raise FaultRefused(f"count must be between 1 and {COUNT_MAX}")
    known = {parameter.name: parameter for parameter in kind.parameters}
    for name in fault.__struct_fields__:
        value = getattr(fault, name)
        if value is UNSET or (name in GENERAL and name not in known):
            continue
        if name not in known:
            takes = ", ".join(known) or "no parameters"
            raise FaultRefused(f"{fault.kind} has no {name}; it takes {takes}")
        low, high = known[name].lowest, known[name].highest
        if low is not None and high is not None and not low <= value <= high:
            raise FaultRefused(f"{name} must be between {low:g} and {high:g}")
