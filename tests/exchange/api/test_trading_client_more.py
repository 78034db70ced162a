"""The rest of the official order-book client: every kind of order, its known rounding bugs, its retries, its odd calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    MarketOrderArgsV2,
    OrderArgsV2,
    OrderType,
    PartialCreateOrderOptions,
    PostOrdersV2Args,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException, PolyException
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2, Side

from polymarket_kit.signing.order_signing import contract_for
from practice_exchange.app.server import PracticeServer
from practice_exchange.engine.orders import Mode, OrderState
from practice_exchange.faults.kinds import Fault
from practice_exchange.world.state import MarketState

from .trading_http import funded_wallet, serve_in_thread
from .trading_venue import quiet_market, trading_of

CLIENT = "py-clob-client-v2 1.2.1"
_names = count()


@pytest.fixture(scope="module")
def server() -> Iterator[PracticeServer]:
    with serve_in_thread(300) as served:
        yield served


@pytest.fixture
def client(server: PracticeServer) -> ClobClient:
    return new_client(server)


def new_client(server: PracticeServer, micro: int = 10_000_000_000, **more: object) -> ClobClient:
    """The client as its own manual makes it, for a fresh wallet of its own."""
    wallet = funded_wallet(server, f"client {next(_names)}", micro)
    client = ClobClient(server.clob_url, 137, key=wallet.private_key, **more)
    client.set_api_creds(client.create_or_derive_api_key())
    return client


@pytest.fixture(scope="module")
def market(server: PracticeServer) -> MarketState:
    return quiet_market(server.world)


@pytest.fixture(scope="module")
def fine_market(server: PracticeServer) -> MarketState:
    """A market with a tick of a tenth of a cent and a deep book."""
    return next(
        market
        for market in server.world.register.markets.values()
        if market.trading
        and market.tick_micro == 1_000
        and not market.seconds_delay
        and not market.taker_delay
        and market.book.ask_prices
        and market.book.bid_prices
        and 100_000 < market.book.best_ask_micro < 985_000
    )


def buy(market: MarketState, cents: float, size: float = 10, **more: object) -> OrderArgsV2:
    return OrderArgsV2(token_id=market.token_ids[0], price=cents / 100, size=size, side="BUY", **more)


def ask_of(market: MarketState) -> float:
    return market.book.best_ask_micro / 1_000_000


@pytest.mark.fidelity(
    "GTD rests until it is cancelled or expires; its expiration is told as it was sent",
    area="Orders",
    evidence="official client",
    source=CLIENT,
)
def test_gtd_is_taken_and_told_with_its_expiration(
    client: ClobClient, market: MarketState, server: PracticeServer
) -> None:
    expiration = server.world.now_ms // 1000 + 600
    placed = client.create_and_post_order(buy(market, 2, expiration=expiration), order_type=OrderType.GTD)
    order = client.get_order(placed["orderID"])
    assert (order["order_type"], order["expiration"], order["status"]) == ("GTD", str(expiration), "LIVE")
    with pytest.raises(PolyApiException, match="invalid expiration"):
        client.create_and_post_order(buy(market, 2, expiration=expiration - 500), order_type=OrderType.GTD)


@pytest.mark.fidelity(
    "FOK and FAK limit orders take what rests; a post-only order never takes",
    area="Orders",
    evidence="official client",
    source=CLIENT,
)
def test_every_order_type_goes_through_the_client(client: ClobClient, market: MarketState) -> None:
    ask = ask_of(market)
    for kind in (OrderType.FOK, OrderType.FAK):
        placed = client.create_and_post_order(buy(market, ask * 100, size=5), order_type=kind)
        assert placed["status"] == "matched"
        assert Decimal(placed["takingAmount"]) == 5
        with pytest.raises(PolyApiException, match=r"fully filled or killed|killed if no match is found"):
            client.create_and_post_order(buy(market, 2), order_type=kind)
    with pytest.raises(PolyApiException, match="invalid post-only order: order crosses book"):
        client.create_and_post_order(buy(market, ask_of(market) * 100), post_only=True)
    assert client.create_and_post_order(buy(market, 2), post_only=True)["status"] == "live"
    signed = client.create_order(buy(market, 3))
    answer = client.post_orders([PostOrdersV2Args(order=signed, orderType=OrderType.GTC)], post_only=True)
    assert [each["status"] for each in answer] == ["live"]


@pytest.mark.fidelity(
    "The order id is the EIP-712 digest that a client computes before it posts",
    area="Signatures",
    evidence="official client",
    source=CLIENT,
)
def test_the_order_id_is_known_before_it_is_posted(client: ClobClient, market: MarketState) -> None:
    signed = client.create_order(buy(market, 2))
    contract = contract_for(int(market.token_ids[0]), market.negative_risk)
    builder = ExchangeOrderBuilderV2(contract.address, 137, client.signer, domain_version="2")
    expected = builder.build_order_hash(builder.build_order_typed_data(signed))
    assert client.post_order(signed)["orderID"] == expected


@pytest.mark.fidelity(
    "`deferExec` is taken and answers at once; the side may be the client's own enumeration",
    area="Orders",
    evidence="official client",
    source=CLIENT,
)
def test_deferred_execution_answers_at_once(client: ClobClient, market: MarketState) -> None:
    args = OrderArgsV2(token_id=market.token_ids[0], price=ask_of(market), size=6, side=Side.BUY)
    placed = client.create_and_post_order(args, defer_exec=True)
    assert placed["status"] == "matched" and placed["tradeIDs"]


@pytest.mark.fidelity(
    "A match answers with `tradeIDs` and no hash; the trade has its `transaction_hash` when the client polls for it",
    area="Settlement",
    evidence="official client",
    source=f"{CLIENT}, venue change of 2026-07-24",
)
def test_a_match_has_its_hash_in_time(client: ClobClient, market: MarketState) -> None:
    began_s = time.monotonic()
    placed = client.create_and_post_order(buy(market, ask_of(market) * 100, size=6))
    assert len(placed["transactionsHashes"]) == 1 and time.monotonic() - began_s < 5
    signed = client.create_order(buy(market, ask_of(market) * 100, size=6))
    assert client.post_order(signed, defer_exec=True)["transactionsHashes"] in (None, [])


@pytest.mark.fidelity(
    "Sizes that the client's floats lose a cent of are taken as it signed them: 16.90 is an order for 16.89",
    area="Official clients",
    evidence="field report",
    source="py-clob-client-v2 issue 68",
)
def test_the_lost_cent_is_the_clients(client: ClobClient, market: MarketState) -> None:
    placed = client.create_and_post_order(buy(market, 2, size=16.90))
    assert client.get_order(placed["orderID"])["original_size"] == "16.89"
    whole = client.create_and_post_order(buy(market, 2, size=16.90 + 1e-9))
    assert client.get_order(whole["orderID"])["original_size"] == "16.9"


@pytest.mark.fidelity(
    "Market orders with the five decimals that the client signs at a tick of 0.001 are refused for their precision",
    area="Official clients",
    evidence="field report",
    source="py-clob-client-v2 issue 99",
)
def test_market_orders_at_a_fine_tick_are_refused_for_the_fifth_decimal(
    client: ClobClient, fine_market: MarketState
) -> None:
    price = ask_of(fine_market)
    text = "the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 decimals"
    refused = taken = 0
    for cents in range(500, 520):
        args = MarketOrderArgsV2(
            token_id=fine_market.token_ids[0], amount=cents / 100, side="BUY", price=price, order_type=OrderType.FAK
        )
        signed = client.create_market_order(args)
        if int(signed.takerAmount) % 100:
            refused += 1
            with pytest.raises(PolyApiException, match=text):
                client.post_order(signed, OrderType.FAK)
        elif not taken:
            taken += 1
            assert client.post_order(signed, OrderType.FAK, defer_exec=True)["status"] == "matched"
    assert refused > 5


@pytest.mark.fidelity(
    "A market order's amounts posted without its order type are a limit order off the grid",
    area="Official clients",
    evidence="field report",
    source="py-clob-client-v2 issue 59",
)
def test_market_amounts_posted_as_a_limit_order_break_the_tick(client: ClobClient, market: MarketState) -> None:
    args = MarketOrderArgsV2(token_id=market.token_ids[0], amount=5, side="BUY", price=0.51, order_type=OrderType.FOK)
    signed = client.create_market_order(args)
    assert (signed.makerAmount, signed.takerAmount) == ("5000000", "9803900")
    with pytest.raises(PolyApiException, match=r"Price \(0\.5100011220024684\) breaks minimum tick size rule: 0\.01"):
        client.post_order(signed)


@pytest.mark.fidelity(
    "The client keeps a market's tick for ever; after a change its orders off the new grid are refused",
    area="Official clients",
    evidence="official client",
    source=CLIENT,
)
def test_a_tick_that_changed_behind_the_clients_back_is_refused(client: ClobClient, server: PracticeServer) -> None:
    changing = next(
        market
        for market in server.world.register.markets.values()
        if market.trading and market.tick_micro == 1_000 and not market.seconds_delay and market.book.bid_prices
    )
    assert client.get_tick_size(changing.token_ids[0]) == "0.001"
    try:
        changing.tick_micro = 10_000
        server.world.revision += 1
        with pytest.raises(PolyApiException, match=r"breaks minimum tick size rule: 0\.01"):
            client.create_and_post_order(buy(changing, 0.3, size=500))
        assert client.create_and_post_order(buy(changing, 1, size=200))["status"] == "live"
    finally:
        changing.tick_micro = 1_000
        server.world.revision += 1


@pytest.mark.fidelity(
    "A BUY that the client shrinks to `user_usdc_balance` leaves room for its fee, and is taken",
    area="Fees",
    evidence="official client",
    source=CLIENT,
)
def test_a_buy_of_all_that_there_is_leaves_room_for_its_fee(server: PracticeServer, market: MarketState) -> None:
    assert market.fees.kind
    poor = new_client(server, 10_000_000)
    args = MarketOrderArgsV2(token_id=market.token_ids[0], amount=10, side="BUY", order_type=OrderType.FOK)
    with pytest.raises(PolyApiException, match="not enough balance / allowance: the balance is not enough"):
        poor.create_and_post_market_order(args, order_type=OrderType.FOK)
    args.user_usdc_balance = 10
    assert poor.create_and_post_market_order(args, order_type=OrderType.FOK)["status"] == "matched"


@pytest.mark.fidelity(
    "An order that is posted again after a 500 is known: `Duplicated.`, and there is one order",
    area="Official clients",
    evidence="official client",
    source=f"{CLIENT} with retry_on_error",
)
def test_the_clients_own_retry_meets_its_first_order(server: PracticeServer, market: MarketState) -> None:
    retrying = new_client(server, retry_on_error=True)
    signed = retrying.create_order(buy(market, 2))
    server.exchange.faults.add(Fault("/clob/order", "500", 1))
    with pytest.raises(PolyApiException, match=r"is invalid\. Duplicated\.") as caught:
        retrying.post_order(signed)
    assert caught.value.status_code == 400
    assert len(retrying.get_open_orders()) == 1


@pytest.mark.fidelity(
    "An order whose answer never comes may rest: the client raises without a status and the order is in the book",
    area="Official clients",
    evidence="field report",
    source="py-clob-client issues 261 and 273",
)
@pytest.mark.slow
def test_an_order_whose_answer_never_comes_is_in_the_book(
    client: ClobClient, server: PracticeServer, market: MarketState
) -> None:
    signed = client.create_order(buy(market, 2))
    server.exchange.faults.add(Fault("/clob/order", "silence", 1))
    with pytest.raises(PolyApiException) as caught:
        client.post_order(signed)
    assert caught.value.status_code is None
    assert [order["price"] for order in client.get_open_orders()] == ["0.02"]


@pytest.mark.fidelity(
    "Positions of the venue's next protocol trade on its exchange of version 3",
    area="Orders",
    evidence="specification",
    source="changelog; no market of that version was seen by 2026-10",
    seam="there are no such markets; their orders are refused as unknown",
)
def test_orders_by_position_and_with_a_builders_code(client: ClobClient, market: MarketState) -> None:
    code = "0x" + "12" * 32
    placed = client.create_and_post_order(buy(market, 2, builder_code=code, metadata="0x" + "34" * 32))
    assert placed["status"] == "live"
    position = OrderArgsV2(token_id=None, price=0.02, size=10, side="BUY", position_id=str(7 << 104))
    with pytest.raises((PolyApiException, PolyException), match=r"market not found|No orderbook"):
        client.create_and_post_order(position, PartialCreateOrderOptions(tick_size="0.01", neg_risk=False))


@pytest.mark.fidelity(
    "Trades are selected by market, token, time and maker, and come page by page",
    area="Account",
    evidence="official client",
    source=CLIENT,
)
def test_trades_are_selected(client: ClobClient, market: MarketState, server: PracticeServer) -> None:
    placed = client.create_and_post_order(buy(market, ask_of(market) * 100, size=6))
    now_s = server.world.now_ms // 1000
    for asked, found in (
        (TradeParams(market=market.condition_id), 1),
        (TradeParams(market="0x" + "a" * 64), 0),
        (TradeParams(asset_id=market.token_ids[0]), 1),
        (TradeParams(asset_id=market.token_ids[1]), 0),
        (TradeParams(after=now_s - 60), 1),
        (TradeParams(before=now_s - 60), 0),
        (TradeParams(maker_address=client.get_address()), 1),
        (TradeParams(maker_address="0x" + "a" * 40), 0),
    ):
        assert len(client.get_trades(asked)) == found, asked
    page = client.get_trades_paginated(TradeParams(id=placed["tradeIDs"][0]))
    assert (page["count"], page["next_cursor"], len(page["trades"])) == (1, "LTE=", 1)


@pytest.mark.fidelity(
    "A client that asks the server for its time may have any clock of its own",
    area="Log-in",
    evidence="official client",
    source=f"{CLIENT} with use_server_time",
)
def test_the_servers_time_is_good_for_log_ins(server: PracticeServer, market: MarketState) -> None:
    timed = new_client(server, use_server_time=True)
    assert timed.create_and_post_order(buy(market, 2))["status"] == "live"
    assert timed.cancel_all()["not_canceled"] == {}


@pytest.mark.fidelity(
    "A market price is found by walking the book from its end, where the best level is",
    area="Market data",
    evidence="official client",
    source=f"{CLIENT}, calculate_market_price",
)
def test_the_client_finds_the_best_levels_at_the_end_of_the_book(client: ClobClient, market: MarketState) -> None:
    token = market.token_ids[0]
    assert client.calculate_market_price(token, "BUY", 1, OrderType.FOK) == ask_of(market)
    assert client.calculate_market_price(token, "SELL", 1, OrderType.FOK) == market.book.best_bid_micro / 1_000_000


@pytest.mark.fidelity(
    "A restart is told as 425, and the client raises it",
    area="Limits and modes",
    evidence="official client",
    source=CLIENT,
)
def test_modes_reach_the_caller_with_their_status(
    client: ClobClient, server: PracticeServer, market: MarketState
) -> None:
    trading = trading_of(server)
    trading.venue_engine.engine.set_mode(Mode.RESTARTING, trading.venue_engine.now_ms)
    try:
        with pytest.raises(PolyApiException, match="service not ready") as caught:
            client.create_and_post_order(buy(market, 2))
    finally:
        trading.venue_engine.engine.set_mode(Mode.NORMAL, trading.venue_engine.now_ms)
    assert caught.value.status_code == 425
    assert all(
        order.status is not OrderState.LIVE for order in trading.venue_engine.engine.open_orders(client.get_address())
    )
