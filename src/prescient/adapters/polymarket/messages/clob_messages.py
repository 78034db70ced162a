"""The exchange's public messages (CLOB REST) field by field, in the venue's key order where its book hash needs that."""

from __future__ import annotations

import msgspec

from prescient.adapters.polymarket.messages.gamma_messages import Flag, Number, Text


class LevelMessage(msgspec.Struct, gc=False):
    price: str
    size: str


class BookMessage(msgspec.Struct, gc=False):
    """One outcome's book: bids ascending and asks descending, so that the best level of each is the last.

    The order of the fields is the order that the book's hash is taken in.
    """

    market: str
    asset_id: str
    timestamp: str
    hash: str
    bids: list[LevelMessage]
    asks: list[LevelMessage]
    min_order_size: str
    tick_size: str
    neg_risk: bool
    last_trade_price: str


class RulesTokenMessage(msgspec.Struct, gc=False):
    t: str
    o: str = ""


class RulesFeeMessage(msgspec.Struct, omit_defaults=True, gc=False):
    """``fd``: rate, exponent, takers only."""

    r: Number = None
    e: Number = None
    to: Flag = None


class RulesMessage(msgspec.Struct, omit_defaults=True, gc=False):
    """``/clob-markets``: condition, tokens, tick, minimum size, base fees, accepting, negative risk, delays, game start, fees."""

    c: str = ""
    t: list[RulesTokenMessage | None] = []
    mts: Number = None
    mos: Number = None
    mbf: Number = None
    tbf: Number = None
    ao: Flag = None
    nr: Flag = None
    sd: Number = None
    itode: Flag = None
    gst: Text = None
    cbos: Flag = None
    fd: RulesFeeMessage | None = None


class HistoryMessage(msgspec.Struct, gc=False):
    """``/prices-history``: points stay raw, so that a bad one costs itself alone."""

    history: list[msgspec.Raw] | None = None


class PointMessage(msgspec.Struct, gc=False):
    t: int
    p: Number


class ClobTokenMessage(msgspec.Struct, gc=False):
    token_id: str
    outcome: Text = None
    price: Number = None
    winner: Flag = None


class ClobMarketMessage(msgspec.Struct, gc=False):
    """One object of the exchange's own ``/markets``; here it is the second witness of a result."""

    condition_id: str
    tokens: list[ClobTokenMessage]
    closed: Flag = None
    active: Flag = None
    accepting_orders: Flag = None
    enable_order_book: Flag = None
    is_50_50_outcome: Flag = None
