"""Account notifications: orders cancelled or filled, and markets resolved."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec

from polymarket_kit.model import Side
from polymarket_kit.values import micro_to_text
from practice_exchange.engine.events import Event, MarketChanged, MarketStage, OrderChange, OrderEvent, TradeEvent
from practice_exchange.engine.orders import Order, OrderState
from practice_exchange.engine.settlement import Trade, TradeStatus
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import SECOND_MS

# The venue's numbers for the kinds that happen here; the last is in its SDK but not in its specification.
ORDER_CANCELLATION, ORDER_FILL, MARKET_RESOLVED, ORDER_FILL_FAILED = 1, 2, 4, 8
# Unread ones of one account; older ones are dropped (assumed).
KEPT_MAX = 1_000


class StoredNotification(msgspec.Struct, array_like=True):
    """One notification, as it was when it came to be. ``trade_id`` is 0 without a trade, ``market`` JSON of a resolved one."""

    number: int
    kind: int
    time_s: int
    owner: str
    condition_id: str
    order_id: str = ""
    token_id: str = ""
    side: str = ""
    order_type: str = ""
    price_micro: int = 0
    size_micro: int = 0
    matched_micro: int = 0
    trade_id: int = 0
    market: str = ""


class OrderPayload(msgspec.Struct):
    """What happened to an order; the market's fields are for people."""

    asset_id: str
    market: str
    order_id: str
    side: str
    type: str
    price: str
    original_size: str
    matched_size: str
    remaining_size: str
    outcome: str
    outcome_index: int
    transaction_hash: str
    trade_id: str
    question: str
    market_slug: str
    icon: str = ""
    image: str = ""
    eventSlug: str = ""
    seriesSlug: str = ""


class Notification(msgspec.Struct):
    """A notification on the wire. ``owner`` is the order's API key, empty where there is no order."""

    id: int
    owner: str
    type: int
    payload: OrderPayload | msgspec.Raw
    timestamp: int


