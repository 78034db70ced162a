"""The venue's own Python clients read the practice exchange unchanged: evidence about the wire from outside this project."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from polymarket.clients.public import PublicClient
from polymarket.environments import PRODUCTION, _create_environment
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import BookParams, PricesHistoryParams

from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState


@pytest.fixture
async def server(still: PracticeExchange) -> AsyncIterator[PracticeServer]:
    served = PracticeServer(still.world, exchange=still)
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
def market(still: PracticeExchange) -> MarketState:
    """An open negative-risk market with both sides quoted, fees and a last trade."""
    markets = still.world.register.markets.values()
    return next(m for m in markets if m.trading and m.negative_risk and m.fees.kind and m.maker and m.last_trade_micro)


@pytest.mark.fidelity(
    "The order-book client reads books, rules, prices and history",
    area="Official clients",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
async def test_the_order_book_client_reads_books_rules_and_prices(server: PracticeServer, market: MarketState) -> None:
    def read() -> dict[str, Any]:
        client = ClobClient(server.clob_url, 137)
        first, second = market.token_ids
        book = client.get_order_book(first)
        info = client.get_clob_market_info(market.condition_id)
        return {
            "ok": client.get_ok(),
            "version": client.get_version(),
            "time": client.get_server_time(),
            "book": book,
            "hash": client.get_order_book_hash(book),
            "info": info,
            "books": client.get_order_books([BookParams(first), BookParams(second)]),
            "tick": client.get_tick_size(first),
            "neg_risk": client.get_neg_risk(first),
            "fee": client.get_fee_rate_bps(second),
            "exponent": client.get_fee_exponent(first),
            "mid": client.get_midpoint(first),
            "price": client.get_price(first, "BUY"),
            "spread": client.get_spread(first),
            "last": client.get_last_trade_price(first),
            "market": client.get_market(market.condition_id),
            "page": client.get_sampling_markets(),
            "history": client.get_prices_history(PricesHistoryParams(market=first, interval="1d", fidelity=60)),
        }

    seen = await asyncio.to_thread(read)
    assert (seen["ok"], seen["version"], seen["time"]) == ("OK", 2, server.world.now_ms // 1000)
    assert seen["hash"] == seen["book"]["hash"]
    assert seen["books"][0] == seen["book"] and len(seen["books"]) == 2
    assert (seen["tick"], seen["neg_risk"], seen["fee"]) == (seen["book"]["tick_size"], True, 1000)
    assert seen["exponent"] == 1
    assert Decimal(seen["price"]["price"]) <= Decimal(seen["mid"]["mid"])
    assert seen["market"]["condition_id"] == market.condition_id and len(seen["history"]["history"]) > 1
    assert seen["page"]["next_cursor"] == "LTE="


@pytest.mark.fidelity(
    "The SDK reads the whole catalogue page by page, and books",
    area="Official clients",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
async def test_the_sdk_reads_the_catalogue_page_by_page(server: PracticeServer, market: MarketState) -> None:
    config = dataclasses.replace(PRODUCTION._config, gamma_url=server.gamma_url, clob_url=server.clob_url)
    environment = _create_environment(name="practice", config=config)

    def read() -> tuple[list[Any], Any, Any, Any]:
        with PublicClient(environment=environment) as client:
            events = [event for page in client.list_events(closed=False) for event in page.items]
            one = client.get_market(id=str(market.number))
            book = client.get_order_book(token_id=market.token_ids[0])
            return events, one, book, client.get_midpoint(token_id=market.token_ids[0])

    events, one, book, middle = await asyncio.to_thread(read)
    is_open = [event for event in server.world.register.events.values() if not event.closed]
    assert {str(event.id) for event in events} == {str(event.number) for event in is_open}
    assert sum(len(event.markets) for event in events) == sum(len(event.markets) for event in is_open)
    assert str(one.id) == str(market.number) and one.condition_id == market.condition_id
    assert book.bids and book.asks
    assert middle == Decimal(market.book.midpoint_micro) / 1_000_000


async def test_the_clients_see_an_unknown_token_as_the_venue_tells_it(server: PracticeServer) -> None:
    def read() -> str:
        with pytest.raises(Exception, match="No orderbook exists") as caught:
            ClobClient(server.clob_url, 137).get_order_book("1" * 77)
        return str(caught.value)

    assert "404" in await asyncio.to_thread(read)
