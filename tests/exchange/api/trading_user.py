"""A user of a practice exchange without sockets: logs in, and posts orders as this project's own signing makes them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from polymarket_kit.messages.orders import PostedOrder, encode_order
from polymarket_kit.model import OrderType, Side
from polymarket_kit.signing.auth import ApiCredentials, l1_headers, l2_headers
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import ContractOrder, SignatureType, contract_for, sign_order
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.venue.accounts import PracticeWallet
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .conftest import START
from .trading_venue import quiet_market, wallet_of_type

NOW_S = int(START.timestamp())
MACHINE_S = 1_900_000_000


class Venue:
    """An exchange without sockets, a wallet that has logged in, and orders as it would post them."""

    def __init__(self, wallet_type: str = "eoa") -> None:
        self.world = World(7, 60, START)
        self.machine_s = float(MACHINE_S)
        self.trading = TradingSide(self.world, lambda: self.world.now_ms, machine_s=lambda: self.machine_s)
        self.exchange = PracticeExchange(self.world, trading=self.trading)
        self.market = quiet_market(self.world)
        self.salt = 0
        self.log_in(wallet_of_type(self.trading, wallet_type))

    def log_in(self, wallet: PracticeWallet) -> None:
        self.wallet, self.key = wallet, SigningKey(wallet.private_key)
        status, made = self.send("POST", "/auth/api-key", headers=l1_headers(self.key, NOW_S, chain_id=137))
        assert status == 200
        self.credentials = ApiCredentials(made["apiKey"], made["secret"], made["passphrase"])

    def send(self, method: str, path: str, body: bytes = b"", query: str = "", **given: Any) -> tuple[int, Any]:
        headers = given.get("headers")
        if headers is None:
            headers = l2_headers(self.credentials, self.key.address, NOW_S, method, path, body)
        small = {name.lower(): value for name, value in headers.items()}
        answer = self.exchange.handle(method, f"/clob{path}", query, body, small)
        return answer.status, json.loads(answer.body)

    def order(
        self, price_cents: int = 2, size: int = 10, market: MarketState | None = None, **changes: Any
    ) -> PostedOrder:
        """A signed BUY that rests far below the market."""
        self.salt += 1
        market = market or self.market
        token_id = int(market.token_ids[0])
        kind = SignatureType(self.wallet.signature_type)
        signer = self.wallet.funder if kind is SignatureType.DEPOSIT_WALLET else self.wallet.address
        order = ContractOrder(
            self.salt,
            self.wallet.funder,
            signer,
            token_id,
            price_cents * size * 10_000,
            size * 1_000_000,
            Side.BUY,
            kind,
            NOW_S * 1000,
        )
        order = msgspec.structs.replace(order, **changes)
        signature = sign_order(order, contract_for(token_id, market.negative_risk), self.key)
        return PostedOrder(order, signature, self.credentials.key, OrderType.GTC, 0, False, False)

    def post(self, posted: PostedOrder) -> tuple[int, Any]:
        return self.send("POST", "/order", encode_order(posted))
