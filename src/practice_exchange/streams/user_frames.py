"""Orders and trades as messages of the user channel: as over REST, with the kind of event and its time."""

from __future__ import annotations

from typing import Literal

import msgspec

from polymarket_kit.messages.order_messages import MakerOrderMessage, TradeMessage
from polymarket_kit.model import Side
from polymarket_kit.rejections import KILLED_FAK, KILLED_FOK
from practice_exchange.engine.events import OrderEvent, TradeEvent
from practice_exchange.engine.orders import OrderState
from practice_exchange.streams.frames import size_text, text_frame
from practice_exchange.streams.interfaces import Wording
from practice_exchange.world.timestamps import SECOND_MS

_encode = msgspec.json.Encoder().encode
KILLED = frozenset((KILLED_FOK.text, KILLED_FAK.text))


class OrderFrame(msgspec.Struct, kw_only=True, gc=False):
    """An order was placed, changed or ended. ``timestamp`` is in ms, ``created_at`` and ``expiration`` in seconds."""

    event_type: Literal["order"] = "order"
    id: str
    owner: str
    market: str
    asset_id: str
    side: Side
    order_owner: str
    original_size: str
    size_matched: str
    price: str
    associate_trades: list[str] | None
    outcome: str
    type: str
    created_at: str
    expiration: str
    order_type: str
    status: str
    maker_address: str
    timestamp: str


class TradeFrame(msgspec.Struct, kw_only=True, gc=False):
    """A trade came to be or moved on. Side, size, price and asset are the taker's, whoever reads it."""

    event_type: Literal["trade"] = "trade"
    type: Literal["TRADE"] = "TRADE"
    id: str
    taker_order_id: str
    market: str
    asset_id: str
    side: Side
    size: str
    price: str
    fee_rate_bps: str
    status: str
    match_time: str
    last_update: str
    outcome: str
    owner: str
    trade_owner: str
    maker_address: str
    transaction_hash: str | None
    bucket_index: int
    maker_orders: list[MakerOrderMessage]
    trader_side: str
    timestamp: str


# What a trade's frame has from the message over REST.
SHARED = tuple(name for name in TradeFrame.__struct_fields__ if name in TradeMessage.__struct_fields__)


def order_frame(event: OrderEvent, render: Wording) -> bytes:
    """``status`` is one of the venue's words, or CANCELED_ and the reason in free text.

    A market order that was killed never was in the book: how much matched, when it was made and its outcome are empty.
    """
    order, killed = event.order, event.reason in KILLED
    message = render.order(order)
    status = event.status.value
    if event.status is OrderState.CANCELED and event.reason:
        status = f"{status}_{event.reason}"
    frame = OrderFrame(
        id=order.order_id,
        owner=order.owner,
        market=order.condition_id,
        asset_id=order.token_id,
        side=order.side,
        order_owner=order.owner,
        original_size=message.original_size,
        size_matched="" if killed else size_text(event.matched_micro),
        price=message.price,
        associate_trades=message.associate_trades or None,
        outcome="" if killed else message.outcome,
        type=event.change.value,
        created_at="" if killed else str(order.created_ms // SECOND_MS),
        expiration=message.expiration,
        order_type=message.order_type,
        status=status,
        maker_address=order.account_id,
        timestamp=str(event.time_ms),
    )
    return text_frame(_encode(frame))


def trade_frame(event: TradeEvent, accounts: tuple[str, ...], render: Wording) -> bytes:
    """A trade as the owner of these accounts sees it, in the state that this event tells of."""
    message = render.trade(event.trade, accounts)
    frame = TradeFrame(
        **{name: getattr(message, name) for name in SHARED}
        | {"status": event.status.value, "last_update": str(event.time_ms // SECOND_MS)},
        trade_owner=message.owner,
        timestamp=str(event.time_ms),
    )
    return text_frame(_encode(frame))
