"""Markets resolved by order: at once, finally, and never against what their event has already decided."""

from __future__ import annotations

import pytest

from practice_exchange.world.state import EventState

from .chain_user import ChainUser
from .trading_venue import quiet_market

TEN = 10_000_000


@pytest.fixture
def user() -> ChainUser:
    return ChainUser()


@pytest.mark.parametrize(("winner", "payouts"), [(0, [1, 0]), (1, [0, 1]), (None, [0.5, 0.5])])
def test_a_market_is_resolved_at_once(user: ChainUser, winner: int | None, payouts: list[float]) -> None:
    market = user.market
    user.split(market, TEN)
    assert user.post(user.order(2, 100))[1]["status"] == "live"
    status, told = user.control("resolve", condition_id=market.condition_id, winner=winner)
    assert status == 200 and told["payouts"] == payouts
    assert user.send("GET", "/data/orders")[1]["data"] == []
    assert [row["currentValue"] for row in sorted(user.told("/positions"), key=lambda row: row["outcomeIndex"])] == [
        10 * payout for payout in payouts
    ]
    assert "error" not in user.redeem(market)
    assert user.trading.venue_engine.engine.account(user.wallet.funder).collateral.balance_micro == 10_000_000_000
    found = user.exchange.handle("GET", "/gamma/markets", f"condition_ids={market.condition_id}&closed=true")
    assert found.status == 200 and b'"closed":true' in found.body
    status, told = user.control("resolve", condition_id=market.condition_id, winner=0)
    assert status == 422 and "final" in told["error"]


@pytest.mark.parametrize("number", [0, 1])
def test_the_rest_of_an_event_agrees(user: ChainUser, number: int) -> None:
    event = grouped(user)
    chosen, others = event.markets[number], [each for each in event.markets if each is not event.markets[number]]
    user.split(chosen, TEN)
    assert user.control("resolve", condition_id=others[-1].condition_id, winner=1)[0] == 200
    assert user.control("resolve", condition_id=chosen.condition_id, winner=0)[0] == 200
    status, told = user.control("resolve", condition_id=others[0].condition_id, winner=0)
    assert status == 422 and "no truth" in told["error"]
    status, told = user.control("resolve", condition_id=others[0].condition_id, winner=None)
    assert status == 422 and "exactly one winner" in told["error"]
    user.pass_time((event.end_ms - user.world.now_ms) // 1000 + 40 * 86_400)
    assert [each.payouts_micro for each in event.markets] == [
        [1_000_000, 0] if each is chosen else [0, 1_000_000] for each in event.markets
    ]


@pytest.mark.parametrize(
    "content",
    [{}, {"condition_id": "0x12", "winner": 0}, {"condition_id": "0x12", "winner": 2}, {"condition_id": "x"}],
)
def test_nonsense_resolves_nothing(user: ChainUser, content: dict[str, object]) -> None:
    assert user.control("resolve", **content)[0] == 422


def grouped(user: ChainUser) -> EventState:
    return user.world.register.events[quiet_market(user.world, negative_risk=True).event_number]
