"""What people do on the chain: sets made and taken apart, resolutions paid once, negative-risk shares converted."""

from __future__ import annotations

import pytest

from polymarket_kit.model import Payout
from polymarket_kit.values import MICRO
from practice_exchange.engine import positions
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.engine.markets import MarketSpec
from practice_exchange.engine.matching import Exchange
from tests.exchange.engine.harness import MARKET, NO, NOW_MS, YES, EngineHarness, check_books, outstanding, wealth

HALF = MICRO // 2


@pytest.mark.fidelity(
    "A dollar splits into one share of each outcome, and merges back",
    area="Settlement",
    evidence="specification",
    source="positions",
)
def test_split_and_merge_are_inverse() -> None:
    harness = EngineHarness()
    harness.fund("ann", dollars=10, sets=0)
    exchange = harness.exchange
    assert exchange.split("ann", MARKET, 7 * MICRO, NOW_MS) is None
    assert (harness.dollars("ann").balance_micro, harness.shares("ann").balance_micro) == (3 * MICRO, 7 * MICRO)
    assert outstanding(exchange, YES) == outstanding(exchange, NO) == exchange.market(MARKET).state.locked_micro
    assert exchange.merge("ann", MARKET, 7 * MICRO, NOW_MS) is None
    assert harness.dollars("ann").balance_micro == 10 * MICRO
    assert exchange.market(MARKET).state.locked_micro == 0


@pytest.mark.parametrize("amount", [0, -1, 11 * MICRO])
def test_nobody_moves_what_is_not_there(amount: int) -> None:
    harness = EngineHarness()
    harness.fund("ann", dollars=10, sets=5)
    rich = wealth(harness.exchange)
    for answer in (
        harness.exchange.split("ann", MARKET, amount, NOW_MS),
        harness.exchange.merge("ann", MARKET, amount, NOW_MS),
        harness.exchange.withdraw("ann", amount, NOW_MS),
        harness.exchange.transfer("ann", "bob", YES, amount, NOW_MS),
        harness.exchange.transfer("ann", "bob", COLLATERAL, amount, NOW_MS),
    ):
        assert answer == positions.BALANCE_EXCEEDED
    assert harness.exchange.split("ann", "other", 1, NOW_MS) == positions.UNKNOWN_MARKET
    assert wealth(harness.exchange) == rich
    with pytest.raises(ValueError, match="negative"):
        harness.exchange.deposit("ann", -1)


def test_transfers() -> None:
    harness = EngineHarness()
    harness.fund("ann")
    assert harness.exchange.transfer("ann", "bob", YES, 3 * MICRO, NOW_MS) is None
    assert harness.exchange.transfer("ann", "bob", COLLATERAL, 4 * MICRO, NOW_MS) is None
    assert (harness.shares("bob").balance_micro, harness.dollars("bob").balance_micro) == (3 * MICRO, 4 * MICRO)


@pytest.mark.fidelity(
    "Redeeming burns all shares and pays the payout once",
    area="Settlement",
    evidence="specification",
    source="positions",
)
@pytest.mark.parametrize(
    ("payouts", "paid"), [((MICRO, 0), 30_000_000), ((0, MICRO), 7_500_001), ((HALF, HALF), 18_750_000)]
)
def test_a_resolution_pays_its_vector_once(payouts: tuple[int, int], paid: int) -> None:
    harness = EngineHarness()
    harness.fund("ann", sets=0)
    harness.fund("bob", sets=100)
    exchange = harness.exchange
    exchange.transfer("bob", "ann", YES, 30 * MICRO, NOW_MS)
    exchange.transfer("bob", "ann", NO, 7_500_001, NOW_MS)
    rich = wealth(exchange)
    assert exchange.redeem("ann", MARKET, NOW_MS) == positions.NOT_RESOLVED
    exchange.resolve_market(Payout(MARKET, (YES, NO), payouts), NOW_MS)
    assert exchange.redeem("ann", MARKET, NOW_MS) == paid
    assert exchange.redeem("ann", MARKET, NOW_MS) == positions.NOTHING_TO_REDEEM
    assert harness.dollars("ann").balance_micro == 1_000 * MICRO + paid
    assert isinstance(exchange.redeem("bob", MARKET, NOW_MS), int)
    assert wealth(exchange) == rich
    # Half micro-dollars stay behind; nothing else does.
    assert 0 <= exchange.market(MARKET).state.locked_micro <= 1


