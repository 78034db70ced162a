"""Applies one injected fault to one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from practice_exchange.faults.corruption import corrupt, not_canceled, stopped
from practice_exchange.faults.kinds import KINDS, Group
from practice_exchange.faults.order import Fault
from practice_exchange.web.responses import Answer

# Answers that are kept for being given again; play, so few are enough.
KEPT_MAX = 256


class Asked(NamedTuple):
    """A request as it reached the exchange; names in ``headers`` are lower case."""

    method: str
    path: str
    query: str | Sequence[tuple[str, str]]
    body: bytes
    headers: Mapping[str, str]

    @property
    def cursor(self) -> str:
        """Which page it asks for, or "" for the first."""
        pairs = parse_qsl(self.query) if isinstance(self.query, str) else self.query
        return next((value for name, value in pairs if name in ("next_cursor", "after_cursor")), "")


class FaultRunner:
    """Does requests with their faults. ``do`` does one as if nothing were wrong; ``machine_s`` is this machine's clock.

    ``matching_orders`` finds the orders that a cancel without ids matches, by its headers and body.
    """

    def __init__(
        self,
        do: Callable[[Asked], Answer],
        machine_s: Callable[[], float],
        matching_orders: Callable[[Mapping[str, str], bytes], list[str]],
    ) -> None:
        self._do = do
        self._matching_orders = matching_orders
        self._machine_s = machine_s
        self._late: list[tuple[float, Asked]] = []
        self._given: dict[tuple[str, str], Answer] = {}

    def apply(self, fault: Fault, asked: Asked) -> Answer:
        """Answer a request to which a fault applies."""
        kind = fault.kind
        if kind == "cancel_refused" and "/cancel-" in asked.path:
            return not_canceled(fault, self._matching_orders(asked.headers, asked.body))
        if KINDS[kind].group is Group.REQUEST:
            return stopped(fault, asked.body)
        answer = Answer(200, {}, b"")
        if kind in ("late", "held"):
            self._late.append((self._machine_s() + fault.number("seconds"), asked))
        else:
            answer = self._do(asked)
        if kind == "twice":
            return self._do(asked)
        if kind == "repeat":
            return self._repeated(asked, answer)
        return corrupt(fault, answer, asked.cursor)

    @property
    def has_late(self) -> bool:
        return bool(self._late)

    def do_late(self) -> None:
        """Perform the delayed requests that are due, in order of their due times."""
        now_s = self._machine_s()
        due = sorted((each for each in self._late if each[0] <= now_s), key=lambda each: each[0])
        self._late = [each for each in self._late if each[0] > now_s]
        for _, asked in due:
            self._do(asked)

    def forget(self) -> None:
        """Drop what waits to be done and what would be given again."""
        self._late.clear()
        self._given.clear()

    def _repeated(self, asked: Asked, answer: Answer) -> Answer:
        """The first answer of a path, again and again."""
        if len(self._given) >= KEPT_MAX:
            self._given.clear()
        return self._given.setdefault((asked.method, asked.path), answer)
