"""What the websockets need of the trading side: the engine's events, rendered messages, and API keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from polymarket_kit.messages.order_messages import OpenOrderMessage, TradeMessage
from polymarket_kit.signing.auth import ApiCredentials
from practice_exchange.engine.events import Event
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import Order
from practice_exchange.engine.settlement import Trade
from practice_exchange.world.state import MarketState

# Every account that an owner's address may trade from.
WalletsOf = Callable[[str], tuple[str, ...]]


class VenueEngine(Protocol):
    """The engine with the world's markets in it, which tells what happens there."""

    engine: Exchange
    listeners: list[Callable[[Sequence[Event]], None]]
    watchers: list[Callable[[], None]]

    def enter(self, market: MarketState) -> None: ...


class Wording(Protocol):
    """Orders and trades as the venue's messages."""

    def order(self, order: Order) -> OpenOrderMessage: ...

    def trade(self, trade: Trade, accounts: tuple[str, ...]) -> TradeMessage: ...

    def transaction_hash(self, number: int) -> str: ...


class Key(Protocol):
    """An API key and the address that it belongs to."""

    @property
    def address(self) -> str: ...

    @property
    def credentials(self) -> ApiCredentials: ...


class Keys(Protocol):
    """The API keys that were made."""

    def find(self, key_id: str) -> Key | None: ...
