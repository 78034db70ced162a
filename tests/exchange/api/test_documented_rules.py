"""Rules that the venue documents beside its refusals: what is signed, what an answer says, how a trade reads for each party."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from polymarket_kit.model import OrderType
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import contract_for, order_id
from practice_exchange.venue.accounts import PracticeWallet

from .trading_user import NOW_S, Venue
from .trading_venue import wallet_of_type

UNLIMITED = str(2**256 - 1)


def second_user(venue: Venue) -> Venue:
    """Somebody else on the same exchange, who trades from an address of their own."""
    other = Venue.__new__(Venue)
    other.__dict__ |= venue.__dict__
    key = SigningKey("44" * 32)
    other.trading.fund(key.address, 1_000_000_000)
    other.salt = 1_000
    other.log_in(PracticeWallet("44" * 32, key.address, key.address, "eoa", 0))
    return other


@pytest.mark.fidelity(
    "Order type, expiration and post-only are not signed: the id is the same with each",
    area="Signatures",
    evidence="specification",
    source="POST /order",
)
@pytest.mark.parametrize("order_type", [OrderType.GTC, OrderType.GTD])
def test_what_is_not_signed_does_not_change_the_id(order_type: OrderType) -> None:
    venue = Venue()
    signed = venue.order()
    expiration_s = NOW_S + 600 if order_type is OrderType.GTD else 0
    posted = msgspec.structs.replace(signed, order_type=order_type, expiration_s=expiration_s, post_only=True)
    status, answer = venue.post(posted)
    assert (status, answer["status"]) == (200, "live")
    assert answer["orderID"] == order_id(signed.order, contract_for(signed.order.token_id, False))


@pytest.mark.fidelity(
    "An order that matched can still be read, with `status: MATCHED`; one that was cancelled cannot",
    area="Account",
    evidence="field report",
    source="py-clob-client-v2 issue 34",
)
def test_a_matched_order_can_still_be_read() -> None:
    venue = Venue()
    _, matched = venue.post(venue.order(price_cents=venue.market.book.best_ask_micro // 10_000))
    _, resting = venue.post(venue.order())
    assert venue.send("GET", f"/data/order/{matched['orderID']}")[1]["status"] == "MATCHED"
    assert venue.send("GET", f"/data/order/{resting['orderID']}")[1]["status"] == "LIVE"
    venue.send("DELETE", "/cancel-all")
    assert venue.send("GET", f"/data/order/{resting['orderID']}") == (404, {"error": "Order not found"})


@pytest.mark.fidelity(
    "Balances and allowances are base units as text; allowances stand by spender, one for each exchange contract",
    area="Account",
    evidence="specification",
    source="clob-openapi, balance-allowance",
)
def test_balances_are_base_units_by_spender() -> None:
    _, told = Venue().send("GET", "/balance-allowance", query="asset_type=COLLATERAL&signature_type=0")
    assert told["balance"] == "10000000000"
    assert len(told["allowances"]) == 3 and set(told["allowances"].values()) == {UNLIMITED}


@pytest.mark.fidelity(
    "A match that leaves a rest answers `matched` with what matched, in decimals; the rest is in the book",
    area="Orders",
    evidence="field report",
    source="SendOrderResponse as the SDK reads it",
)
def test_a_partial_match_answers_with_its_part() -> None:
    venue = Venue()
    book = venue.market.book
    ask, there = book.best_ask_micro, book.ask_sizes[-1]
    size = there // 1_000_000 + 30
    status, answer = venue.post(venue.order(price_cents=ask // 10_000, size=size))
    assert (status, answer["status"]) == (200, "matched")
    assert Decimal(answer["takingAmount"]) * 1_000_000 == there
    assert Decimal(answer["makingAmount"]) == Decimal(there) * ask / 10**12
    (rest,) = venue.send("GET", "/data/orders")[1]["data"]
    assert rest["id"] == answer["orderID"]
    assert Decimal(rest["size_matched"]) * 1_000_000 == there
    assert venue.market.book.best_bid_micro == ask


@pytest.mark.fidelity(
    "A trade is told in the taker's token, side and price; a maker met by minting stands in it with the other token",
    area="Account",
    evidence="recording",
    source="user trades of the venue in other projects' tests",
)
def test_a_minted_trade_reads_for_both_parties() -> None:
    maker = Venue()
    cents = maker.market.book.best_bid_micro // 10_000 + 1
    _, resting = maker.post(maker.order(price_cents=cents, size=20))
    taker = second_user(maker)
    second = int(maker.market.token_ids[1])
    posted = taker.order(price_cents=100 - cents, size=8, token_id=second)
    _, answer = taker.post(posted)
    assert answer["status"] == "matched"
    for user, side in ((taker, "TAKER"), (maker, "MAKER")):
        (trade,) = user.send("GET", "/data/trades", query=f"id={answer['tradeIDs'][0]}")[1]["data"]
        assert (trade["asset_id"], trade["side"], trade["size"]) == (str(second), "BUY", "8")
        assert Decimal(trade["price"]) == Decimal(100 - cents) / 100 and trade["trader_side"] == side
        (part,) = [each for each in trade["maker_orders"] if each["order_id"] == resting["orderID"]]
        assert (part["asset_id"], Decimal(part["price"])) == (maker.market.token_ids[0], Decimal(cents) / 100)
        assert (part["matched_amount"], part["side"], part["owner"]) == ("8", "BUY", maker.credentials.key)
        assert trade["status"] == "TRADE_STATUS_MATCHED" and trade["match_time"].isdigit()


@pytest.mark.fidelity(
    "The log-in names the key's own address, never the wallet that pays",
    area="Log-in",
    evidence="specification",
    source="authentication",
)
def test_the_log_in_is_the_keys_and_not_the_wallets() -> None:
    venue = Venue()
    wallet = wallet_of_type(venue.trading, "deposit_wallet")
    venue.log_in(wallet)
    assert wallet.funder != wallet.address
    assert venue.post(venue.order())[1]["status"] == "live"
    status, orders = venue.send("GET", "/data/orders")
    assert status == 200 and [order["maker_address"] for order in orders["data"]] == [wallet.funder]


@pytest.mark.fidelity(
    "Whether one's region may trade can be asked at `/api/geoblock`",
    area="Limits and modes",
    evidence="specification",
    source="geographic restrictions",
    seam="not there: nobody is refused for a region unless that fault is asked for",
)
def test_nobody_is_asked_for_a_region() -> None:
    venue = Venue()
    for area in ("/api/geoblock", "/clob/api/geoblock"):
        assert venue.exchange.handle("GET", area).status == 404
    assert venue.post(venue.order())[0] == 200
