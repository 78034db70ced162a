"""The exchange's public answers become books, trading rules, price points and results; and back, for whoever serves them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from polymarket_kit.messages.numbers import amount_from_wire, level_price, micro_from_text, price_from_wire
from polymarket_kit.messages.pages import (
    ID_LENGTH_MAX,
    ITEM_ERRORS,
    Decoded,
    MalformedMessage,
    item_name,
    printable,
    reason_of,
)
from polymarket_kit.model import NO_FEES, FeeSchedule, Level, Payout
from polymarket_kit.values import MICRO, micro_to_text
from prescient.adapters.polymarket.messages.clob_messages import (
    BookMessage,
    ClobMarketMessage,
    HistoryMessage,
    LevelMessage,
    PointMessage,
    RulesFeeMessage,
    RulesMessage,
    RulesTokenMessage,
)
from prescient.adapters.polymarket.messages.dates import time_from_wire, time_to_wire
from prescient.adapters.polymarket.messages.gamma_fields import (
    read_condition_id,
    read_fees,
    read_seconds,
    read_tick,
    read_token_ids,
)
from prescient.adapters.polymarket.messages.gamma_messages import FeeMessage
from prescient.domain.market import OrderBook, PricePoint, TradingRules

T = TypeVar("T")
LEVELS_MAX = 10_000
# Milliseconds of 2001 and 2286; what lies outside is in another unit.
TIME_MS_MIN, TIME_MS_MAX = 1_000_000_000_000, 10_000_000_000_000
TIME_S_MAX = TIME_MS_MAX // 1_000
BASE_FEE_WITH_SCHEDULE = 1_000

_book = msgspec.json.Decoder(BookMessage)
_rules = msgspec.json.Decoder(RulesMessage)
_history = msgspec.json.Decoder(HistoryMessage)
_point = msgspec.json.Decoder(PointMessage)
_clob_market = msgspec.json.Decoder(ClobMarketMessage)
_encoder = msgspec.json.Encoder()


def decode_books(items: Iterable[msgspec.Raw]) -> Decoded[OrderBook]:
    """Return books, best level first. A book that holds nonsense is left out whole: nobody may trade on it."""
    decoded: Decoded[OrderBook] = Decoded()
    for number, item in enumerate(items):
        try:
            message = _book.decode(item)
        except ITEM_ERRORS as error:
            decoded.skipped.append((f"book {number}", f"book: {reason_of(error)}"))
            continue
        try:
            decoded.items.append(book_from_message(message))
        except ITEM_ERRORS as error:
            decoded.skipped.append((printable(message.asset_id, ID_LENGTH_MAX), f"book: {reason_of(error)}"))
    return decoded


def book_from_message(message: BookMessage) -> OrderBook:
    """Return one book. Raises ValueError for prices outside 0..1, sizes below zero, and a crossed or locked book."""
    (token_id,) = read_token_ids([message.asset_id])
    time_ms = int(message.timestamp)
    if not TIME_MS_MIN <= time_ms < TIME_MS_MAX:
        raise ValueError("timestamp is not in milliseconds")
    bids, asks = _levels(message.bids, best_is_highest=True), _levels(message.asks, best_is_highest=False)
    if bids and asks and bids[0].price_micro >= asks[0].price_micro:
        raise ValueError("book is crossed or locked")
    return OrderBook(
        token_id=token_id,
        condition_id=read_condition_id(message.market),
        bids=bids,
        asks=asks,
        time_ms=time_ms,
        tick_micro=read_tick(message.tick_size),
        minimum_size_micro=amount_from_wire(message.min_order_size),
        last_trade_micro=price_from_wire(message.last_trade_price) or None,
        negative_risk=message.neg_risk,
        hash=message.hash,
    )


def _levels(messages: Sequence[LevelMessage], *, best_is_highest: bool) -> tuple[Level, ...]:
    if len(messages) > LEVELS_MAX:
        raise ValueError("book has too many levels")
    levels = [Level(level_price(level.price), micro_from_text(level.size)) for level in messages]
    levels.reverse()
    previous = MICRO if best_is_highest else 0
    sizes_are_sound, in_order = True, True
    for price, size in levels:
        sizes_are_sound = sizes_are_sound and size > 0
        in_order = in_order and (price < previous if best_is_highest else price > previous)
        previous = price
    return tuple(levels) if sizes_are_sound and in_order else _mended(levels, best_is_highest=best_is_highest)


def _mended(levels: list[Level], *, best_is_highest: bool) -> tuple[Level, ...]:
    """Drop empty levels and put the rest in order; refuse what cannot be told apart."""
    if any(level.size_micro < 0 for level in levels):
        raise ValueError("level size is below zero")
    kept = sorted((level for level in levels if level.size_micro > 0), reverse=best_is_highest)
    if len({level.price_micro for level in kept}) != len(kept):
        raise ValueError("two levels have the same price")
    return tuple(kept)


def decode_rules(body: bytes) -> TradingRules:
    """Return what the exchange enforces for one market.

    Raises MalformedMessage when the answer is not complete JSON, and ValueError when it is but cannot be traded on:
    a field is missing or senseless, or the fee has a curve that cannot be computed.
    """
    message = _sound(_rules, body)
    tokens = read_token_ids([token.t for token in message.t if token is not None])
    if not tokens or message.mts is None or message.mos is None:
        raise ValueError("tokens, tick or minimum size is missing")
    return TradingRules(
        condition_id=read_condition_id(message.c),
        token_ids=tokens,
        accepting_orders=message.ao is True,
        tick_micro=read_tick(message.mts),
        minimum_size_micro=amount_from_wire(message.mos),
        fees=_fees(message.fd),
        negative_risk=message.nr is True,
        taker_delay_enabled=message.itode is True,
        seconds_delay=read_seconds(message.sd),
        game_start_ms=_game_start(message),
    )


def _game_start(message: RulesMessage) -> int:
    """When the book is cleared, in ms since 1970; 0 where no game starts, or its start leaves the book alone."""
    start = time_from_wire(message.gst)
    return 0 if start is None or message.cbos is False else max(round(start.timestamp() * 1000), 0)


def _sound(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """Decode an answer that is one object: broken JSON is the transport's fault, a wrong field is the object's own."""
    try:
        return decoder.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        raise
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedMessage(f"The answer is not complete JSON: {reason_of(error)}") from error


def _fees(message: RulesFeeMessage | None) -> FeeSchedule:
    if message is None:
        return NO_FEES
    return read_fees(FeeMessage(rate=message.r, exponent=message.e, taker_only=message.to))


def decode_price_history(body: bytes) -> Decoded[PricePoint]:
    """Return a token's price history, oldest first, one point a second. Raises MalformedMessage."""
    try:
        history = _history.decode(body).history or []
    except ITEM_ERRORS as error:
        raise MalformedMessage(f"The price history cannot be read: {reason_of(error)}") from error
    decoded: Decoded[PricePoint] = Decoded()
    points: dict[int, int] = {}
    for number, item in enumerate(history):
        try:
            point = _point.decode(item)
            price = price_from_wire(point.p)
            if price is None or not 0 <= point.t < TIME_S_MAX:
                raise ValueError("price is missing or time is not in seconds")
            points[point.t] = price
        except ITEM_ERRORS as error:
            decoded.skipped.append((f"point {number}", f"price: {reason_of(error)}"))
    decoded.items = [PricePoint(time_s, points[time_s]) for time_s in sorted(points)]
    return decoded


