"""Where the exchange's time passes by itself, its websockets tell what happens without anybody asking."""

from __future__ import annotations

from practice_exchange.app.server import PracticeServer
from practice_exchange.world.world import World

from .conftest import START
from .stream_client import Trader, connect
from .trading_venue import quiet_market


async def test_events_come_as_time_passes() -> None:
    world = World(7, 60, START)
    server = PracticeServer(world, trading=True, speed=600.0)
    await server.start()
    try:
        async with connect(server.market_ws_url) as reader, connect(server.user_ws_url) as user:
            markets = [market for market in world.register.markets.values() if market.trading]
            await reader.subscribe(*(token_id for market in markets[:100] for token_id in market.token_ids))
            trader, market = Trader(server), quiet_market(world)
            await user.say(trader.login())
            await user.rest()
            trader.placed(market, market.book.best_ask_micro // 10_000, 10)
            statuses: list[str] = []
            while len(statuses) < 3:
                statuses.append((await user.until("trade"))["status"])
            assert statuses == ["MATCHED", "MINED", "CONFIRMED"]
            # The world's own traders quote and trade.
            while (await reader.until("price_change"))["market"] == market.condition_id:
                pass
            await reader.until("last_trade_price")
    finally:
        await server.stop()
