"""Execute (step 5): signals become approved orders, their intent is committed, then the venue is asked, then it is booked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from prescient.domain import risk
from prescient.domain.cycle import StepReport
from prescient.domain.ledger import fills as fill_transfers
from prescient.domain.ledger import release, reservation
from prescient.domain.market import Side, TradingRules
from prescient.domain.order import (
    Accepted,
    ApprovedOrder,
    OrderIntent,
    OrderStatus,
    OrderType,
    Refused,
    Rejected,
    Submission,
    Trade,
    Unknown,
)
from prescient.domain.portfolio import Position
from prescient.domain.rules import MARKET_AMOUNT_STEP_MICRO, floor_to, worst_price
from prescient.domain.signal import Decision, Signal, Step
from prescient.domain.values import MICRO, multiply_down, parse_micro
from prescient.ports import Booking, Desk
from prescient.trading.decide import strategy_of
from prescient.trading.strategy_config import complete


async def execute_signals(
    desk: Desk, cycle_id: str, portfolio_id: int, signal_ids: Sequence[str] | None = None
) -> StepReport:
    """Trade this portfolio's pending signals of this cycle, one after the other, each booked whole before the next.

    Running it again trades nothing twice: a signal has at most one order.
    """
    portfolio = await desk.store.portfolio(portfolio_id)
    config = complete(strategy_of(desk, portfolio), portfolio.strategy_config)
    signals = await desk.store.signals(
        cycle_id=cycle_id, portfolio_id=portfolio_id, signal_ids=signal_ids, pending_only=True
    )
    report = StepReport(Step.EXECUTE, portfolio_id, count_in=len(signals))
    report.amounts.update({"amount_micro": 0, "fee_micro": 0})
    rules = await desk.market_data.rules(sorted({signal.condition_id for signal in signals})) if signals else {}
    legs: dict[str, list[tuple[Signal, Trade]]] = {}
    failed: set[str] = set()
    decisions: list[Decision] = []
    for number, signal in enumerate(signals):
        refused = _not_now(signal, number, config, failed)
        outcome = refused or await _trade(desk, signal, config, rules.get(signal.condition_id))
        decisions.append(_decision(signal, outcome))
        if isinstance(outcome, Trade):
            _count(report, outcome)
            legs.setdefault(signal.group_id, []).append((signal, outcome))
            continue
        report.drop(outcome.code, outcome.limit)
        if signal.group_id and signal.group_id not in failed:
            failed.add(signal.group_id)
            await _unwind(desk, legs.pop(signal.group_id, []), config, rules, report)
    await desk.store.save_decisions(cycle_id, decisions, desk.clock.now())
    return report


def _not_now(signal: Signal, number: int, config: dict[str, Any], failed: set[str]) -> Refused | None:
    """Refuse what the cycle's own state forbids, before anything is looked up."""
    if number >= config["max_trades_per_cycle"]:
        limit = "strategy_config.max_trades_per_cycle"
        return Refused("too_many_trades", "the cycle's orders are used up", limit, str(number))
    if signal.group_id and signal.group_id in failed:
        return Refused("group_leg_failed", "another leg of the same set was not filled")
    return None


def _count(report: StepReport, trade: Trade) -> None:
    report.count_out += 1
    report.amounts["amount_micro"] += trade.amount_micro
    report.amounts["fee_micro"] += trade.fee_micro


async def _unwind(
    desk: Desk,
    legs: list[tuple[Signal, Trade]],
    config: dict[str, Any],
    rules: dict[str, TradingRules],
    report: StepReport,
) -> None:
    """Sell back the legs of a set that could not be completed: a lone leg is a bet that nobody decided on."""
    for signal, trade in legs:
        back = replace(
            signal,
            signal_id=f"{signal.signal_id}:unwind",
            side=Side.SELL,
            price_micro=trade.price_micro,
            size_micro=trade.size_micro,
            group_id="",
            reason="the other leg of the set was not filled",
        )
        await desk.store.save_signals([back])
        # Out at any price: the set's profit is gone, the open risk must not stay.
        sold = await _trade(desk, back, config | {"max_slippage_pct": 100}, rules.get(signal.condition_id))
        if isinstance(sold, Trade):
            _count(report, sold)
        else:
            report.drop("unwind_" + sold.code)


async def _trade(desk: Desk, signal: Signal, config: dict[str, Any], rules: TradingRules | None) -> Trade | Refused:
    """Take one signal to the venue and book what came of it."""
    if rules is None:
        return Refused("market_not_found", "the venue does not know this market any more")
    intent = intent_of(signal, config, rules)
    # Read again for each order: the one before may have used the cash.
    portfolio = await desk.store.portfolio(signal.portfolio_id)
    position = await desk.store.position(signal.portfolio_id, signal.token_id)
    held = position.size_micro if position else 0
    approved = risk.check(intent, portfolio, held, rules)
    if isinstance(approved, Refused):
        await desk.store.save_refusal(intent, approved, desk.clock.now())
        return approved
    now = desk.clock.now()
    hold = reservation(intent.portfolio_id, intent.order_id, approved.reserved_cash_micro, now)
    if not await desk.store.reserve(approved, hold, now):
        return Refused("already_ordered", "this signal has an order already")
    answer = await desk.venue.submit(approved)
    return await book_answer(desk, approved, answer, position, signal)


