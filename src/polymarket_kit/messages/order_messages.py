"""The exchange's messages about orders, trades and accounts field by field, in the key order of the venue and its clients.

They are written and read alike: what a server may leave out has a default, and what only some send stays away when unset.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from polymarket_kit.model import OrderType, Side

T = TypeVar("T")
END_CURSOR = "LTE="
FIRST_CURSOR = "MA=="


class OrderMessage(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """The order inside ``POST /order``. The salt is a number in today's clients and a string in older documents.

    The last three fields are those of orders for the venue's first contracts, which a client of then still sends.
    """

    salt: int | str
    maker: str
    signer: str
    token_id: str
    maker_amount: str
    taker_amount: str
    side: Side
    expiration: str = "0"
    signature_type: int
    timestamp: str | UnsetType = UNSET
    metadata: str = ""
    builder: str = ""
    signature: str
    taker: str | UnsetType = UNSET
    nonce: str | int | UnsetType = UNSET
    fee_rate_bps: str | int | UnsetType = UNSET


class SendOrderMessage(msgspec.Struct, rename="camel", gc=False):
    """The body of ``POST /order``, and one element of ``POST /orders``. ``owner`` is the API key."""

    order: OrderMessage
    owner: str
    order_type: OrderType = OrderType.GTC
    defer_exec: bool = False
    post_only: bool = False


class SendOrderAnswer(msgspec.Struct, kw_only=True, gc=False):
    """What ``POST /order`` answers with status 200. Amounts are what matched at once, in dollars and shares, "" for nothing.

    Without its three required fields it is no answer: an order may be in the book although something else was said.
    """

    error_msg: str = msgspec.field(default="", name="errorMsg")
    order_id: str = msgspec.field(name="orderID")
    taking_amount: str = msgspec.field(default="", name="takingAmount")
    making_amount: str = msgspec.field(default="", name="makingAmount")
    status: str
    transactions_hashes: list[str] | None = msgspec.field(default_factory=list, name="transactionsHashes")
    trade_ids: list[str] | None = msgspec.field(default_factory=list, name="tradeIDs")
    success: bool

    @property
    def accepted(self) -> bool:
        """Whether the venue has the order: legs of a batch that failed say ``success`` as well, with a message and no id."""
        return self.success and not self.error_msg and bool(self.order_id)


class OpenOrderMessage(msgspec.Struct, gc=False):
    """One order of ``/data/order`` and ``/data/orders``. Sizes and price are decimals, times are whole seconds."""

    id: str
    status: str
    owner: str
    maker_address: str
    market: str
    asset_id: str
    side: Side
    original_size: str
    size_matched: str
    price: str
    outcome: str = ""
    expiration: str = "0"
    order_type: str = "GTC"
    associate_trades: list[str] | None = msgspec.field(default_factory=list)
    created_at: int | str = 0

    @property
    def plain_status(self) -> str:
        """The status without the prefix that the specification writes and the venue mostly does not."""
        return self.status.removeprefix("ORDER_STATUS_")


class MakerOrderMessage(msgspec.Struct, gc=False):
    """One resting order in a trade. Its asset may be the market's other token, its price then the complement."""

    order_id: str
    owner: str
    maker_address: str
    matched_amount: str
    price: str
    fee_rate_bps: str = "0"
    asset_id: str = ""
    outcome: str = ""
    outcome_index: int | UnsetType = UNSET
    side: Side | UnsetType = UNSET


class TradeMessage(msgspec.Struct, gc=False):
    """One trade of ``/data/trades``. Side, size, price and asset are the taker's, whoever asks; times are seconds as text."""

    id: str
    taker_order_id: str
    market: str
    asset_id: str
    side: Side
    size: str
    fee_rate_bps: str
    price: str
    status: str
    match_time: str
    last_update: str
    outcome: str = ""
    bucket_index: int = 0
    owner: str = ""
    maker_address: str = ""
    transaction_hash: str | None = ""
    maker_orders: list[MakerOrderMessage] = []
    trader_side: str = "TAKER"
    match_time_nano: str | UnsetType = UNSET
    err_msg: str | UnsetType | None = UNSET

    @property
    def plain_status(self) -> str:
        """The status without the prefix that REST writes and the stream does not."""
        return self.status.removeprefix("TRADE_STATUS_")


class PageMessage(msgspec.Struct, Generic[T]):
    """A page of orders or trades. Clients go on until the cursor is ``LTE=``, so a page always has one."""

    limit: int
    count: int
    next_cursor: str
    data: list[T]


class CancelAnswer(msgspec.Struct, gc=False):
    """What every form of cancel answers: ids that are cancelled, and why others are not."""

    canceled: list[str] | None
    not_canceled: dict[str, str] | None


class CancelOrderBody(msgspec.Struct, gc=False):
    """The body of ``DELETE /order``. That of ``DELETE /orders`` is a bare array of ids."""

    order_id: str = msgspec.field(name="orderID")


class CancelMarketBody(msgspec.Struct, omit_defaults=True, gc=False):
    """The body of ``DELETE /cancel-market-orders``; at least one of the two is given."""

    market: str = ""
    asset_id: str = ""


class BalanceAllowanceMessage(msgspec.Struct, gc=False):
    """Balance, and allowance by spender, in base units (micro) as text. An unlimited allowance is a number of 78 digits."""

    balance: str
    allowances: dict[str, str] = {}


class ErrorMessage(msgspec.Struct, omit_defaults=True, gc=False):
    """What comes with a status other than 200."""

    error: str
    code: str = ""
    retry_after_seconds: int = 0


class ApiKeyMessage(msgspec.Struct, rename="camel", gc=False):
    """What ``/auth/api-key`` and ``/auth/derive-api-key`` answer."""

    api_key: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return f"ApiKeyMessage({self.api_key})"


class ApiKeysMessage(msgspec.Struct, rename="camel", gc=False):
    api_keys: list[str]


class HeartbeatMessage(msgspec.Struct, gc=False):
    """Body and answer of ``/v1/heartbeats``; a refusal carries the id that was expected, under both names of its error."""

    heartbeat_id: str
    error_msg: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
