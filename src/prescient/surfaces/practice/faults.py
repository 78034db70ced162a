"""Faults on request: the next answers of a path become what a bad day at the venue looks like."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from prescient.surfaces.practice.answers import Answer, json_answer, text_answer

Kind = Literal["429", "500", "html", "half", "silence"]
CHALLENGE_PAGE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"
)


class Fault(msgspec.Struct):
    """``path`` is a pattern such as ``/gamma/events*``; the fault strikes the next ``count`` answers that match."""

    path: str
    kind: Kind
    count: int = 1
    retry_after_s: int = 1


class Faults:
    """The faults that are waiting, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[Fault]:
        return list(self._waiting)

    def strike(self, path: str) -> Fault | None:
        """The fault for this request, used up by one, or None."""
        for fault in self._waiting:
            if fnmatchcase(path, fault.path):
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
                return fault
        return None


def spoil(fault: Fault, answer: Answer) -> Answer:
    """What the fault makes of an answer. Half a page keeps the length of the whole; silence has status 0."""
    if fault.kind == "429":
        refused = json_answer({"error": "Too Many Requests"}, 429)
        return refused._replace(headers={**refused.headers, "Retry-After": str(fault.retry_after_s)})
    if fault.kind == "500":
        return json_answer({"error": "Internal server error"}, 500)
    if fault.kind == "html":
        return text_answer(CHALLENGE_PAGE, 403, "text/html")
    if fault.kind == "half":
        return answer._replace(
            headers={**answer.headers, "Content-Length": str(len(answer.body))},
            body=answer.body[: len(answer.body) // 2],
        )
    return Answer(0, {}, b"")
