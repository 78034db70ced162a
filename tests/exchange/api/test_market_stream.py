"""The market websocket: subscriptions, first books, and every kind of event, as a plain websocket client sees them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from hashlib import sha1
from typing import Any

import msgspec
import pytest

from polymarket_kit.values import MICRO
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .stream_client import StreamClient, Trader, advance, connect, rest_book
from .trading_venue import open_exchange, quiet_market

DAY_S = 86_400
BOOK_KEYS = ["market", "asset_id", "timestamp", "hash", "bids", "asks"]


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


@pytest.fixture
async def client(server: PracticeServer) -> AsyncIterator[StreamClient]:
    async with connect(server.market_ws_url) as connected:
        yield connected


def world_of(server: PracticeServer) -> World:
    assert isinstance(server.world, World)
    return server.world


def market_of(server: PracticeServer) -> MarketState:
    return quiet_market(world_of(server))


def hash_of(book: dict[str, Any], rest: dict[str, Any]) -> str:
    """The hash of a ``book`` event as a client computes it, with what only the order-book API tells."""
    names = ("market", "asset_id", "timestamp", "hash", "bids", "asks")
    content = {name: book[name] for name in names} | {"hash": ""}
    content |= {name: rest[name] for name in ("min_order_size", "tick_size", "neg_risk", "last_trade_price")}
    return sha1(msgspec.json.encode(content), usedforsecurity=False).hexdigest()


class Mirror:
    """A book kept from first books and changes alone, as a client keeps it."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, dict[str, str]]] = {}

    def hear(self, event: dict[str, Any]) -> None:
        if event["event_type"] == "book":
            sides = {"BUY": event["bids"], "SELL": event["asks"]}
            self.books[event["asset_id"]] = {
                side: {level["price"]: level["size"] for level in levels} for side, levels in sides.items()
            }
        elif event["event_type"] == "price_change":
            for change in event["price_changes"]:
                self._change(change)

    def _change(self, change: dict[str, str]) -> None:
        book = self.books.get(change["asset_id"])
        if book is None:
            return
        if change["size"] == "0":
            del book[change["side"]][change["price"]]
        else:
            book[change["side"]][change["price"]] = change["size"]

    def check_best(self, event: dict[str, Any]) -> None:
        """The best prices of a change are those of the book after the whole message."""
        for change in event["price_changes"]:
            book = self.books.get(change["asset_id"])
            if book is not None:
                assert float(change["best_bid"]) == max(map(float, book["BUY"]), default=0.0)
                assert float(change["best_ask"]) == min(map(float, book["SELL"]), default=1.0)


