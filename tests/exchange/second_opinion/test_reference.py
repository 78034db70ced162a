"""The reference by itself: examples worked by hand from the api sheet, and what must always hold."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings

from tests.exchange.second_opinion import reasons
from tests.exchange.second_opinion.fees import maker_rebates, taker_fee
from tests.exchange.second_opinion.flow import (
    BUY,
    DIRECT,
    FAK,
    FOK,
    GTC,
    GTD,
    MERGE,
    MICRO,
    MINT,
    NO,
    SELL,
    USD,
    YES,
    Advance,
    Deposit,
    Flow,
    Market,
    Operation,
    Outcome,
    PlaceOrder,
    Wallet,
    Withdraw,
)
from tests.exchange.second_opinion.flows import flows
from tests.exchange.second_opinion.venue import Venue

CENT = Market(Fraction("0.01"), Fraction("0.05"), 1, 1_800_000_000_000)


def order(name: str, account: str, token: str, side: str, price: str, shares: str, kind: str = GTC) -> PlaceOrder:
    """An order by price and shares."""
    size = int(Fraction(shares) * MICRO)
    dollars = int(size * Fraction(price))
    maker, taker = (dollars, size) if side == BUY else (size, dollars)
    return PlaceOrder(name, account, token, side, kind, maker, taker)


def run(*operations: Operation, market: Market = CENT) -> list[Outcome]:
    """The outcomes of operations on accounts that each own $100 and 100 of both tokens."""
    venue = Venue(market)
    for account in ("ann", "bob", "cat"):
        for asset in (USD, YES, NO):
            venue.apply(Deposit(account, asset, 100 * MICRO))
    return [venue.apply(operation) for operation in operations]


def test_fee_follows_the_formula() -> None:
    """100 shares at 0.5 and 5 % cost $1.25; half up at the sixth decimal; dust costs nothing."""
    assert taker_fee(100 * MICRO, Fraction("0.5"), Fraction("0.05"), 1) == 1_250_000
    assert taker_fee(600, Fraction("0.5"), Fraction("0.1"), 1) == 20
    assert taker_fee(300, Fraction("0.5"), Fraction("0.1"), 1) == 0


def test_rebates_share_the_pool_by_fee_equivalent() -> None:
    """A fifth of $50 in fees, three to one."""
    made = [("ann", 3 * MICRO, Fraction("0.5")), ("bob", MICRO, Fraction("0.5"))]
    parts = maker_rebates(made, 50 * MICRO, Fraction("0.05"), 1, Fraction("0.2"))
    assert parts == {"ann": 7_500_000, "bob": 2_500_000}


def test_a_buy_takes_the_best_of_direct_and_mirrored() -> None:
    """BUY YES at 0.60 meets BUY NO at 0.42 (as 0.58) before SELL YES at 0.59."""
    *_, last = run(
        order("a", "ann", YES, SELL, "0.59", "10"),
        order("b", "bob", NO, BUY, "0.42", "10"),
        order("c", "cat", YES, BUY, "0.60", "15"),
    )
    assert [(f.price, f.size, f.legs[0].kind) for f in last.fills] == [
        (Fraction("0.58"), 10 * MICRO, MINT),
        (Fraction("0.59"), 5 * MICRO, DIRECT),
    ]
    assert last.wallets["bob"] == Wallet(95_800_000, 100_000_000, 110_000_000)
    assert last.resting == {"a": 5 * MICRO}
    fee = 121_800 + 60_480
    assert last.wallets["cat"].cash == 100_000_000 - 5_800_000 - 2_950_000 - fee


def test_two_sells_merge() -> None:
    """SELL YES at 0.40 meets SELL NO at 0.55 (as 0.45)."""
    *_, last = run(order("a", "ann", NO, SELL, "0.55", "10"), order("b", "bob", YES, SELL, "0.40", "10"))
    assert last.fills[0].price == Fraction("0.45")
    assert last.fills[0].legs[0].kind == MERGE
    assert last.wallets["bob"] == Wallet(104_500_000 - 123_750, 90_000_000, 100_000_000)


def test_time_breaks_ties_across_the_mirror() -> None:
    """A mirrored order that came first trades first at the same price."""
    *_, last = run(
        order("a", "ann", NO, BUY, "0.50", "10"),
        order("b", "bob", YES, SELL, "0.50", "10"),
        order("c", "cat", YES, BUY, "0.50", "15"),
    )
    assert [(leg.order_id, leg.size) for leg in last.fills[0].legs] == [
        ("a", 10 * MICRO),
        ("b", 5 * MICRO),
    ]


def test_market_buy_spends_dollars_and_fok_is_all_or_nothing() -> None:
    """$5 at 0.37 or better buys at 0.25 first; one dollar too many kills it."""
    asks = (order("a", "ann", YES, SELL, "0.25", "8"), order("b", "bob", YES, SELL, "0.37", "9"))
    *_, killed = run(*asks, PlaceOrder("c", "cat", YES, BUY, FOK, 6_000_000, 16_216_200))
    assert killed.reasons == {reasons.FOK_KILLED}
    *_, filled = run(*asks, PlaceOrder("c", "cat", YES, BUY, FOK, 5_000_000, 13_513_500))
    assert [fill.size for fill in filled.fills] == [8_000_000, 8_108_108]
    *_, partly = run(*asks, PlaceOrder("c", "cat", YES, BUY, FAK, 6_000_000, 16_216_200))
    assert [fill.size for fill in partly.fills] == [8_000_000, 9_000_000]


def test_shares_rounded_up_never_fill() -> None:
    """A market BUY whose shares are rounded up has a limit one step below the ask."""
    ask = order("a", "ann", YES, SELL, "0.37", "50")
    *_, killed = run(ask, PlaceOrder("c", "cat", YES, BUY, FAK, 10_000_000, 27_027_100))
    assert killed.reasons == {reasons.FAK_KILLED}


def test_gtd_dies_a_minute_early() -> None:
    """Three minutes ahead is just enough, and lives two."""
    early = PlaceOrder("a", "ann", YES, BUY, GTD, 2_500_000, 5_000_000, 1_800_000_179)
    good = PlaceOrder("b", "ann", YES, BUY, GTD, 2_500_000, 5_000_000, 1_800_000_180)
    refused, taken, alive, dead = run(early, good, Advance(119_999), Advance(1))
    assert refused.reasons == {reasons.EXPIRATION}
    assert taken.accepted and alive.resting == {"b": 5_000_000}
    assert dead.resting == {} and dead.removed == {"b"}


def test_open_orders_hold_back_and_the_newest_goes_first() -> None:
    """$100 covers two BUYs of $40 and their fees, not a third; losing $40 drops the second."""
    first = order("a", "ann", YES, BUY, "0.50", "80")
    second = order("b", "ann", NO, BUY, "0.40", "100")
    third = order("c", "ann", YES, BUY, "0.50", "40")
    *_, two, three, after = run(first, second, third, Withdraw("ann", USD, 40 * MICRO))
    assert two.accepted and three.reasons == {reasons.BALANCE}
    assert after.removed == {"b"} and after.resting == {"a": 80 * MICRO}


def total(outcome: Outcome, asset: str) -> int:
    """All that the accounts own of an asset, in micro-units."""
    return sum(getattr(wallet, asset) for wallet in outcome.wallets.values())


@settings(max_examples=100, derandomize=True, deadline=None)
@given(flows())
def test_nothing_is_made_or_lost(flow: Flow) -> None:
    """No wallet is below nothing; trades change YES and NO alike, and lose only fees and dust."""
    venue = Venue(flow.market)
    before = Outcome()
    for operation in flow.operations:
        after = venue.apply(operation)
        for account, wallet in after.wallets.items():
            assert min(wallet.cash, wallet.yes, wallet.no) >= 0, account
        assert all(left > 0 for left in after.resting.values())
        if isinstance(operation, PlaceOrder):
            pairs = total(after, "yes") - total(before, "yes")
            assert pairs == total(after, "no") - total(before, "no")
            lost = total(before, "cash") - total(after, "cash") - pairs
            dust = lost - sum(fill.fee for fill in after.fills)
            assert 0 <= dust <= sum(1 + len(fill.legs) for fill in after.fills)
        before = after
