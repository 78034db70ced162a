"""Every refusal of an order, a cancel or a log-in that the venue documents, as one table: how to earn it, and its text.

``{id}`` in a text stands for the hash of the order that was posted, ``{address}`` for the address that pays, ``{n}`` for any
amount; all else is word for word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from polymarket_kit.messages.orders import PostedOrder, encode_order, encode_orders
from polymarket_kit.model import OrderType, Side
from polymarket_kit.signing.auth import ApiCredentials, l1_headers, l2_headers
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import OUTCOME_EXCHANGE, contract_for, order_id, sign_order
from practice_exchange.engine.orders import Mode, Restriction
from practice_exchange.venue.accounts import PracticeWallet

from .trading_http import Heard, HttpUser, hear
from .trading_user import NOW_S
from .trading_venue import wallet_of_type

Change = Callable[[PostedOrder], PostedOrder]
Deed = Callable[[HttpUser], Heard]
CODES = "error codes"
FIELD = "field report"
L1, L2 = "Invalid L1 Request headers", "Unauthorized/Invalid api key"
PAYLOAD, SIGNATURE = "Invalid order payload", "invalid signature"
SIGNER = "the order signer address has to be the address of the API KEY"
DEPOSIT = "maker address not allowed, please use the deposit wallet flow"
FUNDS = "not enough balance / allowance: the balance is not enough -> balance: {n}, "
ALLOWANCE = "not enough balance / allowance: the allowance is not enough -> allowance: {n}, order amount: {n}"
PRECISION = "orders maker amount supports a max accuracy of {} decimals, taker amount a max of {} decimals"
NO_BOOK = "No orderbook exists for the requested token id"
REGION = "Trading restricted in your region, please refer to available regions - https://docs.polymarket.com/developers/geoblock"
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
STRANGER = SigningKey("11" * 32)


class Case(NamedTuple):
    """What to do, and what the venue says to it."""

    name: str
    rule: str
    text: str
    deed: Deed
    status: int = 400
    area: str = "Rejections"
    evidence: str = "specification"
    source: str = CODES


def posted_as(user: HttpUser, posted: PostedOrder) -> Heard:
    """Post an order and put ``{id}`` in place of its hash, so that the answer can be compared with the table's text."""
    heard = user.hear("POST", "/order", encode_order(posted))
    mine = order_id(posted.order, contract_for(posted.order.token_id, user.market.negative_risk))
    return heard._replace(content=heard.content.replace(mine.encode(), b"{id}"))


def post(change: Change = lambda posted: posted, **order: Any) -> Deed:
    """Post a BUY of 10 at 2 cents, made differently by ``order``, changed after it was signed by ``change``."""
    return lambda user: posted_as(user, change(user.order(**order)))


def unsigned(**fields: Any) -> Change:
    """Change what is not under the signature: owner, order type, expiration, post-only."""
    return lambda posted: msgspec.structs.replace(posted, **fields)


def forged(**fields: Any) -> Change:
    """Change what is under the signature, and leave the signature."""
    return lambda posted: msgspec.structs.replace(posted, order=msgspec.structs.replace(posted.order, **fields))


def ask_cents(user: HttpUser) -> int:
    return user.market.book.best_ask_micro // 10_000


def crossing(change: Change = lambda posted: posted, size: int = 10) -> Deed:
    """Post a BUY at the best ask."""
    return lambda user: posted_as(user, change(user.order(price_cents=ask_cents(user), size=size)))


def body(method: str, path: str, content: bytes = b"", query: str = "") -> Deed:
    return lambda user: user.hear(method, path, content or None, query)


def restricted(restriction: Restriction) -> Deed:
    def deed(user: HttpUser) -> Heard:
        user.trading.venue_engine.engine.account(user.wallet.funder).restriction = restriction
        return posted_as(user, user.order())

    return deed


def in_mode(mode: Mode, then: Deed) -> Deed:
    def deed(user: HttpUser) -> Heard:
        now_ms = user.trading.venue_engine.now_ms
        user.trading.venue_engine.engine.set_mode(mode, now_ms, now_ms + 79_000 if mode is Mode.POST_ONLY else 0)
        return then(user)

    return deed


def with_allowance(asset: str, micro: int, then: Deed) -> Deed:
    def deed(user: HttpUser) -> Heard:
        named = user.market.token_ids[0] if asset == "token" else asset
        user.trading.venue_engine.engine.approve(user.wallet.funder, named, micro, user.trading.venue_engine.now_ms)
        return then(user)

    return deed


def twice(user: HttpUser) -> Heard:
    posted = user.order()
    assert user.post(posted)[0] == 200
    return posted_as(user, posted)


