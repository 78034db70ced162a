"""The recorded Fed event through one whole cycle into the ledger, every fill computed by hand from the recorded levels."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from polymarket_kit.values import MICRO
from prescient.adapters.polymarket.messages.clob import decode_books, decode_rules
from prescient.adapters.polymarket.messages.gamma import decode_events
from prescient.domain.cycle import CycleReport
from prescient.domain.ledger import CASH, FEES, SHARES, VENUE
from prescient.domain.screening import MarketFilter
from prescient.domain.signal import Step
from prescient.ports.context import TradingContext
from prescient.reports.cycles import message_of
from tests.fakes import StaticMarketData, context_over
from tests.prescient.trading.test_cycle import portfolio_of, run

pytestmark = pytest.mark.asyncio

WORLD_TIME = datetime(2026, 5, 17, 6, 6, tzinfo=UTC)
ANY_CONVICTION = MarketFilter(max_market_conviction_micro=MICRO)
SIXTH, FIFTH = Decimal("0.000001"), Decimal("0.00001")


def recorded_market(folder: Path) -> StaticMarketData:
    """The event, its ten books and its five rule sets as the venue answered on 2026-05-17."""
    event = (folder / "gamma" / "event-fed-decision-2026-05-17.json").read_bytes()
    books = (folder / "clob" / "books-fed-decision-2026-05-17.json").read_bytes()
    rules = (folder / "clob" / "clob-markets-fed-decision-2026-05-17.json").read_bytes()
    data = StaticMarketData(events=decode_events([msgspec.Raw(event)]).items)
    for book in decode_books(msgspec.json.decode(books, type=list[msgspec.Raw])).items:
        data.book_by_token[book.token_id] = book
    for item in msgspec.json.decode(rules, type=list[msgspec.Raw]):
        found = decode_rules(bytes(item))
        data.rules_by_condition[found.condition_id] = found
    assert (len(data.events), len(data.book_by_token), len(data.rules_by_condition)) == (1, 10, 5)
    return data


def raw(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def expected_fills(folder: Path, token_id: str, dollars: Decimal) -> list[tuple[Decimal, Decimal, Decimal, Decimal]]:
    """Walk the recorded asks by hand: (price, shares, cost, fee) per level, best price first (the recording has it last)."""
    book = next(book for book in raw(folder, "clob/books-fed-decision-2026-05-17.json") if book["asset_id"] == token_id)
    schedule = raw(folder, "gamma/event-fed-decision-2026-05-17.json")["markets"][0]["feeSchedule"]
    rate = Decimal(str(schedule["rate"]))
    fills, left = [], dollars
    for level in reversed(book["asks"]):
        price = Decimal(level["price"])
        shares = min(Decimal(level["size"]), (left / price).quantize(SIXTH, ROUND_FLOOR))
        if shares == 0:
            break
        cost = (shares * price).quantize(SIXTH, ROUND_CEILING)
        fee = (shares * rate * price * (1 - price)).quantize(FIFTH, ROUND_HALF_UP)
        fills.append((price, shares, cost, fee))
        left -= cost
    return fills


def micro(value: Decimal) -> int:
    scaled = value * MICRO
    assert scaled == scaled.to_integral_value()
    return int(scaled)


async def traded(folder: Path, trade_size: int) -> tuple[TradingContext, int, CycleReport]:
    context = context_over(recorded_market(folder), start=WORLD_TIME)
    portfolio_id = await portfolio_of(
        context, initial_balance_micro=1_000_000 * MICRO, strategy_config={"trade_size_usd": trade_size}
    )
    report = await run(context, market_filter=ANY_CONVICTION)
    return context, portfolio_id, report


@pytest.mark.parametrize(
    ("trade_size", "trades", "levels_walked"),
    # $95,000 takes all five markets; $560,000 is enough for one, through three levels of a deep book.
    [(95_000, 5, [1, 2, 3, 4]), (560_000, 1, [3]), (100, 5, [1])],
)
async def test_every_fill_costs_what_the_recorded_levels_say(
    recorded_data: Path, trade_size: int, trades: int, levels_walked: list[int]
) -> None:
    context, portfolio_id, report = await traded(recorded_data, trade_size)
    made = await context.store.trades(portfolio_id, 10)
    assert len(made) == trades
    assert report.total(Step.EXECUTE).count_out == trades
    spent = fees = 0
    for trade in made:
        by_hand = expected_fills(recorded_data, trade.token_id, Decimal(trade_size))
        assert [(fill.price_micro, fill.size_micro, fill.cost_micro, fill.fee_micro) for fill in trade.fills] == [
            tuple(micro(number) for number in fill) for fill in by_hand
        ]
        spent += sum(micro(cost) for _, _, cost, _ in by_hand)
        fees += sum(micro(fee) for *_, fee in by_hand)
    assert sorted({len(trade.fills) for trade in made}) == levels_walked
    portfolio = await context.store.portfolio(portfolio_id)
    assert portfolio.cash_micro == 1_000_000 * MICRO - spent - fees
    assert portfolio.invested_micro == spent + fees


async def test_the_ledger_says_the_same(recorded_data: Path) -> None:
    context, portfolio_id, _ = await traded(recorded_data, 95_000)
    trades = await context.store.trades(portfolio_id, 10)
    balances = await context.store.ledger_balances(portfolio_id)
    cash = (await context.store.portfolio(portfolio_id)).cash_micro
    assert balances[CASH, "USD"] == cash
    assert balances[VENUE, "USD"] == sum(trade.amount_micro for trade in trades)
    assert balances[FEES, "USD"] == sum(trade.fee_micro for trade in trades)
    for trade in trades:
        assert balances[SHARES, trade.token_id] == trade.size_micro
    by_asset: dict[str, int] = {}
    for (_, asset), amount in balances.items():
        by_asset[asset] = by_asset.get(asset, 0) + amount
    assert set(by_asset.values()) == {0}


async def test_majority_buys_what_the_market_holds_likely(recorded_data: Path) -> None:
    context, portfolio_id, _ = await traded(recorded_data, 100)
    bought = {
        (trade.market_question.removeprefix("Will ")[:24], trade.outcome)
        for trade in await context.store.trades(portfolio_id, 10)
    }
    assert {outcome for question, outcome in bought if question.startswith("there be no change")} == {"Yes"}
    assert {outcome for question, outcome in bought if question.startswith("the Fed")} == {"No"}


async def test_default_band_trades_nothing_and_says_why(recorded_data: Path) -> None:
    context = context_over(recorded_market(recorded_data), start=WORLD_TIME)
    await portfolio_of(context)
    report = await run(context)
    assert report.total(Step.SCREEN).dropped == {"conviction_high": 5}
    assert "Most were dropped by conviction_high: 5 (setting max_market_conviction)" in message_of(report)
