"""The user channel: a socket authenticates with an API key and gets that key's orders and trades as they happen."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

import msgspec

from polymarket_kit.messages.order_messages import MakerOrderMessage, OpenOrderMessage, TradeMessage
from polymarket_kit.model import Side
from polymarket_kit.rejections import KILLED_FAK, KILLED_FOK
from practice_exchange.engine.events import Event, OrderEvent, TradeEvent
from practice_exchange.engine.orders import Order, OrderState
from practice_exchange.engine.settlement import Trade
from practice_exchange.streams.frames import INVALID_FRAME, size_text, text_frame
from practice_exchange.streams.requests import UNSUBSCRIBE, UserLogin, UserRequest
from practice_exchange.streams.socket import StreamSocket
from practice_exchange.venue.accounts import KeyRing, wallets_of
from practice_exchange.world.timestamps import SECOND_MS

_encode = msgspec.json.Encoder().encode
KILLED = frozenset((KILLED_FOK.text, KILLED_FAK.text))


class Wording(Protocol):
    """Orders and trades as the venue's messages."""

    def order(self, order: Order) -> OpenOrderMessage: ...

    def trade(self, trade: Trade, accounts: tuple[str, ...]) -> TradeMessage: ...

    def transaction_hash(self, number: int) -> str: ...


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


class UserChannel:
    """Sockets by account: a key reads everything that any wallet of its owner does, whichever key posted it (assumed)."""

    def __init__(self, keys: KeyRing, render: Wording) -> None:
        self._keys = keys
        self._render = render
        self._readers: dict[str, dict[StreamSocket, None]] = {}

    # What clients ask

    def log_in(self, socket: StreamSocket, request: UserRequest) -> bool:
        """Subscribe a socket with an API key; False when the key is unknown or its secrets are wrong."""
        if request.auth is None or not self._proves(request.auth):
            return False
        key = self._keys.find(request.auth.api_key)
        assert key is not None
        self.leave(socket)
        socket.accounts = wallets_of(key.address)
        socket.markets = _small(request.markets)
        for account_id in socket.accounts:
            self._readers.setdefault(account_id, {})[socket] = None
        return True

    def apply(self, socket: StreamSocket, request: UserRequest) -> None:
        """Change which markets a socket reads. With none left it reads all, as when it never named one."""
        if request.auth is not None:
            if not self.log_in(socket, request):
                self.refuse(socket)
        elif request.operation == UNSUBSCRIBE:
            socket.markets -= _small(request.markets)
        else:
            socket.markets |= _small(request.markets)

    def refuse(self, socket: StreamSocket) -> None:
        """Answer what cannot be understood."""
        socket.answer(INVALID_FRAME)

    def leave(self, socket: StreamSocket) -> None:
        """Forget a socket."""
        for account_id in socket.accounts:
            readers = self._readers.get(account_id, {})
            readers.pop(socket, None)
            if not readers:
                self._readers.pop(account_id, None)
        socket.accounts = ()

    # What happens

    def on_events(self, events: Sequence[Event]) -> None:
        """Send each account its own orders and trades."""
        if not self._readers:
            return
        for event in events:
            if isinstance(event, OrderEvent):
                self._tell_order(event)
            elif isinstance(event, TradeEvent):
                self._tell_trade(event)

    def _tell_order(self, event: OrderEvent) -> None:
        readers = self._interested((event.order.account_id,), event.order.condition_id)
        if readers:
            frame = order_frame(event, self._render)
            for socket in readers:
                socket.put(frame)

    def _tell_trade(self, event: TradeEvent) -> None:
        """The same trade looks different from both sides, so each owner's view is written apart."""
        trade = event.trade
        accounts = (trade.account_id, *(maker.account_id for maker in trade.makers))
        frames: dict[tuple[str, ...], bytes] = {}
        for socket in self._interested(accounts, trade.condition_id):
            frame = frames.get(socket.accounts)
            if frame is None:
                frame = frames[socket.accounts] = trade_frame(event, socket.accounts, self._render)
            socket.put(frame)

    def _interested(self, accounts: Iterable[str], condition_id: str) -> dict[StreamSocket, None]:
        """The sockets that read one of these accounts in this market, each once."""
        return {
            socket: None
            for account_id in accounts
            for socket in self._readers.get(account_id, ())
            if not socket.markets or condition_id.lower() in socket.markets
        }

    def _proves(self, login: UserLogin) -> bool:
        key = self._keys.find(login.api_key)
        if key is None:
            return False
        known, given = key.credentials, login
        secret = hmac.compare_digest(known.secret.encode(), given.secret.encode())
        return hmac.compare_digest(known.passphrase.encode(), given.passphrase.encode()) and secret


def _small(markets: Iterable[str] | None) -> set[str]:
    return {condition_id.lower() for condition_id in markets or ()}
