"""No public method of the venue's SDK is forgotten: each is called by a test, or belongs to what practice does not run."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from polymarket.clients.async_secure import AsyncSecureClient

from practice_exchange.app.server import PracticeServer

from .test_trading_sdk import environment_of
from .trading_venue import open_exchange, quiet_market, trading_of, wallet_of_type

SDK = "polymarket-client 0.14.0"
TESTS = Path(__file__).resolve().parent
# What the SDK offers beyond trading on the order book, by programme of the venue.
NOT_RUN = {
    "perpetuals": ("perps",),
    "combined markets and requests for quotes": ("combo", "rfq", "collateral_return"),
    "session keys": ("session_key",),
    "rewards, rebates, builders": ("reward", "rebate", "earning", "builder"),
    "people, comments and ranks": (
        "comment",
        "profile",
        "leaderboard",
        "biggest",
        "user_stats",
        "user_pnl",
        "user_volume",
    ),
    "pages for browsing": ("series", "sports", "teams", "related", "event_tags", "market_tags"),
    "figures of the whole venue": ("live_volume", "open_interests", "holders", "resolutions", "token_references"),
    "bookkeeping": ("accounting",),
}


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


def public_methods() -> set[str]:
    return {name for name, _ in inspect.getmembers(AsyncSecureClient, callable) if not name.startswith("_")}


def test_every_public_method_is_called_or_is_of_something_else() -> None:
    tested = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.glob("*.py"))
    left = {name for name in public_methods() if f".{name}(" not in tested}
    words = [word for group in NOT_RUN.values() for word in group]
    assert len(public_methods()) > 100
    assert {name for name in left if not any(word in name for word in words)} == set()


@pytest.mark.fidelity(
    "The SDK reads events, markets, tags, search results, histories and last trades",
    area="Official clients",
    evidence="official client",
    source=SDK,
)
async def test_what_an_account_reads_of_the_catalogue(server: PracticeServer) -> None:
    wallet = wallet_of_type(trading_of(server), "eoa")
    market = quiet_market(server.world)
    event = server.world.register.events[market.event_number]
    client = await AsyncSecureClient.create(
        private_key=wallet.private_key, wallet=wallet.funder, environment=environment_of(server)
    )
    async with client:
        assert (await client.get_event(id=str(event.number))).slug == event.slug
        assert (await client.get_event(slug=event.slug)).id == str(event.number)
        tag = (await client.get_tag(slug=event.tags[0])).id
        assert tag in {each.id async for page in client.list_tags() for each in page.items}
        listed = [each.id async for page in client.list_markets(closed=False) for each in page.items]
        assert str(market.number) in listed and len(listed) == len(set(listed))
        found = [each async for page in client.search(q=event.title.split()[0]) for each in page.items]
        assert found
        pages = client.list_price_history(asset_id=market.token_ids[1], interval="1d", bucket_seconds=3_600)
        points = [point async for page in pages for point in page.items]
        assert 24 <= len(points) <= 26 and {point.resolution_seconds for point in points} == {3_600}
        moment = points[3].timestamp
        (exact,) = [
            point
            async for page in client.list_price_history(asset_id=market.token_ids[1], as_of=moment)
            for point in page.items
        ]
        assert (exact.resolution_seconds, exact.price) == (0, points[3].price) and exact.timestamp <= moment
        traded = next(each for each in server.world.register.markets.values() if each.trading and each.last_trade_micro)
        asked = [*traded.token_ids, *market.token_ids]
        last = await client.get_last_trade_prices(token_ids=asked)
        assert {each.token_id for each in last} >= set(traded.token_ids)
        assert {each.side for each in last} <= {"BUY", "SELL"}
        assert await client.is_gasless_ready() and await client.setup_gasless_wallet() is client
        public = await client.end_authentication()
        assert (await public.get_order_book(token_id=market.token_ids[0])).bids
