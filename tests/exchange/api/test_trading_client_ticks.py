"""The official order-book client at all six ticks: its limit orders are taken, its market orders as far as four decimals go."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import MarketOrderArgsV2, OrderArgsV2, OrderType
from py_clob_client_v2.exceptions import PolyApiException

from polymarket_kit.rules import ROUNDING
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.state import MarketState

from .trading_http import funded_wallet, serve_in_thread
from .trading_venue import quiet_market

PRECISION = "the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 decimals"


@pytest.fixture(scope="module")
def server() -> Iterator[PracticeServer]:
    with serve_in_thread() as served:
        yield served


@pytest.fixture(scope="module")
def market(server: PracticeServer) -> MarketState:
    return quiet_market(server.world)


def put_on_tick(server: PracticeServer, market: MarketState, tick_micro: int) -> None:
    """Give the market another tick, and a book of its makers on that grid: a bid at 0.4, an offer at 0.6."""
    market.tick_micro = tick_micro
    server.world.revision += 1
    assert server.exchange.trading is not None
    server.exchange.trading.venue_engine.enter(market)
    market.book.quote([400_000], [900_000_000], [600_000], [900_000_000])


def client_for(server: PracticeServer, tick_micro: int) -> ClobClient:
    """A fresh client for each tick, as it never forgets one."""
    client = ClobClient(server.clob_url, 137, key=funded_wallet(server, f"tick {tick_micro}").private_key)
    client.set_api_creds(client.create_or_derive_api_key())
    return client


@pytest.mark.fidelity(
    "Limit orders that the float client makes are taken at every tick, at every price of the grid that was tried",
    area="Orders",
    evidence="official client",
    source="py-clob-client-v2 1.2.1, ROUNDING_CONFIG",
)
@pytest.mark.parametrize("tick_micro", sorted(ROUNDING))
def test_limit_orders_are_taken_at_every_tick(server: PracticeServer, market: MarketState, tick_micro: int) -> None:
    put_on_tick(server, market, tick_micro)
    client = client_for(server, tick_micro)
    assert Decimal(client.get_tick_size(market.token_ids[0])) == Decimal(tick_micro) / 1_000_000
    for number in range(12):
        price = tick_micro * (1 + number * 7_919 % (400_000 // tick_micro)) / 1_000_000
        size = 5 + number * 3.37
        placed = client.create_and_post_order(
            OrderArgsV2(token_id=market.token_ids[0], price=price, size=size, side="BUY")
        )
        assert placed["status"] == "live", (price, size)
        assert Decimal(client.get_order(placed["orderID"])["price"]) == Decimal(str(price))
    assert len(client.cancel_all()["canceled"]) == 12


@pytest.mark.fidelity(
    "Market orders that the float client makes are taken with four decimals of shares and refused with more, at every tick",
    area="Official clients",
    evidence="field report",
    source="py-clob-client-v2 issue 99",
)
@pytest.mark.parametrize("tick_micro", sorted(ROUNDING))
def test_market_orders_are_taken_up_to_four_decimals(
    server: PracticeServer, market: MarketState, tick_micro: int
) -> None:
    put_on_tick(server, market, tick_micro)
    client = client_for(server, tick_micro)
    fates = set()
    for cents in (300, 307, 313, 331, 349, 350):
        args = MarketOrderArgsV2(
            token_id=market.token_ids[0], amount=cents / 100, side="BUY", price=0.6, order_type=OrderType.FAK
        )
        signed = client.create_market_order(args)
        fine = int(signed.takerAmount) % 100 == 0
        fates.add(fine)
        if fine:
            assert client.post_order(signed, OrderType.FAK, defer_exec=True)["status"] == "matched", cents
        else:
            with pytest.raises(PolyApiException, match=PRECISION):
                client.post_order(signed, OrderType.FAK)
    # Coarse ticks never sign a fifth decimal, fine ones do wherever a third does not come out even.
    assert fates == ({True} if tick_micro >= 10_000 else {True, False})