def sides(book: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {
        "BUY": {level["price"]: level["size"] for level in book["bids"]},
        "SELL": {level["price"]: level["size"] for level in book["asks"]},
    }


@pytest.mark.fidelity(
    "One array has a book for each token: best levels last, tick size, last price, hash as over REST",
    area="Market stream",
    evidence="recording",
    source="frames of books",
)
async def test_first_books_come_in_one_array_and_are_those_of_the_order_book_api(
    server: PracticeServer, client: StreamClient
) -> None:
    market = market_of(server)
    books = await client.subscribe(*market.token_ids, initial_dump=True, level=2)
    assert [book["asset_id"] for book in books] == market.token_ids
    for book in books:
        rest = await rest_book(server, book["asset_id"])
        assert list(book) == [*BOOK_KEYS, "tick_size", "event_type", "last_trade_price"]
        assert {name: book[name] for name in BOOK_KEYS} == {name: rest[name] for name in BOOK_KEYS}
        assert book["tick_size"] == "0.01" and book["last_trade_price"] == rest["last_trade_price"]
        assert book["hash"] == hash_of(book, rest)
        bids, asks = ([float(level["price"]) for level in book[side]] for side in ("bids", "asks"))
        assert bids == sorted(bids) and asks == sorted(asks, reverse=True) and bids[-1] < asks[-1]
    mirrored = [{"price": f"{1 - float(ask['price']):.4g}", "size": ask["size"]} for ask in books[0]["asks"]]
    assert mirrored == books[1]["bids"]


@pytest.mark.fidelity(
    "Unknown and closed tokens are answered with an empty array",
    area="Market stream",
    evidence="field report",
    source="market channel",
)
async def test_unknown_and_closed_tokens_get_an_empty_array(server: PracticeServer, client: StreamClient) -> None:
    await advance(server, 2 * DAY_S)
    closed = next(market for market in world_of(server).register.markets.values() if market.closed)
    assert await client.subscribe("12345", closed.token_ids[0]) == []
    market = market_of(server)
    await client.say({"operation": "subscribe", "assets_ids": ["12346", market.token_ids[1]]})
    assert [book["asset_id"] for book in await client.next()] == [market.token_ids[1]]


@pytest.mark.fidelity(
    "`initial_dump: false` leaves the first books out",
    area="Market stream",
    evidence="specification",
    source="asyncapi",
)
async def test_first_books_can_be_left_out(server: PracticeServer, client: StreamClient) -> None:
    market = market_of(server)
    await client.say({"assets_ids": market.token_ids, "type": "market", "initial_dump": False})
    assert await client.rest() == []
    Trader(server).placed(market, 2, 10)
    assert [event["event_type"] for event in await client.rest()] == ["price_change"]


@pytest.mark.fidelity(
    'An order or a cancel sends the new size of its level ("0": gone) for both tokens, at mirrored prices',
    area="Market stream",
    evidence="field report",
    source="market channel",
)
async def test_an_order_and_its_cancel_change_one_level_of_both_books(
    server: PracticeServer, client: StreamClient
) -> None:
    market, trader = market_of(server), Trader(server)
    books = await client.subscribe(*market.token_ids)
    best = {book["asset_id"]: (book["bids"][-1]["price"], book["asks"][-1]["price"]) for book in books}
    resting = trader.placed(market, 3, 12)
    grown = trader.placed(market, 3, 8)
    trader.cancel(resting)
    trader.cancel(grown)
    events = await client.rest()
    assert [event["event_type"] for event in events] == ["price_change"] * 4
    hashes = set()
    for event, size in zip(events, ("12", "20", "8", "0"), strict=True):
        assert list(event) == ["market", "price_changes", "timestamp", "event_type"]
        first, second = event["price_changes"]
        assert list(first) == ["asset_id", "price", "size", "side", "hash", "best_bid", "best_ask"]
        assert (first["asset_id"], first["price"], first["side"]) == (market.token_ids[0], "0.03", "BUY")
        assert (second["asset_id"], second["price"], second["side"]) == (market.token_ids[1], "0.97", "SELL")
        for change in (first, second):
            assert change["size"] == size and len(change["hash"]) == 40
            assert (change["best_bid"], change["best_ask"]) == best[change["asset_id"]]
            hashes.add(change["hash"])
    assert len(hashes) == 8


@pytest.mark.fidelity(
    "A trade sends `last_trade_price` with the taker's token and side, then books without tick size and last price",
    area="Market stream",
    evidence="specification",
    source="market channel",
)
async def test_a_trade_is_printed_and_its_books_come_again(server: PracticeServer, client: StreamClient) -> None:
    market, trader = market_of(server), Trader(server)
    await client.subscribe(*market.token_ids)
    ask = market.book.best_ask_micro
    trader.placed(market, ask // 10_000, 7)
    events = await client.rest()
    assert [event["event_type"] for event in events] == ["last_trade_price", "price_change", "book", "book"]
    printed, change, *books = events
    assert printed["asset_id"] == market.token_ids[0] and printed["side"] == "BUY"
    assert float(printed["price"]) == ask / MICRO and printed["size"] == "7"
    trade = next(iter(trader.trading.venue_engine.engine.core.trades.values()))
    assert printed["transaction_hash"] == trader.trading._render.transaction_hash(trade.trade_id)
    assert printed["fee_rate_bps"] == "0" and printed["timestamp"] == str(trade.matched_ms)
    assert {leg["side"] for leg in change["price_changes"]} == {"BUY", "SELL"}
    for book in books:
        assert list(book) == [*BOOK_KEYS, "event_type"]
        rest = await rest_book(server, book["asset_id"])
        assert rest["last_trade_price"] == f"{ask / MICRO:.3f}"
        assert book["hash"] == rest["hash"] == hash_of(book, rest)


@pytest.mark.fidelity(
    "Books kept from first books and changes stay equal to those of the order-book API",
    area="Market stream",
    evidence="specification",
    source="market channel",
)
async def test_books_kept_from_the_stream_stay_those_of_the_exchange(
    server: PracticeServer, client: StreamClient
) -> None:
    """Orders, cancels, trades and the world's own traders, in markets with orders and in one that never had any."""
    chance, trader, mirror = random.Random(5), Trader(server), Mirror()
    market = market_of(server)
    others = [other for other in world_of(server).register.markets.values() if other.trading and other is not market]
    watched = [market, *others[:40]]
    tokens = [token_id for each in watched for token_id in each.token_ids]
    for book in await client.subscribe(*tokens):
        mirror.hear(book)
    resting: list[str] = []
    kinds: set[str] = set()
    for _ in range(60):
        await _stir(server, trader, market, chance, resting)
        for event in await client.rest():
            mirror.hear(event)
            kinds.add(event["event_type"])
            if event["event_type"] == "price_change":
                mirror.check_best(event)
        for token_id in market.token_ids:
            assert mirror.books[token_id] == sides(await rest_book(server, token_id))
    for each in watched:
        if not each.closed:
            for token_id in each.token_ids:
                assert mirror.books[token_id] == sides(await rest_book(server, token_id))
    assert {"price_change", "book", "last_trade_price"} <= kinds


async def _stir(
    server: PracticeServer, trader: Trader, market: MarketState, chance: random.Random, resting: list[str]
) -> None:
    """One thing that can happen to a market."""
    what = chance.random()
    if what < 0.15:
        await advance(server, chance.choice((1, 600, 7_200)))
    elif what < 0.35 and resting:
        trader.cancel(resting.pop())
    elif what < 0.5:
        trader.order(market, min(99, market.book.best_ask_micro // 10_000 + 1), chance.randint(5, 400))
    else:
        answer = trader.placed(market, chance.randint(1, 10), chance.randint(5, 40), token_index=chance.randrange(2))
        resting.append(answer)


@pytest.mark.fidelity(
    "`operation` adds and removes tokens on the open socket",
    area="Market stream",
    evidence="specification",
    source="asyncapi",
)
async def test_subscriptions_grow_and_shrink(server: PracticeServer, client: StreamClient) -> None:
    market, trader = market_of(server), Trader(server)
    first, second = market.token_ids
    await client.subscribe(first)
    await client.say({"operation": "subscribe", "assets_ids": [first, second]})
    assert [book["asset_id"] for book in await client.next()] == [second]
    await client.say({"operation": "subscribe", "assets_ids": [first]})
    assert await client.next() == "NO NEW ASSETS"
    await client.say({"operation": "unsubscribe", "assets_ids": [first]})
    trader.placed(market, 2, 10)
    # Both tokens come in one message, also to those who read one of them.
    (event,) = await client.rest()
    assert len(event["price_changes"]) == 2
    await client.say({"operation": "unsubscribe", "assets_ids": [second, "99"]})
    assert await client.rest() == []
    trader.placed(market, 2, 10)
    assert await client.rest() == []
    assert trader.trading.streams.market._broadcasters == {}


@pytest.mark.fidelity(
    "`custom_feature_enabled` turns `best_bid_ask` on and off, also by naming an active token again",
    area="Market stream",
    evidence="official client",
    source="polymarket-client",
)
async def test_best_prices_come_only_to_those_who_ask_for_them(server: PracticeServer, client: StreamClient) -> None:
    market, trader = market_of(server), Trader(server)
    first, second = market.token_ids
    bid_cents, ask = market.book.best_bid_micro // 10_000 + 1, market.book.best_ask_micro
    await client.subscribe(first, second)
    trader.cancel(trader.placed(market, bid_cents, 10))
    assert {event["event_type"] for event in await client.rest()} == {"price_change"}
    # Naming a token again is answered, but the wish is taken.
    await client.say({"operation": "subscribe", "assets_ids": [first], "custom_feature_enabled": True})
    assert await client.next() == "NO NEW ASSETS"
    resting = trader.placed(market, bid_cents, 10)
    moved = [event for event in await client.rest() if event["event_type"] == "best_bid_ask"]
    assert [event["asset_id"] for event in moved] == [first, second]
    assert list(moved[0]) == ["market", "asset_id", "best_bid", "best_ask", "spread", "timestamp", "event_type"]
    bid, spread = f"{bid_cents / 100:.4g}", f"{ask / MICRO - bid_cents / 100:.4g}"
    assert (moved[0]["best_bid"], moved[0]["best_ask"], moved[0]["spread"]) == (bid, f"{ask / MICRO:.4g}", spread)
    assert moved[1]["best_ask"] == f"{1 - bid_cents / 100:.4g}" and moved[1]["spread"] == spread
    trader.placed(market, 1, 10)
    assert {event["event_type"] for event in await client.rest()} == {"price_change"}
    await client.say({"operation": "subscribe", "assets_ids": [first], "custom_feature_enabled": False})
    await client.next()
    trader.cancel(resting)
    assert {event["event_type"] for event in await client.rest()} == {"price_change"}


@pytest.mark.fidelity(
    'An empty side is "0" or "1" in a `price_change` and "" in `best_bid_ask`',
    area="Market stream",
    evidence="assumed",
)
async def test_an_empty_side_has_no_best_price(server: PracticeServer, client: StreamClient) -> None:
    empty = next(
        market
        for market in world_of(server).register.markets.values()
        if not market.closed and market.placeholder and not market.book.bid_prices
    )
    (book, _) = await client.subscribe(*empty.token_ids, custom_feature_enabled=True)
    assert book["bids"] == book["asks"] == [] and book["last_trade_price"] == ""
    trader = Trader(server)
    trader.trading.venue_engine.enter(empty)
    trader.trading.venue_engine.engine.open_market(empty.condition_id, trader.trading.venue_engine.now_ms)
    trader.placed(empty, 40, 10)
    change, moved, mirrored = await client.rest()
    assert {(leg["best_bid"], leg["best_ask"]) for leg in change["price_changes"]} == {("0.4", "1"), ("0", "0.6")}
    assert (moved["best_bid"], moved["best_ask"], moved["spread"]) == ("0.4", "", "")
    assert (mirrored["best_bid"], mirrored["best_ask"], mirrored["spread"]) == ("", "0.6", "")


@pytest.mark.fidelity(
    "A new tick is told for each token; whole books follow",
    area="Market stream",
    evidence="specification",
    source="market channel",
)
async def test_a_new_tick_is_told_before_the_books_on_it(server: PracticeServer, client: StreamClient) -> None:
    market, trading = market_of(server), Trader(server).trading
    await client.subscribe(*market.token_ids)
    market.tick_micro = 1_000
    world_of(server).revision += 1
    trading.advance()
    events = await client.rest()
    assert [event["event_type"] for event in events] == ["tick_size_change"] * 2 + ["book"] * 2
    assert [event["asset_id"] for event in events] == market.token_ids * 2
    told = events[0]
    assert (told["old_tick_size"], told["new_tick_size"], told["market"]) == ("0.01", "0.001", market.condition_id)
    assert events[2]["hash"] == (await rest_book(server, market.token_ids[0]))["hash"]
