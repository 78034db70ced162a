"""What a position's fees and a conversion's surplus become when shares are given up again."""

from __future__ import annotations

import pytest

from polymarket_kit.model import Side
from polymarket_kit.signing.contracts import NEGATIVE_RISK_ADAPTER
from polymarket_kit.signing.eip712 import bytes32, uint256
from practice_exchange.chain import calldata

from .chain_user import ChainUser
from .trading_user import NOW_S
from .trading_venue import quiet_market

TEN = 10_000_000


@pytest.fixture
def user() -> ChainUser:
    user = ChainUser()
    # Log-ins are dated by the start; this machine's clock stays there while the exchange's goes on.
    user.machine_s = float(NOW_S)
    return user


def test_entry_fees_leave_with_the_shares_that_are_sold(user: ChainUser) -> None:
    assert user.post(user.order(user.market.book.best_ask_micro // 10_000, 20))[1]["status"] == "matched"
    user.pass_time(10)
    whole = user.told("/positions")[0]
    dollars = 15 * user.market.book.best_bid_micro
    sale = user.order(side=Side.SELL, maker_amount_micro=15_000_000, taker_amount_micro=dollars)
    assert user.post(sale)[1]["status"] == "matched"
    user.pass_time(10)
    rest = user.told("/positions")[0]
    assert (whole["size"], rest["size"]) == (20, 5)
    assert whole["entryFeesUsdc"] > 0
    assert rest["entryFeesUsdc"] == pytest.approx(whole["entryFeesUsdc"] / 4, abs=1e-5)
    assert rest["grossInitialValue"] == pytest.approx(rest["initialValue"] + rest["entryFeesUsdc"], abs=1e-9)


def test_dollars_beyond_the_cost_of_converted_shares_are_profit(user: ChainUser) -> None:
    market = quiet_market(user.world, negative_risk=True)
    event = user.world.register.events[market.event_number]
    given = event.markets[:4]
    for each in given:
        assert "error" not in user.split(each, TEN)
    words = bytes32(event.negative_risk_market_id) + uint256(0b1111) + uint256(TEN)
    assert "error" not in user.transact(NEGATIVE_RISK_ADAPTER, calldata.CONVERT + words)
    rows = user.told("/positions", "sizeThreshold=0") + user.told("/closed-positions")
    # Four NO of half a dollar each were given up for three dollars; the YES that came of it cost nothing.
    assert sum(row["realizedPnl"] for row in rows) == pytest.approx(10.0, abs=1e-6)
    dollars = user.trading.venue_engine.engine.account(user.wallet.funder).collateral.balance_micro
    assert dollars == 10_000_000_000 - 4 * TEN + 3 * TEN
