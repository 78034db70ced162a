"""Execute (step 5): signals become approved orders, their intent is committed, then the venue is asked, then it is booked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import structlog

from polymarket_kit.errors import PrescientError
from polymarket_kit.values import MICRO
from prescient.domain.cycle import StepReport
from prescient.domain.market import TradingRules
from prescient.domain.order import ApprovedOrder, Refused, Rejected, Submission, Trade
from prescient.domain.signal import Decision, Signal, Step
from prescient.ports.context import TradingContext
from prescient.ports.venue import Venue
from prescient.trading.decide import strategy_of
from prescient.trading.orders.approve import approve
from prescient.trading.orders.book import book_answer
from prescient.trading.orders.portfolio_lock import executing
from prescient.trading.orders.sell_back import sell_back
from prescient.trading.recover import resolve_orders
from prescient.trading.strategy_config import complete

log = structlog.get_logger(__name__)

# Orders on their way at once: a sports market holds each for seconds, and they do not wait for one another.
ORDERS_AT_ONCE = 16
# More than a whole catalogue can bring: every signal is answered, those beyond the last order with a refusal.
SIGNALS_MAX = 100_000

Outcome = tuple[Signal, Trade | Refused]


async def execute_signals(
    context: TradingContext, cycle_id: str, portfolio_id: int, signal_ids: Sequence[str] | None = None
) -> StepReport:
    """Trade this portfolio's pending signals of this cycle. Running it again trades nothing twice.

    One execution of a portfolio at a time, so what it finds without an answer was left by one that broke off, and is
    resolved first. Raises ExecutionRunning, PortfolioNotFound, VenueUnavailable, StoreUnavailable.
    """
    async with executing(context.store, portfolio_id):
        await resolve_orders(context, portfolio_id)
        try:
            return await _execute(context, cycle_id, portfolio_id, signal_ids)
        except Exception:
            await _tidy_up(context, portfolio_id)
            raise


async def _tidy_up(context: TradingContext, portfolio_id: int) -> None:
    """Give back what was reserved for orders that will not be sent now; if that fails too, the next execution does it."""
    try:
        await resolve_orders(context, portfolio_id)
    except PrescientError as error:
        log.warning("orders_left_open", portfolio_id=portfolio_id, error=str(error))


async def _execute(
    context: TradingContext, cycle_id: str, portfolio_id: int, signal_ids: Sequence[str] | None
) -> StepReport:
    """Approve and reserve one after the other, so that no two orders count on the same cash; then send side by side.

    Each order is booked whole when its answer comes; the legs of a set go one after the other.
    """
    signals = await context.store.signals(
        cycle_id=cycle_id, portfolio_id=portfolio_id, signal_ids=signal_ids, pending_only=True, limit=SIGNALS_MAX
    )
    if not signals:
        await context.store.portfolio(portfolio_id)
        return _report(portfolio_id, 0, [])
    portfolio = await context.store.portfolio(portfolio_id)
    venue = context.venue_of(portfolio)
    config = complete(strategy_of(context, portfolio), portfolio.strategy_config)
    # No order is sent beyond the cycle's last, so no rules are asked for there either.
    within = signals[: config["max_trades_per_cycle"]]
    rules = await context.market_data.rules(sorted({signal.condition_id for signal in within}))
    units: dict[str, list[tuple[Signal, ApprovedOrder | Refused]]] = {}
    for number, signal in enumerate(signals):
        unit = units.setdefault(signal.group_id or signal.signal_id, [])
        unit.append((signal, await _approve(context, signal, number, config, rules.get(signal.condition_id))))
    # Thousands may be refused where a hundred are sent: those are explained in one go.
    tasks: list[Callable[[], Awaitable[list[Outcome]]]] = []
    refused: list[Outcome] = []
    for unit in units.values():
        refusals = [(signal, approved) for signal, approved in unit if isinstance(approved, Refused)]
        if len(refusals) == len(unit):
            refused += refusals
        else:
            tasks.append(partial(_trade_unit, context, venue, cycle_id, unit, rules))
    await _explain(context, cycle_id, refused)
    outcomes: list[list[Outcome]] = await context.gather(tasks, ORDERS_AT_ONCE)
    return _report(portfolio_id, len(signals), [*refused, *(pair for answered in outcomes for pair in answered)])


async def _approve(
    context: TradingContext, signal: Signal, number: int, config: dict[str, Any], rules: TradingRules | None
) -> ApprovedOrder | Refused:
    if number >= config["max_trades_per_cycle"]:
        limit = "strategy_config.max_trades_per_cycle"
        return Refused("too_many_trades", "the cycle's orders are used up", limit, str(number))
    return await approve(context, signal, config, rules)


async def _trade_unit(
    context: TradingContext,
    venue: Venue,
    cycle_id: str,
    unit: list[tuple[Signal, ApprovedOrder | Refused]],
    rules: dict[str, TradingRules],
) -> list[Outcome]:
    """Send one order, or the legs of one set: all of them or, with the filled ones sold back, none."""
    outcomes: list[Outcome] = []
    filled: list[tuple[Signal, Trade]] = []
    broken = any(isinstance(approved, Refused) for _, approved in unit)
    for signal, approved in unit:
        if isinstance(approved, Refused):
            outcomes.append((signal, approved))
            continue
        answer: Submission = Rejected("group_leg_failed", "another leg of the same set was not filled")
        if not broken:
            answer = await venue.submit(approved)
        outcome = await book_answer(context, approved, answer, signal)
        outcomes.append((signal, outcome))
        if isinstance(outcome, Trade):
            filled.append((signal, outcome))
        else:
            broken = True
    if broken:
        for signal, trade in filled:
            outcomes.append(await sell_back(context, signal, trade, trade.size_micro, rules.get(signal.condition_id)))
    # At once, not at the end of the step: what is booked has its reason even if the cycle breaks off here.
    await _explain(context, cycle_id, outcomes)
    return outcomes


async def _explain(context: TradingContext, cycle_id: str, outcomes: Sequence[Outcome]) -> None:
    decisions = [_decision(signal, outcome) for signal, outcome in outcomes]
    await context.store.save_decisions(cycle_id, decisions, context.clock.now())


def _report(portfolio_id: int, count_in: int, outcomes: list[Outcome]) -> StepReport:
    report = StepReport(Step.EXECUTE, portfolio_id, count_in=count_in)
    report.amounts.update({"amount_micro": 0, "fee_micro": 0})
    for _, outcome in outcomes:
        if isinstance(outcome, Refused):
            report.drop(outcome.code, outcome.limit)
            continue
        report.count_out += 1
        report.amounts["amount_micro"] += outcome.amount_micro
        report.amounts["fee_micro"] += outcome.fee_micro
    return report


def _decision(signal: Signal, outcome: Trade | Refused) -> Decision:
    if isinstance(outcome, Trade):
        amount = f"{outcome.amount_micro / MICRO:.2f}"
        return Decision(Step.EXECUTE, "market", signal.market_id, True, outcome.status, amount, "", signal.portfolio_id)
    return Decision(
        Step.EXECUTE,
        "market",
        signal.market_id,
        False,
        outcome.code,
        outcome.number or outcome.reason[:200],
        outcome.limit,
        signal.portfolio_id,
    )
