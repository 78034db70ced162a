"""The first cut through an answer of the venue: a page becomes its raw items, so that one bad item loses nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from polymarket_kit.errors import PrescientError

T = TypeVar("T")
# What the decoding of one item may raise: wrong types, numbers or text, or nesting without end.
ITEM_ERRORS = (ValueError, OverflowError, RecursionError)
REASON_LENGTH_MAX = 200
ID_LENGTH_MAX = 80
CURSOR_LENGTH_MAX = 1_000
TEXT_LENGTH_MAX = 20_000


class MalformedMessage(PrescientError):
    """A whole answer cannot be read: truncated, not JSON, or of another shape than documented."""

    code = "malformed_message"


@dataclass(slots=True)
class Decoded(Generic[T]):
    """What was read, and (id, reason) of each item that was left out."""

    items: list[T] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


class RawPage(NamedTuple):
    """Items still as JSON, and where the next page starts ("" at the end)."""

    items: list[msgspec.Raw]
    next_cursor: str


class _Envelope(msgspec.Struct):
    events: list[msgspec.Raw] | None = None
    markets: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None
    next_cursor: str | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_array = msgspec.json.Decoder(list[msgspec.Raw])


def split_page(body: bytes) -> RawPage:
    """Cut a listing into its items: a bare array, or an object with ``events``, ``markets`` or ``data`` and a cursor.

    Raises MalformedMessage when the answer as a whole cannot be read.
    """
    try:
        return _split_fast(body)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"The answer is not a list as documented: {reason_of(error)}") from error
    except RecursionError as error:
        raise MalformedMessage("The answer is nested too deeply to be read.") from error
    except msgspec.DecodeError as error:
        return _split_slow(body, error)


def _split_fast(body: bytes) -> RawPage:
    if body.lstrip()[:1] == b"[":
        return RawPage(_array.decode(body), "")
    page = _envelope.decode(body)
    for items in (page.events, page.markets, page.data):
        if items is not None:
            return RawPage(items, _checked(page.next_cursor or ""))
    raise MalformedMessage("The answer holds none of the lists events, markets or data.")


def _split_slow(body: bytes, cause: Exception) -> RawPage:
    """Read what only a lenient reader takes for JSON (NaN, lone surrogates), so that just those items are lost.

    Each item is written out again as it was, and fails or not by itself later.
    """
    try:
        page = json.loads(body)
    except ITEM_ERRORS as error:
        raise MalformedMessage(f"The answer is not complete JSON: {cause}") from error
    fields = page if isinstance(page, dict) else {"data": page}
    for name in ("events", "markets", "data"):
        items = fields.get(name)
        if isinstance(items, list):
            cursor = fields.get("next_cursor")
            return RawPage([rewritten(item) for item in items], _checked(cursor if isinstance(cursor, str) else ""))
    raise MalformedMessage(f"The answer is not a list as documented: {cause}")


def _checked(cursor: str) -> str:
    if len(cursor) > CURSOR_LENGTH_MAX or not cursor.isprintable():
        raise MalformedMessage("The cursor of the next page cannot be sent back.")
    return cursor


def rewritten(item: Any) -> msgspec.Raw:
    """Return one leniently read item as JSON again."""
    return msgspec.Raw(json.dumps(item).encode())


def item_name(item: msgspec.Raw, number: int) -> str:
    """Return the id of an item that may be malformed, or its place on the page."""
    try:
        fields = json.loads(bytes(item))
    except ITEM_ERRORS:
        fields = None
    named = fields.get("id") if isinstance(fields, dict) else None
    return printable(str(named), ID_LENGTH_MAX) if isinstance(named, str | int) else f"item {number}"


def reason_of(error: Exception) -> str:
    """Return an error as a short reason for the list of skipped items."""
    return printable(str(error) or type(error).__name__, REASON_LENGTH_MAX)


def printable(text: str, length_max: int) -> str:
    """Return text of unknown origin so that a log line or a database column can hold it."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:length_max])


def check_text(text: str) -> None:
    """Raise ValueError for text that the database cannot hold or that no page would show."""
    if "\x00" in text:
        raise ValueError("text holds a NUL character")
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError("text is too long")
