"""What the websockets need of the trading side: who acts there, how it is worded, and whose key is whose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from prescient.exchange.events import Event
from prescient.exchange.matching import Exchange
from prescient.exchange.orders import Order
from prescient.exchange.settlement import Trade
from prescient.surfaces.practice.state import MarketState
from prescient.wire.auth import ApiCredentials
from prescient.wire.order_messages import OpenOrderMessage, TradeMessage

# Every account that an owner's address may trade from.
WalletsOf = Callable[[str], tuple[str, ...]]


class TradingFloor(Protocol):
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
