"""The user websocket: who may read it, and how orders and trades look to their owners from the placing to the settlement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from polymarket_kit.model import Side
from practice_exchange.app.server import PracticeServer
from practice_exchange.engine.settlement import SettlementPlan
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .stream_client import StreamClient, Trader, advance, connect
from .trading_venue import open_exchange, quiet_market

ORDER_KEYS = [
    "event_type",
    "id",
    "owner",
    "market",
    "asset_id",
    "side",
    "order_owner",
    "original_size",
    "size_matched",
    "price",
    "associate_trades",
    "outcome",
    "type",
    "created_at",
    "expiration",
    "order_type",
    "status",
    "maker_address",
    "timestamp",
]


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


@pytest.fixture
def market(server: PracticeServer) -> MarketState:
    assert isinstance(server.world, World)
    return quiet_market(server.world)


@pytest.fixture
async def enter(server: PracticeServer) -> AsyncIterator[Any]:
    """``enter(trader, markets=...)`` opens a logged-in connection."""
    async with AsyncExitStack() as stack:

        async def open_for(trader: Trader, **more: object) -> StreamClient:
            client = await stack.enter_async_context(connect(server.user_ws_url))
            await client.say(trader.login(**more))
            assert await client.rest() == []
            return client

        yield open_for


@pytest.mark.fidelity(
    "Wrong credentials close the socket",
    area="User stream",
    evidence="field report",
    source="user channel",
)
async def test_only_a_key_with_its_secrets_gets_in(server: PracticeServer) -> None:
    trader = Trader(server)
    right = trader.login()
    assert isinstance(right["auth"], dict)
    for wrong in (
        {"apiKey": "00000000-0000-4000-8000-000000000000"},
        {"secret": "c2VjcmV0"},
        {"passphrase": "pass"},
        {"apiKey": "\u00e9", "secret": "\u00e9"},
    ):
        async with connect(server.user_ws_url) as client:
            await client.say(right | {"auth": right["auth"] | wrong})
            assert (await client.closed())[0] == 1008
    async with connect(server.user_ws_url) as client:
        await client.say({"type": "user", "markets": []})
        assert (await client.closed())[0] == 1008


@pytest.mark.fidelity(
    "Orders are told of as PLACEMENT, UPDATE and CANCELLATION, field by field as recorded",
    area="User stream",
    evidence="recording",
    source="frames of orders",
)
async def test_an_order_is_told_of_when_placed_filled_and_cancelled(
    market: MarketState, enter: Any, server: Any
) -> None:
    trader = Trader(server)
    user = await enter(trader)
    ask = market.book.best_ask_micro // 10_000
    offered = market.book.ask_sizes[-1] // 1_000_000 + 1
    order_id = trader.placed(market, ask, offered + 10)
    trade, placed = await user.rest()
    trader.cancel(order_id)
    (cancelled,) = await user.rest()
    assert list(placed) == ORDER_KEYS == list(cancelled)
    assert (placed["type"], placed["status"]) == ("PLACEMENT", "LIVE")
    assert (cancelled["type"], cancelled["status"]) == ("CANCELLATION", "CANCELED")
    for event in (placed, cancelled):
        assert event["id"] == order_id and event["owner"] == event["order_owner"] == trader.key.credentials.key
        assert event["market"] == market.condition_id and event["asset_id"] == market.token_ids[0]
        assert (event["side"], event["order_type"], event["expiration"]) == ("BUY", "GTC", "0")
        assert event["outcome"] == market.outcomes[0] and event["maker_address"] == trader.wallet.funder
        assert event["original_size"] == str(offered + 10) and float(event["price"]) == ask / 100
        assert event["associate_trades"] == [trade["id"]]
        assert event["timestamp"] == f"{event['created_at']}000"
        assert event["size_matched"] == trade["size"] and 0 < float(trade["size"]) < offered + 10
    untouched = trader.placed(market, 2, 10)
    (placed,) = await user.rest()
    assert placed["id"] == untouched and placed["associate_trades"] is None and placed["size_matched"] == "0"


@pytest.mark.fidelity(
    "Trades are told of as MATCHED, MINED and CONFIRMED, in the taker's terms",
    area="User stream",
    evidence="recording",
    source="frames of trades",
)
async def test_a_trade_is_told_of_from_match_to_confirmation(market: MarketState, enter: Any, server: Any) -> None:
    trader = Trader(server)
    user = await enter(trader)
    order_id = trader.placed(market, market.book.best_ask_micro // 10_000, 10)
    first, placed = await user.rest()
    assert (first["event_type"], first["type"], first["status"]) == ("trade", "TRADE", "MATCHED")
    assert (placed["type"], placed["status"], placed["size_matched"]) == ("PLACEMENT", "MATCHED", "10")
    await advance(server, 3)
    (mined,) = await user.rest()
    await advance(server, 4)
    (confirmed,) = await user.rest()
    assert [event["status"] for event in (mined, confirmed)] == ["MINED", "CONFIRMED"]
    for event in (first, mined, confirmed):
        moving = ("status", "last_update", "timestamp")
        assert {**event, **dict.fromkeys(moving, "")} == {**first, **dict.fromkeys(moving, "")}
        assert event["last_update"] == event["timestamp"][:-3]
    assert first["taker_order_id"] == order_id and first["trader_side"] == "TAKER"
    assert (first["side"], first["size"], first["asset_id"]) == ("BUY", "10", market.token_ids[0])
    assert first["transaction_hash"].startswith("0x") and len(first["transaction_hash"]) == 66
    assert first["owner"] == first["trade_owner"] == trader.key.credentials.key
    assert first["match_time"] == first["timestamp"][:-3] and first["bucket_index"] == 0
    (maker,) = first["maker_orders"]
    # The world's makers offer the first outcome as a bid for the second: the match mints a pair.
    assert maker["asset_id"] == market.token_ids[1] and maker["side"] == "BUY" and maker["outcome_index"] == 1
    assert maker["matched_amount"] == "10" and float(maker["price"]) == pytest.approx(1 - float(first["price"]))


@pytest.mark.fidelity(
    "A maker finds itself in `maker_orders`, in its own token and at its own price, also of the complementary token",
    area="User stream",
    evidence="recording",
    source="frames of trades",
)
async def test_both_sides_of_a_match_are_told_each_its_own_part(market: MarketState, enter: Any, server: Any) -> None:
    maker, taker = Trader(server, "safe"), Trader(server, "proxy")
    maker_user, taker_user = await enter(maker), await enter(taker)
    price = market.book.best_bid_micro // 10_000 + 1
    resting = [maker.placed(market, price, 10), maker.placed(market, price, 20)]
    # A BUY of the other outcome at the mirrored price meets both.
    taking = taker.placed(market, 100 - price, 25, token_index=1)
    heard = await maker_user.rest()
    assert [(event["event_type"], event.get("type"), event["status"]) for event in heard] == [
        ("order", "PLACEMENT", "LIVE"),
        ("order", "PLACEMENT", "LIVE"),
        ("order", "UPDATE", "MATCHED"),
        ("order", "UPDATE", "LIVE"),
        ("trade", "TRADE", "MATCHED"),
    ]
    assert [event["size_matched"] for event in heard[2:4]] == ["10", "15"]
    mine, theirs = heard[-1], (await taker_user.rest())[0]
    assert mine["trader_side"] == "MAKER" and theirs["trader_side"] == "TAKER"
    assert {**mine, "trader_side": ""} == {**theirs, "trader_side": ""}
    assert mine["taker_order_id"] == taking and mine["asset_id"] == market.token_ids[1] and mine["size"] == "25"
    assert [part["order_id"] for part in mine["maker_orders"]] == resting
    assert {part["owner"] for part in mine["maker_orders"]} == {maker.key.credentials.key}
    assert {part["asset_id"] for part in mine["maker_orders"]} == {market.token_ids[0]}


@pytest.mark.fidelity(
    "A killed market order has CANCELED_ and the reason as its status, and no size, time and outcome",
    area="User stream",
    evidence="field report",
    source="user channel",
)
async def test_a_killed_market_order_has_its_reason_as_its_status(market: MarketState, enter: Any, server: Any) -> None:
    trader = Trader(server)
    user = await enter(trader)
    trader.order(market, 1, 200, order_type="FOK")
    (killed,) = await user.rest()
    assert killed["status"] == "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
    assert (killed["type"], killed["order_type"]) == ("CANCELLATION", "FOK")
    assert killed["size_matched"] == killed["created_at"] == killed["outcome"] == ""
    trader.order(market, 1, 200, order_type="FAK")
    (killed,) = await user.rest()
    assert killed["status"].startswith("CANCELED_no orders found to match with FAK order.")


@pytest.mark.fidelity(
    "Orders that end by themselves say why: CANCELED_NOT_ENOUGH_BALANCE, CANCELED_MARKET_RESOLVED",
    area="User stream",
    evidence="official client",
    source="polymarket-client",
)
async def test_orders_that_end_by_themselves_say_why(market: MarketState, enter: Any, server: Any) -> None:
    trader = Trader(server)
    user = await enter(trader)
    venue_engine = trader.trading.venue_engine
    poor = trader.placed(market, 2, 10)
    venue_engine.engine.withdraw(
        trader.wallet.funder, venue_engine.engine.account(trader.wallet.funder).collateral.balance_micro, 0
    )
    venue_engine.advance()
    _, cancelled = await user.rest()
    assert (cancelled["id"], cancelled["type"]) == (poor, "CANCELLATION")
    assert cancelled["status"] == "CANCELED_NOT_ENOUGH_BALANCE"
    trader.trading.fund(trader.wallet.funder, 10**9)
    # Whichever outcome wins, a cheap bid for it is never met.
    resting = {trader.placed(market, 1, 10, token_index=index): index for index in (0, 1)}
    await advance(server, (market.end_ms - server.world.now_ms) / 1000 + 20 * 86_400)
    last = {event["id"]: event for event in await user.rest() if event["event_type"] == "order"}
    assert market.closed
    winner = next(order_id for order_id, index in resting.items() if market.payouts_micro[index] > 0)
    assert (last[winner]["type"], last[winner]["status"]) == ("CANCELLATION", "CANCELED_MARKET_RESOLVED")


@pytest.mark.fidelity(
    "A failing settlement is told of as RETRYING and FAILED",
    area="User stream",
    evidence="specification",
    source="asyncapi-user",
)
async def test_a_failing_settlement_is_told_of(market: MarketState, enter: Any, server: Any) -> None:
    trader = Trader(server)
    user = await enter(trader)
    trader.trading.venue_engine.engine.core.settlement_policy = lambda trade: SettlementPlan(retries=1, fails=True)
    trader.placed(market, market.book.best_ask_micro // 10_000, 10)
    statuses = [(await user.rest())[0]["status"]]
    for _ in range(4):
        await advance(server, 3)
        statuses += [event["status"] for event in await user.rest()]
    assert statuses == ["MATCHED", "RETRYING", "FAILED"]


@pytest.mark.fidelity(
    "A key hears of every wallet of its owner",
    area="User stream",
    evidence="assumed",
)
async def test_a_key_hears_of_all_its_owners_wallets_and_of_nobody_else(
    market: MarketState, enter: Any, server: Any
) -> None:
    first, second = Trader(server, "eoa"), Trader(server, "safe")
    mine, again, theirs = await enter(first), await enter(Trader(server, "eoa", 1)), await enter(second)
    resting = first.placed(market, 2, 10)
    assert [event["id"] for event in await mine.rest()] == [resting]
    assert [event["id"] for event in await again.rest()] == [resting]
    assert await theirs.rest() == []


@pytest.mark.fidelity(
    "`markets` narrows the channel; with none left it carries all",
    area="User stream",
    evidence="official client",
    source="polymarket-client",
)
async def test_markets_can_be_chosen_and_changed(market: MarketState, enter: Any, server: Any) -> None:
    trader = Trader(server)
    other = quiet_market(server.world, negative_risk=True)
    chosen, everything = await enter(trader, markets=[market.condition_id.upper().replace("0X", "0x")]), None
    everything = await enter(trader)

    async def hears(user: StreamClient) -> set[str]:
        for each in (market, other):
            trader.cancel(trader.placed(each, 2, 10))
        return {event["market"] for event in await user.rest()}

    assert await hears(chosen) == {market.condition_id}
    await chosen.say({"operation": "subscribe", "markets": [other.condition_id]})
    await chosen.say({"operation": "unsubscribe", "markets": [market.condition_id]})
    await chosen.rest()
    assert await hears(chosen) == {other.condition_id}
    # With none left it reads all, as the venue's SDK has it.
    await chosen.say({"operation": "unsubscribe", "markets": [other.condition_id]})
    await chosen.rest()
    assert await hears(chosen) == {market.condition_id, other.condition_id}
    assert {event["market"] for event in await everything.rest()} == {market.condition_id, other.condition_id}


async def test_selling_what_one_holds_looks_like_a_sale(market: MarketState, enter: Any, server: Any) -> None:
    trader = Trader(server)
    user = await enter(trader)
    trader.placed(market, market.book.best_ask_micro // 10_000, 10)
    await advance(server, 3)
    await user.rest()
    trader.placed(market, market.book.best_bid_micro // 10_000, 10, side=Side.SELL.value)
    trade, placed = await user.rest()
    assert (trade["side"], trade["asset_id"], trade["trader_side"]) == ("SELL", market.token_ids[0], "TAKER")
    assert (placed["side"], placed["status"]) == ("SELL", "MATCHED")
    # The maker's bid for the same token: a direct match.
    assert trade["maker_orders"][0]["asset_id"] == market.token_ids[0]
    assert trade["maker_orders"][0]["side"] == "BUY"
