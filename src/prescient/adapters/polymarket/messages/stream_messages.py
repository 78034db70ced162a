"""What the venue says on its market websocket, frame by frame: every event typed, every malformed one named, nothing raised.

``price_change`` is nearly all of the traffic and has a decoder of its own; all else goes through ``decode_frame``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from polymarket_kit.messages.numbers import level_price, micro_from_float, micro_from_text, price_from_wire
from polymarket_kit.messages.pages import ITEM_ERRORS, printable, reason_of
from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.adapters.polymarket.messages.clob import TIME_MS_MAX, TIME_MS_MIN, book_from_message
from prescient.adapters.polymarket.messages.clob_messages import BookMessage, LevelMessage
from prescient.adapters.polymarket.messages.gamma_messages import Text
from prescient.domain.market import OrderBook

Frame = bytes | bytearray | memoryview
# The venue names no minimum size on the stream; until REST has told it, this is what nearly every market has.
MINIMUM_SIZE_TEXT = "5"
KEPT_TEXTS_MAX = 20_000
KIND_LENGTH_MAX = 40
# How far into a malformed message its token id is looked for.
SEARCHED_BYTES = 65_536
NAMED_TOKENS_MAX = 20
# What a message is called that has no event's name: one that cannot be read, and one that may be new.
BROKEN, UNKNOWN_EVENT = "broken", "unknown event"
KINDS = frozenset(
    {"book", "price_change", "last_trade_price", "tick_size_change", "best_bid_ask", "new_market", "market_resolved"}
)
_TOKEN_ID = re.compile(rb'"asset_id"\s*:\s*"([0-9]{1,78})"')
_KIND = re.compile(rb'"event_type"\s*:\s*"([a-z_0-9]{1,40})"')


class ChangeMessage(msgspec.Struct, gc=False):
    """One price of one token: ``size`` is the new aggregate there, zero when it is gone.

    The wire writes sizes as text of at most six decimals; a double holds that exactly and is decoded to far faster.
    The best prices are those after the whole message; "" or a price of 0 or 1 stands for an empty side.
    """

    asset_id: str
    price: str
    size: float
    side: Side
    best_bid: str | None = None
    best_ask: str | None = None


class PriceChangeMessage(msgspec.Struct, gc=False):
    """Changes of a market's books, as a rule one for each of its two tokens.

    Read as this, a message of another event has its ``event_type`` and no changes.
    """

    price_changes: list[ChangeMessage] = []
    timestamp: int = 0
    event_type: str = ""


class BookEvent(msgspec.Struct, tag_field="event_type", tag="book", gc=False):
    """A whole book: on subscribing (then with tick size and last price), and after trades."""

    asset_id: str
    market: str
    timestamp: str
    bids: list[LevelMessage]
    asks: list[LevelMessage]
    hash: str = ""
    tick_size: Text = None
    last_trade_price: Text = None


class PriceChangeEvent(msgspec.Struct, tag_field="event_type", tag="price_change", gc=False):
    """``price_change`` in the present shape, or in that of before 2025 (one change, its fields at the top)."""

    timestamp: int
    market: str = ""
    price_changes: list[msgspec.Raw] | None = None


class LastTradeEvent(msgspec.Struct, tag_field="event_type", tag="last_trade_price", gc=False):
    """A trade on this token's book; ``side`` is the taker's."""

    asset_id: str
    price: str
    size: str
    side: str
    timestamp: str
    market: str = ""
    fee_rate_bps: Text = None
    transaction_hash: Text = None


class TickSizeEvent(msgspec.Struct, tag_field="event_type", tag="tick_size_change", gc=False):
    """A token's grid changes; a whole book on the new grid follows."""

    asset_id: str
    new_tick_size: str
    timestamp: str
    market: str = ""
    old_tick_size: Text = None


