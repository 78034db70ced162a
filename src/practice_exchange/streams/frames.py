"""Encodes market events as websocket frames: written once each, the same for every reader."""

from __future__ import annotations

from functools import lru_cache

from polymarket_kit.model import Side
from polymarket_kit.values import micro_to_text
from practice_exchange.engine.orders import POINT_MICRO, POINTS
from practice_exchange.engine.settlement import Trade

# A final, unmasked text frame (RFC 6455, 5.2); the length takes one, three or nine bytes.
_TEXT = 0x81
_SHORT_MAX = 125
_MEDIUM_MAX = 65_535


def text_frame(payload: bytes) -> bytes:
    """Return a server's text frame around a payload of UTF-8."""
    length = len(payload)
    if length <= _SHORT_MAX:
        return bytes((_TEXT, length)) + payload
    if length <= _MEDIUM_MAX:
        return bytes((_TEXT, 126, length >> 8, length & 255)) + payload
    return bytes((_TEXT, 127)) + length.to_bytes(8, "big") + payload


PONG_FRAME = text_frame(b"PONG")
# What the venue answers to a message that it cannot use, and to naming only what is subscribed already (assumed).
INVALID_FRAME = text_frame(b"INVALID OPERATION")
NOTHING_NEW_FRAME = text_frame(b"NO NEW ASSETS")


@lru_cache(maxsize=1)
def price_texts() -> tuple[str, ...]:
    """Every price that a book can have as text, by its points: "0" to "1"."""
    return tuple(micro_to_text(points * POINT_MICRO) for points in range(POINTS + 1))


@lru_cache(maxsize=65_536)
def size_text(size_micro: int) -> str:
    return micro_to_text(size_micro)


def change_leg(token_id: str, price: str, size: str, side: Side, change_hash: str, best_bid: str, best_ask: str) -> str:
    """One token's part of a ``price_change``."""
    return (
        f'{{"asset_id":"{token_id}","price":"{price}","size":"{size}","side":"{side.value}",'
        f'"hash":"{change_hash}","best_bid":"{best_bid}","best_ask":"{best_ask}"}}'
    )


def price_change(condition_id: str, legs: list[str], time_ms: int) -> bytes:
    content = (
        f'{{"market":"{condition_id}","price_changes":[{",".join(legs)}],'
        f'"timestamp":"{time_ms}","event_type":"price_change"}}'
    )
    return text_frame(content.encode())


def last_trade(trade: Trade, transaction_hash: str) -> bytes:
    """A print, in the taker's token and side."""
    content = (
        f'{{"market":"{trade.condition_id}","asset_id":"{trade.token_id}",'
        f'"price":"{micro_to_text(trade.price_micro)}","size":"{micro_to_text(trade.size_micro)}",'
        f'"fee_rate_bps":"0","side":"{trade.side.value}","timestamp":"{trade.matched_ms}",'
        f'"event_type":"last_trade_price","transaction_hash":"{transaction_hash}"}}'
    )
    return text_frame(content.encode())


def tick_change(condition_id: str, token_id: str, old_micro: int, new_micro: int, time_ms: int) -> bytes:
    content = (
        f'{{"event_type":"tick_size_change","asset_id":"{token_id}","market":"{condition_id}",'
        f'"old_tick_size":"{micro_to_text(old_micro)}","new_tick_size":"{micro_to_text(new_micro)}",'
        f'"timestamp":"{time_ms}"}}'
    )
    return text_frame(content.encode())


def best_prices(condition_id: str, token_id: str, bid_points: int, ask_points: int, time_ms: int) -> bytes:
    """The best prices of a token; a side without orders (bid 0, ask 1) is empty, and so is the spread."""
    texts = price_texts()
    bid = texts[bid_points] if bid_points > 0 else ""
    ask = texts[ask_points] if ask_points < POINTS else ""
    spread = texts[ask_points - bid_points] if bid and ask else ""
    content = (
        f'{{"market":"{condition_id}","asset_id":"{token_id}","best_bid":"{bid}","best_ask":"{ask}",'
        f'"spread":"{spread}","timestamp":"{time_ms}","event_type":"best_bid_ask"}}'
    )
    return text_frame(content.encode())


def book_event(book: bytes, first: bool) -> bytes:
    """A ``book`` event, not yet framed, from the order-book API's answer: hash and timestamp are the same in both.

    ``first`` says that it answers a subscription; then it also carries tick size and last price.
    """
    head, _, rules = book.rpartition(b',"min_order_size":')
    if not first:
        return head + b',"event_type":"book"}'
    _, _, rest = rules.partition(b',"tick_size":')
    tick, _, last = rest.partition(b',"neg_risk":')
    _, _, last_price = last.partition(b',"last_trade_price":')
    return b'%b,"tick_size":%b,"event_type":"book","last_trade_price":%b' % (head, tick, last_price)
