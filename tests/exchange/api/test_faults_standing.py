"""Faults that hold until they are cleared: settlements, balances, clocks, expiries, addresses; and what happens to markets."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from polymarket_kit.model import OrderType, Side
from practice_exchange.engine.settlement import TradeStatus

from .test_faults_requests import ask, control, order_fault, post
from .trading_user import NOW_S, Venue
from .trading_venue import wallet_of_type


def pass_time(venue: Venue, seconds: float) -> None:
    """Move the exchange's time; this machine's stays near that of the log-ins."""
    venue.machine_s = float(NOW_S)
    venue.world.step(venue.world.now + timedelta(seconds=seconds))
    venue.trading.advance()


def buy_at_ask(venue: Venue, shares: int = 5) -> None:
    """Take what there is at the best price, and let nothing rest."""
    cents = venue.market.book.best_ask_micro // 10_000
    posted = msgspec.structs.replace(venue.order(cents, shares), order_type=OrderType.FAK)
    answer = json.loads(post(venue, posted).body)
    assert answer["status"] == "matched", answer


def statuses(venue: Venue) -> list[TradeStatus]:
    engine = venue.trading.venue_engine.engine
    numbers = venue.trading.venue_engine.trades_of[venue.wallet.funder]
    return [trade.status for number in numbers if (trade := engine.trade(number)) is not None]


def balance(venue: Venue, token_id: str = "") -> int:
    query = f"asset_type=CONDITIONAL&token_id={token_id}" if token_id else "asset_type=COLLATERAL"
    return int(json.loads(ask(venue, "GET", "/balance-allowance", query=query).body)["balance"])


# Settlement


@pytest.mark.fidelity(
    "A trade may fail after RETRYING, and leaves every balance as it was",
    area="Settlement",
    evidence="field report",
    source="py-clob-client issue 338: about 35 % of market buys in one week",
)
def test_a_third_of_all_settlements_may_fail() -> None:
    venue = Venue()
    order_fault(venue, "failed_settlement", rate=0.35)
    before = balance(venue)
    for _ in range(100):
        buy_at_ask(venue)
        pass_time(venue, 2)
    pass_time(venue, 60)
    ended = statuses(venue)
    failed = ended.count(TradeStatus.FAILED)
    assert 23 <= failed * 100 / len(ended) <= 47 and ended.count(TradeStatus.CONFIRMED) == len(ended) - failed
    engine, numbers = venue.trading.venue_engine.engine, venue.trading.venue_engine.trades_of[venue.wallet.funder]
    settled = [
        trade
        for number in numbers
        if (trade := engine.trade(number)) is not None and trade.status is TradeStatus.CONFIRMED
    ]
    assert balance(venue, venue.market.token_ids[0]) == sum(trade.size_micro for trade in settled)
    assert before - balance(venue) == sum(trade.cost_micro + trade.fee_micro for trade in settled)
    again = Venue()
    order_fault(again, "failed_settlement", rate=0.35)
    for _ in range(100):
        buy_at_ask(again)
        pass_time(again, 2)
    pass_time(again, 60)
    assert statuses(again) == ended, "the same seed has the same failures"


def test_trades_may_be_tried_again_and_wait() -> None:
    venue = Venue()
    order_fault(venue, "retrying", retries=2)
    order_fault(venue, "slow_settlement", seconds=600)
    buy_at_ask(venue)
    pass_time(venue, 599)
    assert statuses(venue) == [TradeStatus.MATCHED]
    pass_time(venue, 2)
    assert statuses(venue) == [TradeStatus.RETRYING]
    pass_time(venue, 10)
    assert statuses(venue) == [TradeStatus.CONFIRMED]
    assert control(venue, "DELETE")[0] == 200
    buy_at_ask(venue)
    pass_time(venue, 10)
    assert statuses(venue)[-1] is TradeStatus.CONFIRMED, "what is cleared holds no more"


def test_what_happens_among_the_worlds_own_traders_settles_smoothly() -> None:
    venue = Venue()
    post(venue, venue.order())
    order_fault(venue, "failed_settlement", rate=1)
    pass_time(venue, 3 * 3600)
    trades = venue.trading.venue_engine.engine.core.trades.values()
    assert len(list(trades)) > 0
    assert not any(trade.status is TradeStatus.FAILED for trade in trades)


# Balances


@pytest.mark.fidelity(
    "Balances may be out of date: a sale right after a match is refused until the balance is asked to be updated",
    area="Account",
    evidence="field report",
    source="py-clob-client issues 109 and 274",
)
def test_a_balance_may_be_out_of_date_until_it_is_updated() -> None:
    venue = Venue()
    token, dollars = venue.market.token_ids[0], balance(venue)
    order_fault(venue, "stale_balance", seconds=3600)
    buy_at_ask(venue, 10)
    pass_time(venue, 10)
    assert balance(venue) == dollars and balance(venue, token) == 0
    bid_cents = venue.market.book.best_bid_micro // 10_000
    refused = post(venue, selling(venue, bid_cents, 10))
    text = "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000"
    assert (refused.status, json.loads(refused.body)) == (400, {"error": text})
    query = f"asset_type=CONDITIONAL&token_id={token}"
    assert ask(venue, "GET", "/balance-allowance/update", query=query).status == 200
    assert balance(venue, token) == 10_000_000 and balance(venue) == dollars
    assert json.loads(post(venue, selling(venue, bid_cents, 10)).body)["success"] is True
    control(venue, "DELETE", {"kind": "stale_balance"})
    assert balance(venue) < dollars


def test_a_stale_balance_refreshes_itself_after_its_time() -> None:
    venue = Venue()
    token = venue.market.token_ids[0]
    order_fault(venue, "stale_balance", seconds=60)
    buy_at_ask(venue, 10)
    engine = venue.trading.venue_engine.engine
    venue.world.step(venue.world.now + timedelta(seconds=10))
    venue.trading.advance()
    assert engine.account(venue.wallet.funder).shares[token].balance_micro == 10_000_000
    account = engine.account(venue.wallet.funder)
    assert venue.trading.balances.shown_micro(account, token) == 0
    venue.machine_s += 61
    assert venue.trading.balances.shown_micro(account, token) == 10_000_000


def selling(venue: Venue, cents: int, shares: int) -> Any:
    micro = 1_000_000
    return venue.order(
        cents,
        shares,
        side=Side.SELL,
        maker_amount_micro=shares * micro,
        taker_amount_micro=cents * shares * 10_000,
    )


# Clocks


def test_a_clock_may_be_wrong_on_the_exchanges_side() -> None:
    venue = Venue()
    order_fault(venue, "clock_skew", seconds=3600)
    assert json.loads(venue.exchange.handle("GET", "/clob/time").body) == NOW_S + 3600
    assert ask(venue, "GET", "/data/orders").status == 401
    order_fault(venue, "clock_skew", seconds=-30)
    assert ask(venue, "GET", "/data/orders").status == 200
    control(venue, "DELETE")
    assert json.loads(venue.exchange.handle("GET", "/clob/time").body) == NOW_S


def test_orders_with_an_expiration_may_end_earlier_still() -> None:
    venue = Venue()
    order_fault(venue, "gtd_early", seconds=90)
    early = msgspec.structs.replace(venue.order(), order_type=OrderType.GTD, expiration_s=NOW_S + 200)
    assert json.loads(post(venue, early).body)["status"] == "live"
    pass_time(venue, 49)
    assert len(json.loads(ask(venue, "GET", "/data/orders").body)["data"]) == 1
    pass_time(venue, 2)
    assert json.loads(ask(venue, "GET", "/data/orders").body)["data"] == []
    control(venue, "DELETE")
    usual = msgspec.structs.replace(venue.order(), order_type=OrderType.GTD, expiration_s=NOW_S + 51 + 200)
    post(venue, usual)
    pass_time(venue, 139)
    assert len(json.loads(ask(venue, "GET", "/data/orders").body)["data"]) == 1


# Addresses


def test_an_address_may_be_banned_or_close_only_and_free_again() -> None:
    venue = Venue()
    other = wallet_of_type(venue.trading, "safe").funder
    order_fault(venue, "banned", address=other)
    assert post(venue, venue.order()).status == 200, "somebody else is banned"
    order_fault(venue, "closed_only")
    refused = post(venue, venue.order())
    text = f"'{venue.wallet.funder}' address in closed only mode"
    assert (refused.status, json.loads(refused.body)) == (400, {"error": text})
    assert json.loads(ask(venue, "GET", "/auth/ban-status/closed-only").body) == {"closed_only": True}
    order_fault(venue, "banned", address=venue.wallet.funder)
    control(venue, "DELETE", {"kind": "closed_only"})
    assert json.loads(post(venue, venue.order()).body) == {"error": f"'{venue.wallet.funder}' address banned"}
    control(venue, "DELETE")
    assert post(venue, venue.order()).status == 200
    assert json.loads(ask(venue, "GET", "/auth/ban-status/closed-only").body) == {"closed_only": False}


def has_settlement_policy(venue: Venue) -> bool:
    return venue.trading.venue_engine.engine.core.settlement_policy is not None


def test_what_holds_is_kept_and_what_waits_for_requests_is_not() -> None:
    venue, later = Venue(), Venue()
    buy_at_ask(venue, 10)
    pass_time(venue, 10)
    for kind in ("429", "failed_settlement", "stale_balance", "banned"):
        order_fault(venue, kind)
    later.trading.load_state(venue.trading.dump_state())
    kinds = [fault["kind"] for fault in control(later, "GET")[1]["faults"]]
    assert kinds == ["failed_settlement", "stale_balance", "banned"]
    assert has_settlement_policy(later)
    assert post(later, later.order()).status == 400
    control(later, "DELETE")
    assert not has_settlement_policy(later)
    later.salt = 50
    assert post(later, later.order()).status == 200


# Markets


def happen(venue: Venue, kind: str, **fields: object) -> None:
    status, answer = control(venue, "POST", {"kind": kind, "market": venue.market.condition_id, **fields})
    assert status == 201, answer


def test_a_tick_may_change_in_the_middle_of_a_session() -> None:
    venue = Venue()
    happen(venue, "tick", tick_size=0.001)
    told = venue.exchange.handle("GET", "/clob/tick-size", f"token_id={venue.market.token_ids[0]}")
    assert json.loads(told.body) == {"minimum_tick_size": 0.001}
    fine = venue.order(maker_amount_micro=130_000, taker_amount_micro=10_000_000)
    assert post(venue, fine).status == 200
    happen(venue, "tick", tick_size=0.01)
    assert json.loads(ask(venue, "GET", "/data/orders").body)["data"] == [], "an order off the new grid is cancelled"
    status, answer = control(venue, "POST", {"kind": "tick", "tick_size": 0.003})
    assert status == 422 and "one of 0.1" in answer["error"]


def test_terms_may_change_and_orders_may_be_refused_for_a_while() -> None:
    venue = Venue()
    happen(venue, "terms", minimum_size=15, fee_rate=0.5)
    refused = json.loads(post(venue, venue.order(size=10)).body)["error"]
    assert refused.endswith("Size (10) lower than the minimum: 15")
    buy_at_ask(venue, 20)
    trade = venue.trading.venue_engine.engine.trade(venue.trading.venue_engine.trades_of[venue.wallet.funder][0])
    assert trade is not None
    price = trade.price_micro / 1_000_000
    assert trade.fee_micro == pytest.approx(20 * 0.5 * price * (1 - price) * 1_000_000, abs=10)
    happen(venue, "suspend")
    waiting = {"error": "the market is not yet ready to process new orders"}
    assert json.loads(post(venue, venue.order(size=20)).body) == waiting
    happen(venue, "reopen")
    assert post(venue, venue.order(size=20)).status == 200


@pytest.mark.parametrize(("kinds", "payouts"), [(("void",), {500_000}), (("dispute",), {0, 1_000_000})])
def test_a_market_may_end_early_disputed_or_void(kinds: tuple[str, ...], payouts: set[int]) -> None:
    venue = Venue()
    for kind in (*kinds, "end"):
        happen(venue, kind)
    assert post(venue, venue.order()).status in (400, 404)
    for _ in range(40):
        pass_time(venue, 6 * 3600)
        if venue.market.closed:
            break
    assert set(venue.market.payouts_micro) == payouts
    assert ("disputed" in venue.market.uma_statuses) is (kinds == ("dispute",))
    status, answer = control(venue, "POST", {"kind": "suspend", "market": venue.market.slug})
    assert status == 422 and "is resolved" in answer["error"]


def test_a_price_may_jump_and_a_book_may_be_empty() -> None:
    venue = Venue()
    market = venue.market
    happen(venue, "jump", price=0.9)
    assert (market.book.best_bid_micro, market.book.best_ask_micro) == (890_000, 910_000)
    happen(venue, "empty_book")
    book = json.loads(venue.exchange.handle("GET", "/clob/book", f"token_id={market.token_ids[0]}").body)
    assert (book["bids"], book["asks"]) == ([], [])
    for _ in range(48):
        pass_time(venue, 3600)
        if market.book.bid_prices and market.book.ask_prices:
            break
    assert market.book.best_bid_micro < 890_000, "the makers look again"
    status, answer = control(venue, "POST", {"kind": "jump", "market": "no-such-market"})
    assert status == 422 and "condition id or slug" in answer["error"]


def test_a_market_may_be_delisted_and_listed_again() -> None:
    venue = Venue()
    happen(venue, "delist")
    query = f"condition_ids={venue.market.condition_id}&archived=true"
    [told] = json.loads(venue.exchange.handle("GET", "/gamma/markets", query).body)
    assert (told["archived"], told["active"], told["acceptingOrders"]) == (True, False, False)
    assert post(venue, venue.order()).status == 404
    happen(venue, "reopen")
    assert post(venue, venue.order()).status == 200


def test_a_repeated_journal_brings_back_what_holds_and_not_what_waited_for_requests() -> None:
    venue = Venue()
    for body in (b'{"kind":"429","count":9}', b'{"kind":"retrying"}', b'{"seed":7,"rate":0.5}'):
        assert venue.exchange.perform("POST", "/practice/faults", "", body, {}).status == 201
    told = control(venue, "GET")[1]
    assert [fault["kind"] for fault in told["faults"]] == ["retrying"] and told["weather"] is None
    assert venue.trading.venue_engine.engine.core.settlement_policy is not None
    assert venue.exchange.handle("GET", "/clob/ok").status == 200
