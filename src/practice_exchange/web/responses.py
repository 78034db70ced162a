"""Responses of handlers, and the errors of both APIs in the venue's words."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

JSON = "application/json"
_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """Status, headers and body. Status 0 stands for silence: the connection never answers."""

    status: int
    headers: dict[str, str]
    body: bytes


class WireError(Exception):
    """A request that the venue refuses; ``answer`` is how it says so."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer


def json_answer(content: object, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": JSON}, _encode(content))


def raw_answer(body: bytes, status: int = 200) -> Answer:
    """An answer whose JSON is written already."""
    return Answer(status, {"Content-Type": JSON}, body)


def text_answer(text: str, status: int = 200, kind: str = "text/plain") -> Answer:
    return Answer(status, {"Content-Type": f"{kind}; charset=utf-8"}, text.encode())


def gamma_invalid(message: str) -> WireError:
    return WireError(json_answer({"type": "validation error", "error": message}, 422))


def gamma_missing(message: str) -> WireError:
    return WireError(json_answer({"type": "not found error", "error": message}, 404))


def clob_invalid(message: str) -> WireError:
    return WireError(json_answer({"error": message}, 400))


def clob_missing(message: str) -> WireError:
    return WireError(json_answer({"error": message}, 404))