class BestBidAskEvent(msgspec.Struct, tag_field="event_type", tag="best_bid_ask", gc=False):
    """The best prices moved; "" for an empty side. Not sent for every move."""

    asset_id: str
    best_bid: str
    best_ask: str
    timestamp: str
    market: str = ""
    spread: Text = None


class NewMarketEvent(msgspec.Struct, tag_field="event_type", tag="new_market", gc=False):
    """A market was listed, somewhere on the venue: every socket hears of all."""

    market: str
    timestamp: str
    assets_ids: list[str]
    id: Text = None
    question: Text = None
    slug: Text = None
    outcomes: list[str] | None = None


class ResolvedEvent(msgspec.Struct, tag_field="event_type", tag="market_resolved", gc=False):
    """A market is resolved, somewhere on the venue: every socket hears of all, and some are never told."""

    market: str
    timestamp: str
    assets_ids: list[str] | None = None
    winning_asset_id: Text = None
    winning_outcome: Text = None


StreamMessage = (
    PriceChangeMessage | BookEvent | LastTradeEvent | TickSizeEvent | BestBidAskEvent | NewMarketEvent | ResolvedEvent
)
_AnyEvent = (
    PriceChangeEvent | BookEvent | LastTradeEvent | TickSizeEvent | BestBidAskEvent | NewMarketEvent | ResolvedEvent
)


class Malformed(NamedTuple):
    """A message, or one change of it, that was left out. ``token_id`` is "" where it names none."""

    kind: str
    token_id: str
    reason: str


@dataclass(slots=True)
class DecodedFrame:
    """The messages of one frame in order, and what could not be read. ``text`` is a frame of words, not JSON."""

    messages: list[StreamMessage] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    text: str | None = None


# Not strict: the venue writes every number as text.
_price_change = msgspec.json.Decoder(PriceChangeMessage, strict=False)
_change = msgspec.json.Decoder(ChangeMessage, strict=False)
_event = msgspec.json.Decoder(_AnyEvent, strict=False)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_encoder = msgspec.json.Encoder()

# Reads a ``price_change`` at full speed. Raises one of ITEM_ERRORS for anything that has not its shape.
decode_price_change = _price_change.decode


def decode_frame(frame: Frame) -> DecodedFrame:
    """Return everything that a frame says: one event, or an array of them (the books on subscribing). Never raises."""
    content = bytes(frame)
    decoded = DecodedFrame()
    start = content.lstrip()[:1]
    if start == b"{":
        _read(content, decoded)
    elif start == b"[":
        try:
            items = _items.decode(content)
        except ITEM_ERRORS as error:
            decoded.malformed += _malformed(content, error)
            return decoded
        for item in items:
            _read(item, decoded)
    else:
        # Such as "PONG", "NO NEW ASSETS" or "INVALID OPERATION": words, not data.
        decoded.text = printable(content[:KIND_LENGTH_MAX].decode("utf-8", "replace"), KIND_LENGTH_MAX)
    return decoded


def _read(item: bytes | msgspec.Raw, decoded: DecodedFrame) -> None:
    try:
        event = _event.decode(item)
    except ITEM_ERRORS as error:
        decoded.malformed += _malformed(bytes(item), error)
        return
    if isinstance(event, PriceChangeEvent):
        decoded.messages.append(_changes(event, item, decoded))
    else:
        decoded.messages.append(event)


def _changes(event: PriceChangeEvent, item: bytes | msgspec.Raw, decoded: DecodedFrame) -> PriceChangeMessage:
    """Read change by change, so that a bad one costs itself alone."""
    parts: Sequence[bytes | msgspec.Raw] = [item] if event.price_changes is None else event.price_changes
    changes: list[ChangeMessage] = []
    for part in parts:
        try:
            changes.append(_change.decode(part))
        except ITEM_ERRORS as error:
            decoded.malformed += [one._replace(kind="price_change") for one in _malformed(bytes(part), error)]
    return PriceChangeMessage(changes, event.timestamp, "price_change")