class Notifications:
    """Listens to the engine and stores what each account has not yet read.

    ``market_json`` writes a market as ``/markets/{condition_id}`` does; ``trade_id`` and ``transaction_hash`` write a
    trade's two names.
    """

    def __init__(
        self,
        venue_engine: VenueEngine,
        market_json: Callable[[MarketState], bytes],
        trade_id: Callable[[int], str],
        transaction_hash: Callable[[int], str],
    ) -> None:
        self._venue_engine = venue_engine
        self._market_json = market_json
        self._trade_id = trade_id
        self._transaction_hash = transaction_hash
        self._world = (venue_engine.house, venue_engine.crowd)
        self._count = 0
        self._unread: dict[str, deque[StoredNotification]] = {}
        venue_engine.listeners.append(self.on_events)

    def on_events(self, events: Sequence[Event]) -> None:
        """Store notifications of what concerns users' accounts."""
        for event in events:
            if isinstance(event, OrderEvent):
                if event.change is OrderChange.CANCELLATION and event.order.account_id not in self._world:
                    self._note_cancellation(event)
            elif isinstance(event, TradeEvent):
                if event.status is TradeStatus.MATCHED or event.status is TradeStatus.FAILED:
                    kind = ORDER_FILL if event.status is TradeStatus.MATCHED else ORDER_FILL_FAILED
                    self._note_trade(event.trade, kind, event.time_ms)
            elif isinstance(event, MarketChanged) and event.stage is MarketStage.RESOLVED:
                self._on_resolution(event)

    def unread(self, account_id: str) -> list[Notification]:
        """What an account has not read, oldest first."""
        return [self._written(stored) for stored in self._unread.get(account_id, ())]

    def drop(self, account_ids: Iterable[str], numbers: Iterable[int]) -> None:
        """Count these as read, as far as they are these accounts'."""
        read = frozenset(numbers)
        for account_id in account_ids:
            kept = self._unread.get(account_id)
            if kept is not None:
                self._unread[account_id] = deque((stored for stored in kept if stored.number not in read), KEPT_MAX)

    # Noting

    def _add(self, account_id: str, stored: StoredNotification) -> None:
        kept = self._unread.get(account_id)
        if kept is None:
            kept = self._unread[account_id] = deque(maxlen=KEPT_MAX)
        kept.append(stored)

    def _note_cancellation(self, event: OrderEvent) -> None:
        if event.status is not OrderState.MATCHED:
            stored = self._of_order(ORDER_CANCELLATION, event.order, event.matched_micro, event.time_ms)
            self._add(event.order.account_id, stored)

    def _note_trade(self, trade: Trade, kind: int, time_ms: int) -> None:
        """Notify each user in a trade of their own order."""
        for order_id in dict.fromkeys((trade.taker_order_id, *(maker.order_id for maker in trade.makers))):
            order = self._venue_engine.engine.order(order_id)
            if order is not None and order.account_id not in self._world:
                stored = self._of_order(kind, order, order.matched_micro, time_ms, trade.trade_id)
                self._add(order.account_id, stored)

    def _on_resolution(self, event: MarketChanged) -> None:
        """Notify every holder of either outcome."""
        market = self._venue_engine.market_of(event.condition_id)
        text = ""
        for account in self._venue_engine.engine.accounts():
            held = (account.shares.get(token_id) for token_id in market.token_ids)
            if account.account_id in self._world or not any(each is not None and each.balance_micro for each in held):
                continue
            text = text or self._market_json(market).decode()
            self._count += 1
            moment_s = event.time_ms // SECOND_MS
            self._add(
                account.account_id,
                StoredNotification(self._count, MARKET_RESOLVED, moment_s, "", event.condition_id, market=text),
            )

    def _of_order(
        self, kind: int, order: Order, matched_micro: int, time_ms: int, trade_id: int = 0
    ) -> StoredNotification:
        self._count += 1
        return StoredNotification(
            self._count,
            kind,
            time_ms // SECOND_MS,
            order.owner,
            order.condition_id,
            order.order_id,
            order.token_id,
            "BUY" if order.side is Side.BUY else "SELL",
            order.order_type.value,
            order.price_micro,
            max(order.size_micro, matched_micro),
            matched_micro,
            trade_id,
        )

    # Writing

    def _written(self, stored: StoredNotification) -> Notification:
        payload: OrderPayload | msgspec.Raw = (
            msgspec.Raw(stored.market.encode()) if stored.market else self._payload(stored)
        )
        return Notification(stored.number, stored.owner, stored.kind, payload, stored.time_s)

    def _payload(self, stored: StoredNotification) -> OrderPayload:
        market = self._venue_engine.market_of(stored.condition_id)
        index = market.token_ids.index(stored.token_id)
        return OrderPayload(
            asset_id=stored.token_id,
            market=stored.condition_id,
            order_id=stored.order_id,
            side=stored.side,
            type=stored.order_type,
            price=micro_to_text(stored.price_micro),
            original_size=micro_to_text(stored.size_micro),
            matched_size=micro_to_text(stored.matched_micro),
            remaining_size=micro_to_text(stored.size_micro - stored.matched_micro),
            outcome=market.outcomes[index],
            outcome_index=index,
            transaction_hash=self._transaction_hash(stored.trade_id) if stored.trade_id else "",
            trade_id=self._trade_id(stored.trade_id) if stored.trade_id else "",
            question=market.question,
            market_slug=market.slug,
        )

    # What a checkpoint keeps

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode((self._count, {name: list(notes) for name, notes in self._unread.items()}))

    def load_state(self, kept: bytes) -> None:
        """Raises msgspec.MsgspecError for what it did not write itself."""
        self._count, unread = msgspec.msgpack.decode(kept, type=tuple[int, dict[str, list[StoredNotification]]])
        self._unread = {name: deque(notes, KEPT_MAX) for name, notes in unread.items()}
