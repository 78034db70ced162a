"""The venue's newest SDK on a bad day: it understands the limits' headers, the restricted modes, refusals and notifications."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from polymarket.clients.async_secure import AsyncSecureClient
from polymarket.errors import PolymarketError, RateLimitError
from polymarket.models.clob.notifications import (
    MarketResolvedNotification,
    OrderCancellationNotification,
    OrderFillFailedNotification,
    OrderFillNotification,
)
from polymarket.rate_limit import RateLimitUpdate

from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState

from .test_trading_sdk import environment_of, world_of
from .trading_venue import open_exchange, quiet_market, trading_of, wallet_of_type


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange(30) as served:
        yield served


@pytest.fixture
def market(server: PracticeServer) -> MarketState:
    return quiet_market(world_of(server))


@pytest.fixture
def updates() -> list[RateLimitUpdate]:
    return []


@pytest.fixture
async def client(server: PracticeServer, updates: list[RateLimitUpdate]) -> AsyncIterator[AsyncSecureClient]:
    wallet = wallet_of_type(trading_of(server), "eoa")
    made = await AsyncSecureClient.create(
        private_key=wallet.private_key,
        wallet=wallet.funder,
        environment=environment_of(server),
        on_rate_limit_update=updates.append,
    )
    async with made:
        yield made


def tell(server: PracticeServer, control: str, **wanted: object) -> None:
    answer = server.exchange.handle("POST", f"/practice/{control}", "", json.dumps(wanted).encode())
    assert answer.status in (200, 201), answer.body


@pytest.mark.fidelity(
    "Orders and cancels tell what is left of their signer's bucket in `Poly-RateLimit-Remaining`, `-Reset` and `-Tier`",
    area="Limits and modes",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
async def test_the_sdk_reads_what_is_left_and_when_to_come_back(
    server: PracticeServer, client: AsyncSecureClient, market: MarketState, updates: list[RateLimitUpdate]
) -> None:
    tell(server, "limits", on=True, per_second=1, burst=2)
    token = market.token_ids[0]
    for _ in range(2):
        assert (await client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY")).ok
    with pytest.raises(RateLimitError) as caught:
        await client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY")
    assert caught.value.retry_after == 1
    assert [(update.remaining, update.tier, update.warning) for update in updates[:2]] == [
        (1, "Custom", False),
        (0, "Custom", False),
    ]
    last = caught.value.rate_limit
    assert last is not None and last.reset is not None and updates[-1] == last
    assert len((await client.cancel_all()).canceled) == 2
    assert updates[-1].remaining == 1, "cancels have twice as many, and this one cost three"


async def test_the_sdk_hears_how_long_the_post_only_window_lasts(
    server: PracticeServer, client: AsyncSecureClient, market: MarketState
) -> None:
    token = market.token_ids[0]
    tell(server, "mode", mode="post_only", seconds=79)
    with pytest.raises(PolymarketError) as caught:
        await client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY")
    assert getattr(caught.value, "retry_after", None) == 79
    placed = await client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY", post_only=True)
    assert placed.ok
    for mode in ("restart", "disabled", "cancel_only"):
        tell(server, "mode", mode=mode)
        with pytest.raises(PolymarketError):
            await client.place_limit_order(token_id=token, price="0.03", size=10, side="BUY")
    assert list((await client.cancel_all()).canceled) == [placed.order_id]


@pytest.mark.fidelity(
    "Notifications have the venue's form: cancelled, filled and failed orders, and resolved markets",
    area="Account",
    evidence="official client",
    source="polymarket-client 0.14.0",
)
async def test_the_sdk_reads_and_drops_notifications(
    server: PracticeServer, client: AsyncSecureClient, market: MarketState
) -> None:
    world, token = world_of(server), market.token_ids[0]
    resting = await client.place_limit_order(token_id=token, price="0.02", size=10, side="BUY")
    assert resting.ok
    await client.cancel_all()
    bought = await client.place_market_order(token_id=token, amount=5, side="BUY")
    assert bought.ok and bought.status == "matched"
    world.step(world.now + timedelta(minutes=1))
    tell(server, "faults", kind="failed_settlement")
    ghost = await client.place_market_order(token_id=token, amount=5, side="BUY")
    assert ghost.ok and ghost.status == "matched"
    world.step(world.now + timedelta(minutes=1))
    trading_of(server).advance()
    tell(server, "faults", kind="end", market=market.condition_id)
    world.step(world.now + timedelta(days=6))
    trading_of(server).advance()
    told = list(await client.get_notifications())
    assert [type(each) for each in told] == [
        OrderCancellationNotification,
        OrderFillNotification,
        OrderFillNotification,
        OrderFillFailedNotification,
        MarketResolvedNotification,
    ]
    cancelled, filled, _, failed, resolved = told
    assert isinstance(cancelled, OrderCancellationNotification) and cancelled.payload.order_id == resting.order_id
    assert isinstance(filled, OrderFillNotification) and filled.payload.trade_id == bought.trade_ids[0]
    assert filled.payload.matched_size == bought.taking_amount and filled.payload.transaction_hash is not None
    assert isinstance(failed, OrderFillFailedNotification) and failed.payload.order_id == ghost.order_id
    assert isinstance(resolved, MarketResolvedNotification) and resolved.payload.closed
    assert [token.winner for token in resolved.payload.tokens].count(True) == 1
    await client.drop_notifications(ids=[each.id for each in told[:4]])
    assert [each.id for each in await client.get_notifications()] == [resolved.id]


@pytest.mark.parametrize(
    "kind",
    ["401", "403", "404", "425", "429", "html", "portal", "refused", "reset", "version", "500", "hang_up", "garbage"],
)
async def test_the_sdk_says_that_something_is_wrong(
    server: PracticeServer, client: AsyncSecureClient, market: MarketState, kind: str
) -> None:
    tell(server, "faults", kind=kind, path="/clob/order", method="POST")
    with pytest.raises(PolymarketError):
        await client.place_limit_order(token_id=market.token_ids[0], price="0.02", size=10, side="BUY")