def _malformed(item: bytes, error: Exception) -> list[Malformed]:
    """One for each token that a broken message names, for each of their books may now be wrong."""
    searched = item[:SEARCHED_BYTES]
    named = _KIND.search(searched)
    kind = named.group(1).decode() if named else ""
    if kind not in KINDS:
        # An event that is new to us is no reason to doubt anything; what is no event at all is.
        kind = UNKNOWN_EVENT if kind and isinstance(error, msgspec.ValidationError) else BROKEN
    tokens = list(dict.fromkeys(found.decode() for found in _TOKEN_ID.findall(searched)))[:NAMED_TOKENS_MAX]
    return [Malformed(kind, token, reason_of(error)) for token in tokens or ("",)]


def book_of(event: BookEvent) -> OrderBook:
    """Return the book of a ``book`` event, best level first.

    Minimum size and negative risk are not on the wire and are the common ones here. Raises ValueError like
    ``clob.book_from_message``: a book that makes no sense is no book.
    """
    message = BookMessage(
        market=event.market,
        asset_id=event.asset_id,
        timestamp=event.timestamp,
        hash=event.hash,
        bids=event.bids,
        asks=event.asks,
        min_order_size=MINIMUM_SIZE_TEXT,
        tick_size=event.tick_size or "",
        neg_risk=False,
        last_trade_price=event.last_trade_price or "",
    )
    return book_from_message(message)


def time_of(text: str) -> int:
    """Return a timestamp in ms. Raises ValueError for one in seconds, or in no time that the venue has existed in."""
    time_ms = int(text)
    if not TIME_MS_MIN <= time_ms < TIME_MS_MAX:
        raise ValueError("timestamp is not in milliseconds")
    return time_ms


def size_from_wire(number: float | str) -> int:
    """Return a size in micro-shares, zero included. Raises ValueError for anything else."""
    size = micro_from_text(number) if isinstance(number, str) else micro_from_float(number)
    if size < 0:
        raise ValueError("size is below zero")
    return size


class _Prices(dict[str | None, int]):
    """Texts read once and kept: a lookup costs a tenth of a parse, and a venue has few different prices."""

    def __missing__(self, text: str | None) -> int:
        if len(self) >= KEPT_TEXTS_MAX:
            self.clear()
        price = self[text] = self._read(text)
        return price

    def _read(self, text: str | None) -> int:
        if text is None:
            raise ValueError("price is missing")
        return level_price(text)


class _Bests(_Prices):
    """A best price by its text; ``none`` where the side is empty: "", 0 and 1 are no prices of a level."""

    def __init__(self, none: int) -> None:
        super().__init__()
        self._none = none

    def _read(self, text: str | None) -> int:
        price = price_from_wire(text)
        return self._none if price is None or price in (0, MICRO) else price


# Level prices in micro by text. A lookup raises ValueError unless the price lies strictly between 0 and 1.
LEVEL_PRICES = _Prices()
# Best prices in micro by text; an empty bid side is 0, an empty ask side 1,000,000. A lookup raises ValueError.
NO_BID, NO_ASK = 0, MICRO
BEST_BIDS, BEST_ASKS = _Bests(NO_BID), _Bests(NO_ASK)


def subscription(token_ids: Sequence[str]) -> bytes:
    """Return the first message on a socket: whole books first, then every change."""
    return _encoder.encode(
        {
            "assets_ids": list(token_ids),
            "type": "market",
            "custom_feature_enabled": True,
            "initial_dump": True,
            "level": 2,
        }
    )


def subscription_change(token_ids: Sequence[str], *, subscribe: bool) -> bytes:
    """Return a later message that adds tokens to a socket's subscription or takes them away."""
    named = {"operation": "subscribe" if subscribe else "unsubscribe", "assets_ids": list(token_ids)}
    return _encoder.encode(named | {"custom_feature_enabled": True} if subscribe else named)