def decode_clob_market(body: bytes | msgspec.Raw) -> ClobMarketMessage:
    """Return the exchange's own record of a market. Raises MalformedMessage and ValueError like ``decode_rules``."""
    return _sound(_clob_market, body)


def decode_clob_markets(items: Iterable[msgspec.Raw]) -> Decoded[ClobMarketMessage]:
    """Return the market records of one page of the exchange's listing."""
    decoded: Decoded[ClobMarketMessage] = Decoded()
    for number, item in enumerate(items):
        try:
            decoded.items.append(_clob_market.decode(item))
        except ITEM_ERRORS as error:
            decoded.skipped.append((item_name(item, number), f"market: {reason_of(error)}"))
    return decoded


def payout_of_winner(market: ClobMarketMessage) -> Payout | None:
    """Return what a closed market with exactly one winner (or an even split) pays, as the exchange records it."""
    if market.closed is not True or len(market.tokens) != 2:
        return None
    token_ids = tuple(token.token_id for token in market.tokens)
    winners = tuple(token.winner is True for token in market.tokens)
    if market.is_50_50_outcome is True and not any(winners):
        return Payout(market.condition_id, token_ids, (MICRO // 2, MICRO // 2))
    if winners.count(True) != 1:
        return None
    return Payout(market.condition_id, token_ids, tuple(MICRO if winner else 0 for winner in winners))


def book_hash(message: BookMessage) -> str:
    """Return the venue's fingerprint of a book: SHA-1 over its compact JSON with an empty hash, in the venue's key order."""
    unsigned = msgspec.structs.replace(message, hash="")
    return hashlib.sha1(_encoder.encode(unsigned), usedforsecurity=False).hexdigest()


def book_message(book: OrderBook) -> BookMessage:
    """Return a book as the venue writes it, its hash included."""
    message = BookMessage(
        market=book.condition_id,
        asset_id=book.token_id,
        timestamp=str(book.time_ms),
        hash="",
        bids=[_level_message(level) for level in reversed(book.bids)],
        asks=[_level_message(level) for level in reversed(book.asks)],
        min_order_size=micro_to_text(book.minimum_size_micro),
        tick_size=micro_to_text(book.tick_micro),
        neg_risk=book.negative_risk,
        last_trade_price=last_trade_text(book.last_trade_micro),
    )
    message.hash = book_hash(message)
    return message


def _level_message(level: Level) -> LevelMessage:
    return LevelMessage(micro_to_text(level.price_micro), micro_to_text(level.size_micro))


def last_trade_text(price_micro: int | None) -> str:
    """Return a last trade price as the venue writes it: at least three decimals, "" when there was none."""
    if price_micro is None:
        return ""
    whole, fraction = divmod(price_micro, MICRO)
    return f"{whole}.{f'{fraction:06d}'.rstrip('0').ljust(3, '0')}"


def encode_book(book: OrderBook) -> bytes:
    """Return the body of ``GET /book``."""
    return _encoder.encode(book_message(book))


def encode_books(books: Iterable[OrderBook]) -> bytes:
    """Return the body of ``POST /books``."""
    return _encoder.encode([book_message(book) for book in books])


def encode_rules(rules: TradingRules, outcome_names: Sequence[str]) -> bytes:
    """Return the body of ``GET /clob-markets/{condition_id}``; what is false or zero is left out, as the venue does."""
    has_fees = rules.fees.rate_micro > 0
    base_fee = BASE_FEE_WITH_SCHEDULE if has_fees else 0
    fees = RulesFeeMessage(_number(rules.fees.rate_micro), rules.fees.exponent, rules.fees.taker_only)
    return _encoder.encode(
        RulesMessage(
            c=rules.condition_id,
            t=[RulesTokenMessage(*pair) for pair in zip(rules.token_ids, outcome_names, strict=True)],
            mts=_number(rules.tick_micro),
            mos=_number(rules.minimum_size_micro),
            mbf=base_fee,
            tbf=base_fee,
            ao=rules.accepting_orders,
            nr=rules.negative_risk or None,
            sd=rules.seconds_delay or None,
            itode=rules.taker_delay_enabled or None,
            gst=time_to_wire(rules.game_start_ms) if rules.game_start_ms else None,
            fd=fees if has_fees else None,
        )
    )


def encode_price_history(points: Iterable[PricePoint]) -> bytes:
    """Return the body of ``GET /prices-history``."""
    history = [{"t": point.time_s, "p": _number(point.price_micro)} for point in points]
    return _encoder.encode({"history": history})


def _number(micro: int) -> int | float:
    return micro // MICRO if micro % MICRO == 0 else micro / MICRO