def test_a_resolution_is_final_and_well_formed() -> None:
    harness = EngineHarness()
    exchange = harness.exchange
    with pytest.raises(ValueError, match=r"1/0, 0/1 or 0\.5/0\.5"):
        exchange.resolve_market(Payout(MARKET, (YES, NO), (700_000, 300_000)), NOW_MS)
    with pytest.raises(ValueError, match="another order"):
        exchange.resolve_market(Payout(MARKET, (NO, YES), (MICRO, 0)), NOW_MS)
    exchange.resolve_market(Payout(MARKET, (YES, NO), (MICRO, 0)), NOW_MS)
    exchange.resolve_market(Payout(MARKET, (YES, NO), (MICRO, 0)), NOW_MS)
    with pytest.raises(ValueError, match="final"):
        exchange.resolve_market(Payout(MARKET, (YES, NO), (0, MICRO)), NOW_MS)


def test_trades_matched_before_the_resolution_still_settle() -> None:
    harness = EngineHarness()
    harness.fund("ann", "bob", sets=100)
    harness.buy("ann", "0.50", 10)
    harness.buy("bob", "0.50", 10, NO)
    harness.exchange.resolve_market(Payout(MARKET, (YES, NO), (MICRO, 0)), NOW_MS)
    harness.settle()
    assert harness.exchange.redeem("ann", MARKET, harness.now_ms) == 110 * MICRO
    assert harness.exchange.redeem("bob", MARKET, harness.now_ms) == 100 * MICRO
    assert harness.exchange.market(MARKET).state.locked_micro == 0
    check_books(harness.exchange)


def negative_risk(count: int) -> Exchange:
    exchange = Exchange()
    for number in range(count):
        exchange.list_market(MarketSpec(f"c{number}", (f"y{number}", f"n{number}"), event_id="race"))
    exchange.deposit("ann", 1_000 * MICRO)
    for number in range(count):
        assert exchange.split("ann", f"c{number}", 100 * MICRO, NOW_MS) is None
        assert exchange.transfer("ann", "bank", f"y{number}", 100 * MICRO, NOW_MS) is None
    return exchange


@pytest.mark.fidelity(
    "Negative-risk conversion keeps the worth, whoever wins",
    area="Settlement",
    evidence="specification",
    source="negative risk",
)
@pytest.mark.parametrize("chosen", [(0,), (0, 2), (1, 2, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("winner", [0, 1, 3])
def test_conversion_is_worth_the_same_whoever_wins(chosen: tuple[int, ...], winner: int) -> None:
    """The converted account ends with what the NO shares would have paid, and the vault ends at zero."""
    results = []
    for converts in (False, True):
        exchange = negative_risk(4)
        rich = wealth(exchange)
        if converts:
            ids = [f"c{number}" for number in chosen]
            assert exchange.convert("ann", "race", ids, 40 * MICRO, NOW_MS) is None
            ann = exchange.account("ann")
            assert ann.collateral.balance_micro == (600 + 40 * (len(chosen) - 1)) * MICRO
            for number in range(4):
                held = 0 if number in chosen else 40 * MICRO
                assert ann.holding(f"y{number}").balance_micro == held
                assert outstanding(exchange, f"y{number}") == outstanding(exchange, f"n{number}")
            assert wealth(exchange) == rich
        for number in range(4):
            payouts = (MICRO, 0) if number == winner else (0, MICRO)
            exchange.resolve_market(Payout(f"c{number}", (f"y{number}", f"n{number}"), payouts), NOW_MS)
            for name in ("ann", "bank"):
                exchange.redeem(name, f"c{number}", NOW_MS)
        assert wealth(exchange) == rich
        assert all(vault.collateral.balance_micro == 0 for vault in exchange.core.vaults.values())
        assert all(market.state.locked_micro == 0 for market in exchange.core.markets.values())
        results.append([exchange.account(name).collateral.balance_micro for name in ("ann", "bank")])
    assert results[0] == results[1]


def test_what_cannot_be_converted() -> None:
    exchange = negative_risk(3)
    other = MarketSpec("single", ("ys", "ns"))
    exchange.list_market(other)
    refused = positions.NOT_CONVERTIBLE
    assert exchange.convert("ann", "race", [], MICRO, NOW_MS) == refused
    assert exchange.convert("ann", "race", ["c0", "c0"], MICRO, NOW_MS) == refused
    assert exchange.convert("ann", "race", ["c0", "single"], MICRO, NOW_MS) == refused
    assert exchange.convert("ann", "", ["single"], MICRO, NOW_MS) == refused
    assert exchange.convert("ann", "race", ["c0"], 101 * MICRO, NOW_MS) == positions.BALANCE_EXCEEDED
    exchange.resolve_market(Payout("c0", ("y0", "n0"), (MICRO, 0)), NOW_MS)
    assert exchange.convert("ann", "race", ["c1"], MICRO, NOW_MS) == refused
    for payouts in ((MICRO, 0), (HALF, HALF)):
        with pytest.raises(ValueError, match="exactly one winner"):
            exchange.resolve_market(Payout("c1", ("y1", "n1"), payouts), NOW_MS)