def other_protocol(user: HttpUser) -> Heard:
    """Sign for the exchange of the venue's next protocol."""
    posted = user.order()
    return posted_as(
        user, msgspec.structs.replace(posted, signature=sign_order(posted.order, OUTCOME_EXCHANGE, user.key))
    )


def first_version(user: HttpUser) -> Heard:
    """Post as clients for the venue's first contracts do: with nonce, taker and fee rate, and no timestamp."""
    message = json.loads(encode_order(user.order()))
    for name in ("timestamp", "metadata", "builder"):
        del message["order"][name]
    message["order"] |= {"nonce": "0", "feeRateBps": "0", "taker": "0x" + "0" * 40}
    return user.hear("POST", "/order", json.dumps(message).encode())


def from_fresh_wallet(user: HttpUser) -> Heard:
    key = SigningKey("22" * 32)
    user.log_in(PracticeWallet("22" * 32, key.address, key.address, "eoa", 0))
    return posted_as(user, user.order())


def market_order(kind: OrderType, made: int, taken: int, side: Side = Side.BUY) -> Deed:
    return post(unsigned(order_type=kind), maker_amount_micro=made, taker_amount_micro=taken, side=side)


def batch(count: int) -> Deed:
    return lambda user: user.hear("POST", "/orders", encode_orders([user.order() for _ in range(count)]))


def on_market(pick: Callable[[HttpUser], Any]) -> Deed:
    def deed(user: HttpUser) -> Heard:
        market = pick(user)
        return user.hear("POST", "/order", encode_order(user.order(market=market)))

    return deed


def closed_market(user: HttpUser) -> Any:
    market = [each for each in user.world.register.markets.values() if each is not user.market][-1]
    market.closed = True
    user.world.revision += 1
    return market


def suspended_market(user: HttpUser) -> Any:
    """Let the market's makers stop taking orders; the fixture lets them go on again."""
    user.market.accepting_orders = False
    user.world.revision += 1
    return user.market


def signed_l2(method: str, path: str, seconds: int = NOW_S, **parts: str) -> Deed:
    """Ask for the open orders with a log-in that was made for something else, or is changed in ``parts``."""

    def deed(user: HttpUser) -> Heard:
        headers = l2_headers(user.credentials, user.key.address, seconds, method, path)
        return user.hear("GET", "/data/orders", headers={**headers, **parts})

    return deed


def signed_l1(seconds: int = NOW_S, method: str = "POST", nonce: int = 77, **parts: str) -> Deed:
    def deed(user: HttpUser) -> Heard:
        path = "/auth/api-key" if method == "POST" else "/auth/derive-api-key"
        return user.hear(method, path, headers={**l1_headers(user.key, seconds, nonce, chain_id=137), **parts})

    return deed


def stolen_key(user: HttpUser) -> Heard:
    """Use one wallet's API key under another wallet's address."""
    headers = l2_headers(user.credentials, STRANGER.address, NOW_S, "GET", "/data/orders")
    return user.hear("GET", "/data/orders", headers=headers)


def wrong_secret(user: HttpUser) -> Heard:
    wrong = ApiCredentials(user.credentials.key, "A" * 43 + "=", user.credentials.passphrase)
    headers = l2_headers(wrong, user.key.address, NOW_S, "GET", "/data/orders")
    return user.hear("GET", "/data/orders", headers=headers)


def replayed(user: HttpUser) -> Heard:
    """Send the log-in of one order with the body of another."""
    headers = l2_headers(user.credentials, user.key.address, NOW_S, "POST", "/order", encode_order(user.order()))
    return user.hear("POST", "/order", encode_order(user.order()), headers=headers)


def others_wallet(user: HttpUser) -> Heard:
    return posted_as(user, forged(maker=wallet_of_type(user.trading, "safe").funder)(user.order()))


def spoilt(kind: str, text: str = "") -> Deed:
    """Ask the exchange for a fault, and post an order into it."""

    def deed(user: HttpUser) -> Heard:
        fault = {"path": "/clob/order", "kind": kind, "count": 1} | ({"text": text} if text else {})
        assert hear(user.server, "POST", "/practice/faults", json.dumps(fault).encode()).status == 201
        return posted_as(user, user.order())

    return deed


def with_promises(user: HttpUser) -> Heard:
    """Ask for more than is left beside one resting order and one match that is not yet settled."""
    assert user.post(user.order(size=100))[1]["status"] == "live"
    assert user.post(user.order(price_cents=ask_cents(user)))[1]["status"] == "matched"
    return posted_as(user, user.order(size=1_000_000))
