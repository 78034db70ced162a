"""How lists of an account's orders and trades are asked for and cut into pages."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

from polymarket_kit.messages.order_messages import END_CURSOR, PageMessage
from polymarket_kit.signing.order_signing import SignatureType
from practice_exchange.clob.public_routes import is_number, read_cursor
from practice_exchange.engine.settlement import Trade
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, clob_invalid, json_answer

T = TypeVar("T")
PAGE_LENGTH = 100
BAD_ORDERS_QUERY = "invalid order params payload"
BAD_TRADES_QUERY = "Invalid trade params payload"


def fits(wanted: tuple[str, ...], has: tuple[str, ...]) -> bool:
    """Whether everything that was asked for is so; what was not asked for is empty."""
    return all(not asked or asked == given for asked, given in zip(wanted, has, strict=True))


def signature_type_of(query: Query) -> SignatureType:
    """Which kind of wallet is asked about; the plain one if none is named. Raises WireError."""
    number = query.text("signature_type", "0")
    if number not in ("0", "1", "2", "3"):
        raise clob_invalid("Invalid signature_type")
    return SignatureType(int(number))


def moment_s(query: Query, name: str) -> int | None:
    """A time in seconds, or None where none is given. Raises WireError."""
    text = query.text(name)
    if text and not is_number(text):
        raise clob_invalid(BAD_TRADES_QUERY)
    return int(text) if text else None


def made_by(trade: Trade, query: Query) -> bool:
    """Whether an address took part in a trade, on either side; no address asked for is any."""
    asked = query.text("maker_address").lower()
    return not asked or asked in (trade.account_id.lower(), *(maker.account_id.lower() for maker in trade.makers))


def page_of(query: Query, found: Sequence[T], render: Callable[[T], object], malformed: str) -> Answer:
    """The page that the query's cursor names; ``malformed`` is the refusal of what is no cursor. Raises WireError."""
    start = read_cursor(query.text("next_cursor"), malformed)
    page = found[start : start + PAGE_LENGTH]
    end = start + PAGE_LENGTH
    cursor = END_CURSOR if end >= len(found) else b64encode(str(end).encode()).decode()
    return json_answer(PageMessage(PAGE_LENGTH, len(page), cursor, [render(each) for each in page]))
