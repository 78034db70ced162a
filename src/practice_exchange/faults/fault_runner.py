"""Applies faults to single requests: it stops them, delays or repeats them, or corrupts their responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from polymarket_kit.values import MICRO, micro_to_text, parse_micro
from practice_exchange.faults.kinds import KINDS, Fault, Group
from practice_exchange.web.responses import Answer, json_answer, text_answer

CHALLENGE_PAGE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"
)
PORTAL_PAGE = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Log in to use this network</body></html>"
RESTRICTED = "Trading restricted in your region, please refer to available regions - https://docs.polymarket.com/developers/geoblock"
SILENCE = Answer(0, {}, b"")
# No answer either, but the connection is closed at once.
HANG_UP = Answer(-1, {}, b"")
SIZES = frozenset({"size", "size_matched", "matched_amount"})
# Prices and sizes that no market has.
FALSE = {"price": "1.2", "mid": "1.2", "size": "-5", "size_matched": "-5", "matched_amount": "-5"}


def stopped(fault: Fault, body: bytes = b"") -> Answer:
    """The answer to a request that a REQUEST fault keeps from the exchange. ``body`` is the request's."""
    kind = fault.kind
    if kind == "429":
        return _retry_later(json_answer({"error": "Too Many Requests"}, 429), fault)
    if kind == "html":
        return text_answer(CHALLENGE_PAGE, 403, "text/html")
    if kind == "portal":
        return text_answer(PORTAL_PAGE, 200, "text/html")
    if kind == "redirect":
        answer = text_answer("", 302)
        answer.headers["Location"] = "http://login.invalid/"
        return answer
    if kind == "reset":
        return HANG_UP
    if kind == "cancel_refused":
        return not_canceled(fault, _order_ids(body))
    if kind == "empty_id":
        return _empty_ids(fault, body)
    if kind == "refused":
        return json_answer({"error": fault.words("text")}, int(fault.number("status")))
    status, text = {
        "401": (401, "Unauthorized/Invalid api key"),
        "403": (403, RESTRICTED),
        "404": (404, "Order not found"),
        "425": (425, "service not ready"),
        "version": (400, "order_version_mismatch"),
    }[kind]
    return json_answer({"error": text}, status)


def corrupt(fault: Fault, answer: Answer, cursor: str = "") -> Answer:
    """What an ANSWER fault makes of an answer. Half a page keeps the length of the whole; silence has status 0.

    ``cursor`` is what the request named, "" for the first page. What does not fit (a missing page where there are no
    pages) leaves the answer as it is.
    """
    kind = fault.kind
    if kind in ("500", "late"):
        return json_answer({"error": fault.words("text")}, int(fault.number("status")))
    if kind in ("silence", "held"):
        return SILENCE
    if kind == "hang_up":
        return HANG_UP
    if kind == "half":
        return answer._replace(
            headers={**answer.headers, "Content-Length": str(len(answer.body))},
            body=answer.body[: len(answer.body) // 2],
        )
    if kind == "garbage":
        return answer._replace(body=answer.body[: len(answer.body) // 2])
    if kind in ("missing_page", "short_page", "stuck_cursor"):
        return _without_rows(kind, answer, cursor)
    if kind == "lies":
        return _changed(answer, lambda name, text: FALSE.get(name, text))
    if kind == "dust":
        return _changed(answer, lambda name, text: _dusty(text, fault.number("shares")) if name in SIZES else text)
    return answer


def not_canceled(fault: Fault, order_ids: list[str]) -> Answer:
    """The answer to a cancel of these orders that cancelled none of them."""
    return json_answer({"canceled": [], "not_canceled": dict.fromkeys(order_ids, fault.words("text"))})


def _retry_later(answer: Answer, fault: Fault) -> Answer:
    return answer._replace(headers={**answer.headers, "Retry-After": str(fault.retry_after_s)})


def _order_ids(body: bytes) -> list[str]:
    """The ids that a cancel names."""
    try:
        asked = msgspec.json.decode(body or b"[]")
    except (msgspec.MsgspecError, RecursionError):
        return []
    found = asked if isinstance(asked, list) else [asked.get("orderID")] if isinstance(asked, dict) else []
    return [order_id for order_id in found if isinstance(order_id, str)]


def _empty_ids(fault: Fault, body: bytes) -> Answer:
    empty = dict.fromkeys(("orderID", "takingAmount", "makingAmount", "status"), "")
    content = {"errorMsg": fault.words("text"), **empty, "success": True}
    if not body.lstrip().startswith(b"["):
        return json_answer(content)
    try:
        return json_answer([content] * len(msgspec.json.decode(body, type=list[msgspec.Raw])))
    except (msgspec.MsgspecError, RecursionError):
        return json_answer([content])


def _without_rows(kind: str, answer: Answer, cursor: str) -> Answer:
    """Change a page: a bare list, or an object with its rows in ``data``, ``events`` or ``markets``."""
    page = _decoded(answer)
    if isinstance(page, list) and kind != "stuck_cursor":
        return answer._replace(body=msgspec.json.encode([] if kind == "missing_page" else page[: len(page) // 2]))
    if not isinstance(page, dict):
        return answer
    name = next((name for name in ("data", "events", "markets") if isinstance(page.get(name), list)), None)
    if name is None:
        return answer
    if kind == "stuck_cursor":
        # The order-book API has a name for its first page, the catalogue has none.
        page["next_cursor"] = cursor or ("MA==" if name == "data" else page.get("next_cursor", ""))
        return answer._replace(body=msgspec.json.encode(page))
    page[name] = [] if kind == "missing_page" else page[name][: len(page[name]) // 2]
    if "count" in page:
        page["count"] = len(page[name])
    return answer._replace(body=msgspec.json.encode(page))


def _changed(answer: Answer, change: Callable[[str, str], str]) -> Answer:
    content = _decoded(answer)
    return answer if content is None else answer._replace(body=msgspec.json.encode(_twisted(content, change)))


def _twisted(content: object, change: Callable[[str, str], str]) -> object:
    """The same with other texts under some names. Answers of the exchange are a few levels deep."""
    if isinstance(content, list):
        return [_twisted(each, change) for each in content]
    if not isinstance(content, dict):
        return content
    return {
        name: change(name, value) if isinstance(value, str) else _twisted(value, change)
        for name, value in content.items()
    }


def _dusty(text: str, shares: float) -> str:
    """A size with a little more or less; what is no number stays."""
    try:
        return micro_to_text(max(0, parse_micro(text) + round(shares * MICRO)))
    except ValueError:
        return text


def _decoded(answer: Answer) -> object:
    if answer.status != 200:
        return None
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.MsgspecError:
        return None


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
