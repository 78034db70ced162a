"""Whatever an account does, the Data API's positions have its balances, and their costs and profits explain its dollars."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polymarket_kit.signing.contracts import NEGATIVE_RISK_ADAPTER
from polymarket_kit.signing.eip712 import bytes32, uint256
from practice_exchange.chain import calldata

from .chain_user import ChainUser
from .trading_user import NOW_S
from .trading_venue import quiet_market

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["split", "split", "merge", "convert", "buy", "redeem", "resolve"]),
        st.integers(0, 7),
        st.integers(1, 9_999_999),
    ),
    min_size=3,
    max_size=12,
)


def walk(user: ChainUser, steps: list[tuple[str, int, int]]) -> None:
    """Do what the steps say; what the chain or the exchange refuses is simply not done."""
    plain, grouped = user.market, quiet_market(user.world, negative_risk=True)
    event = user.world.register.events[grouped.event_number]
    markets = [plain, grouped, *event.markets]
    for name, number, amount in steps:
        market = markets[number % len(markets)]
        if name == "split":
            user.split(market, amount)
        elif name == "merge":
            user.merge(market, amount)
        elif name == "redeem":
            user.redeem(market)
        elif name == "convert":
            data = calldata.CONVERT + bytes32(event.negative_risk_market_id) + uint256(number or 1) + uint256(amount)
            user.transact(NEGATIVE_RISK_ADAPTER, data)
        elif name == "buy":
            user.post(user.order(-(-plain.book.best_ask_micro // 10_000), 5 + number))
            user.pass_time(10)
        elif not market.closed:
            user.control("resolve", condition_id=market.condition_id, winner=number % 2)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(STEPS)
def test_positions_explain_the_dollars(steps: list[tuple[str, int, int]]) -> None:
    user = ChainUser()
    # Log-ins are dated by the start; this machine's clock stays there while the exchange's goes on.
    user.machine_s = float(NOW_S)
    walk(user, steps)
    account = user.trading.venue_engine.engine.account(user.wallet.funder)
    held = user.told("/positions", "sizeThreshold=0&limit=500")
    over = user.told("/closed-positions", "limit=50")
    balances = {token: each.balance_micro / 1_000_000 for token, each in account.shares.items() if each.balance_micro}
    assert {row["asset"]: row["size"] for row in held} == balances
    trades = user.told("/activity", "type=TRADE&limit=500")
    explained = sum(row["realizedPnl"] for row in [*held, *over]) - sum(row["initialValue"] for row in held)
    change = (account.collateral.balance_micro - 10_000_000_000) / 1_000_000
    # What profits and costs leave unexplained is fees, which only trades have.
    paid = explained - change
    assert paid >= sum(row["entryFeesUsdc"] for row in held) - 1e-4
    assert paid <= 0.05 * sum(row["usdcSize"] for row in trades) + 1e-4