def intent_of(signal: Signal, config: dict[str, Any], rules: TradingRules) -> OrderIntent:
    """Build the order that a signal asks for: a FAK for the portfolio's trade size, legs of a set as FOK in shares."""
    slippage = parse_micro(config["max_slippage_pct"]) // 100
    limit = worst_price(signal.side, signal.price_micro, slippage, rules.tick_micro)
    amount, size = 0, floor_to(signal.size_micro, MARKET_AMOUNT_STEP_MICRO)
    if signal.side is Side.BUY and size == 0:
        amount = floor_to(parse_micro(config["trade_size_usd"]), MARKET_AMOUNT_STEP_MICRO)
    return OrderIntent(
        order_id=f"order:{signal.signal_id}",
        portfolio_id=signal.portfolio_id,
        signal_id=signal.signal_id,
        condition_id=signal.condition_id,
        token_id=signal.token_id,
        side=signal.side,
        order_type=OrderType.FOK if signal.group_id else OrderType.FAK,
        limit_price_micro=limit,
        amount_micro=amount,
        size_micro=size,
        group_id=signal.group_id,
    )


async def book_answer(
    desk: Desk, order: ApprovedOrder, answer: Submission, position: Position | None, signal: Signal
) -> Trade | Refused:
    """Book the venue's answer in one transaction: money, shares, position, trade, signal. Unknown books nothing."""
    if isinstance(answer, Unknown):
        # The reservation stays; recovery asks the venue by the order's id. Never taken for "not placed".
        return Refused("outcome_unknown", answer.reason)
    now = desk.clock.now()
    intent = order.intent
    transfers = release(intent.portfolio_id, intent.order_id, order.reserved_cash_micro, now)
    if isinstance(answer, Rejected) or not answer.fills:
        status = OrderStatus.REJECTED if isinstance(answer, Rejected) else answer.status
        code = answer.code if isinstance(answer, Rejected) else "not_filled"
        booking = Booking(
            intent.order_id, status, tuple(transfers), None, None, signal.signal_id, answer.reason or code
        )
        await desk.store.book(booking, now)
        return Refused(code, answer.reason)
    transfers += fill_transfers(
        intent.portfolio_id, intent.order_id, intent.token_id, intent.side, answer.fills, answer.time
    )
    before = position or new_position(signal, answer)
    after, realized = _moved(before, order, answer)
    trade = _trade_record(order, answer, signal, realized)
    booking = Booking(
        intent.order_id,
        answer.status,
        tuple(transfers),
        trade,
        after,
        signal.signal_id,
        answer.reason,
        answer.consumption,
    )
    await desk.store.book(booking, now)
    return trade


def new_position(signal: Signal, answer: Accepted) -> Position:
    """An empty position for a first fill."""
    return Position(
        portfolio_id=signal.portfolio_id,
        token_id=signal.token_id,
        condition_id=signal.condition_id,
        market_id=signal.market_id,
        market_question=signal.market_question,
        outcome=signal.outcome,
        size_micro=0,
        cost_micro=0,
        realized_pnl_micro=0,
        mark_price_micro=None,
        mark_value_micro=0,
        mark_source="cost",
        mark_time=None,
        opened_at=answer.time,
    )


def _moved(position: Position, order: ApprovedOrder, answer: Accepted) -> tuple[Position, int]:
    """Return the position after the fills and the profit they realised."""
    size = sum(fill.size_micro for fill in answer.fills)
    cost = sum(fill.cost_micro for fill in answer.fills)
    fee = sum(fill.fee_micro for fill in answer.fills)
    assert size > 0
    assert order.intent.side is Side.SELL or cost + fee <= order.reserved_cash_micro
    if order.intent.side is Side.BUY:
        return position.bought(size, cost + fee), 0
    after = position.reduced(size, max(cost - fee, 0), answer.time)
    return after, after.realized_pnl_micro - position.realized_pnl_micro


def _trade_record(order: ApprovedOrder, answer: Accepted, signal: Signal, realized_micro: int) -> Trade:
    size = sum(fill.size_micro for fill in answer.fills)
    amount = sum(fill.cost_micro for fill in answer.fills)
    return Trade(
        trade_id=f"trade:{order.intent.order_id}",
        order_id=order.intent.order_id,
        portfolio_id=signal.portfolio_id,
        signal_id=signal.signal_id,
        cycle_id=signal.cycle_id,
        condition_id=signal.condition_id,
        token_id=signal.token_id,
        market_question=signal.market_question,
        outcome=signal.outcome,
        side=signal.side,
        size_micro=size,
        amount_micro=amount,
        fee_micro=sum(fill.fee_micro for fill in answer.fills),
        price_micro=amount * MICRO // size,
        realized_pnl_micro=realized_micro,
        status="filled" if answer.status is OrderStatus.FILLED else "partially_filled",
        time=answer.time,
        model=answer.model,
        fills=answer.fills,
    )


def _decision(signal: Signal, outcome: Trade | Refused) -> Decision:
    passed = isinstance(outcome, Trade)
    if isinstance(outcome, Trade):
        dollars = multiply_down(outcome.amount_micro, MICRO)
        return Decision(
            Step.EXECUTE,
            "market",
            signal.market_id,
            passed,
            outcome.status,
            str(dollars / MICRO),
            "",
            signal.portfolio_id,
        )
    return Decision(
        Step.EXECUTE,
        "market",
        signal.market_id,
        passed,
        outcome.code,
        outcome.number or outcome.reason[:200],
        outcome.limit,
        signal.portfolio_id,
    )
