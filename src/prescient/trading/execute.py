"""Execute (step 5): signals become approved orders, their intent is committed, then the venue is asked, then it is booked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import structlog

from polymarket_kit.errors import PrescientError
from polymarket_kit.values import MICRO
from prescient.domain.cycle import StepReport
from prescient.domain.errors import StoreUnavailable
from prescient.domain.market import TradingRules
from prescient.domain.order import Accepted, ApprovedOrder, Refused, Rejected, Submission, Trade, Unresolved
from prescient.domain.reasons import SELL_BACK_PREFIX, Reason
from prescient.domain.signal import Decision, Signal, Step
from prescient.ports.context import TradingContext
from prescient.ports.venue import Venue
from prescient.trading.decide import strategy_of
from prescient.trading.obligations import carry_out
from prescient.trading.orders.approve import approve
from prescient.trading.orders.book import book_answer
from prescient.trading.orders.portfolio_lock import executing
from prescient.trading.orders.resolve import resolve_orders
from prescient.trading.orders.sell_back import Outcome, owe_sell_backs
from prescient.trading.orders.submit import submit_order, text_of_error
from prescient.trading.positions.resolve import resolve_requests
from prescient.trading.positions.settling import settle_fills
from prescient.trading.strategy_config import complete

log = structlog.get_logger(__name__)

# Orders on their way at once: a sports market holds each for seconds, and they do not wait for one another.
ORDERS_AT_ONCE = 16
# More than a whole catalogue can bring: every signal is answered, those beyond the last order with a refusal.
SIGNALS_MAX = 100_000

LEG_FAILED = Rejected(Reason.GROUP_LEG_FAILED, Reason.GROUP_LEG_FAILED.text)
# What the venue is to say later; any other code is that of an error on our side.
AWAITING_VENUE_CODES = frozenset(
    f"{prefix}{code}" for prefix in ("", SELL_BACK_PREFIX) for code in (Reason.OUTCOME_UNKNOWN, Reason.GROUP_SUSPENDED)
)
NOT_SENT = Unresolved(Reason.GROUP_SUSPENDED, Reason.GROUP_SUSPENDED.text)

Unit = list[tuple[Signal, ApprovedOrder | Refused | Unresolved]]


async def execute_signals(
    context: TradingContext, cycle_id: str, portfolio_id: int, signal_ids: Sequence[str] | None = None
) -> StepReport:
    """Trade this portfolio's pending signals of this cycle. Running it again trades nothing twice.

    One execution of a portfolio at a time, so what it finds without an answer was left by one that broke off, and is
    resolved first. Raises ExecutionRunning, PortfolioNotFound, VenueUnavailable, StoreUnavailable,
    UnknownVenue, VenueElsewhere.
    """
    async with executing(context.store, portfolio_id):
        await resolve_orders(context, portfolio_id)
        await settle_fills(context, portfolio_id)
        await carry_out(context, portfolio_id)
        await resolve_requests(context, portfolio_id)
        try:
            count, outcomes = await _execute(context, cycle_id, portfolio_id, signal_ids)
        except Exception:
            await _tidy_up(context, portfolio_id)
            raise
        if any(isinstance(outcome, Unresolved) and outcome.code not in AWAITING_VENUE_CODES for _, outcome in outcomes):
            await _tidy_up(context, portfolio_id)
        return _report(portfolio_id, count, outcomes)


async def _tidy_up(context: TradingContext, portfolio_id: int) -> None:
    """Give back what was reserved for orders that will not be sent now; if that fails too, the next execution does it."""
    try:
        await resolve_orders(context, portfolio_id)
    except PrescientError as error:
        log.warning("orders_left_open", portfolio_id=portfolio_id, error=str(error))


async def _execute(
    context: TradingContext, cycle_id: str, portfolio_id: int, signal_ids: Sequence[str] | None
) -> tuple[int, list[Outcome]]:
    """Approve and reserve one after the other, so that no two orders count on the same cash; then send side by side.

    Each order is booked whole when its answer comes; the legs of a set go one after the other. Returns how many signals
    there were, and what became of them.
    """
    signals = await context.store.signals(
        cycle_id=cycle_id, portfolio_id=portfolio_id, signal_ids=signal_ids, pending_only=True, limit=SIGNALS_MAX
    )
    if not signals:
        await context.store.portfolio(portfolio_id)
        return 0, []
    portfolio = await context.store.portfolio(portfolio_id)
    venue = context.venue_of(portfolio)
    config = complete(strategy_of(context, portfolio), portfolio.strategy_config)
    # No order is sent beyond the cycle's last, so no rules are asked for there either.
    within = signals[: config["max_trades_per_cycle"]]
    rules = await context.market_data.rules(sorted({signal.condition_id for signal in within}))
    units: dict[str, Unit] = {}
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
            tasks.append(partial(_trade_unit, context, venue, cycle_id, unit))
    await _explain(context, cycle_id, refused)
    outcomes: list[list[Outcome]] = await context.gather(tasks, ORDERS_AT_ONCE)
    return len(signals), [*refused, *(pair for answered in outcomes for pair in answered)]


async def _approve(
    context: TradingContext, signal: Signal, number: int, config: dict[str, Any], rules: TradingRules | None
) -> ApprovedOrder | Refused | Unresolved:
    """Approve one signal. An error is this signal's outcome alone. Raises StoreUnavailable."""
    if number >= config["max_trades_per_cycle"]:
        limit = "strategy_config.max_trades_per_cycle"
        return Refused(Reason.TOO_MANY_TRADES, "the cycle's orders are used up", limit, str(number))
    try:
        return await approve(context, signal, config, rules)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # nothing was sent; what may be reserved is given back by the next execution
        return _failed(error, [signal])


async def _trade_unit(context: TradingContext, venue: Venue, cycle_id: str, unit: Unit) -> list[Outcome]:
    """Send one order, or the legs of one set, and keep the reasons. An error here is this unit's outcome alone.

    Raises StoreUnavailable.
    """
    outcomes: list[Outcome] = []
    try:
        await _send_unit(context, venue, unit, outcomes)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # logged and kept; what is open is resolved by the next execution
        told = {signal.signal_id for signal, _ in outcomes}
        failed = _failed(error, [signal for signal, _ in unit])
        outcomes += [(signal, failed) for signal, _ in unit if signal.signal_id not in told]
    # At once, not at the end of the step: what is booked has its reason even if the cycle breaks off here.
    await _explain(context, cycle_id, outcomes)
    return outcomes


def _failed(error: Exception, signals: Sequence[Signal]) -> Unresolved:
    log.error("unit failed", signals=[signal.signal_id for signal in signals], exc_info=error)
    return Unresolved(error.code if isinstance(error, PrescientError) else Reason.INTERNAL_ERROR, text_of_error(error))


async def _send_unit(context: TradingContext, venue: Venue, unit: Unit, outcomes: list[Outcome]) -> None:
    """Send one order, or the legs of one set one after the other: all of them or, with the filled ones sold back, none.

    A leg whose outcome is unknown suspends its set: no further leg is sent and nothing is sold back until it is known.
    """
    unfilled: list[tuple[Signal, ApprovedOrder, Submission]] = []
    broken, suspended = any(not isinstance(approved, ApprovedOrder) for _, approved in unit), False
    for signal, approved in unit:
        if not isinstance(approved, ApprovedOrder):
            outcomes.append((signal, approved))
        elif suspended:
            outcomes.append((signal, NOT_SENT))
        elif broken:
            unfilled.append((signal, approved, LEG_FAILED))
        else:
            answer = await submit_order(context, venue, approved)
            if isinstance(answer, Rejected) or (isinstance(answer, Accepted) and not answer.fills):
                broken = True
                unfilled.append((signal, approved, answer))
                continue
            outcome = await book_answer(context, approved, answer, signal)
            outcomes.append((signal, outcome))
            suspended = isinstance(outcome, Unresolved)
    owed: list[Outcome] = []
    if unfilled and unit[0][0].group_id:
        # Before these orders are closed: an open order is the only sign that the set is incomplete.
        owed = await owe_sell_backs(context, unit[0][0])
    for signal, approved, answer in unfilled:
        outcomes.append((signal, await book_answer(context, approved, answer, signal)))
    outcomes += owed


async def _explain(context: TradingContext, cycle_id: str, outcomes: Sequence[Outcome]) -> None:
    decisions = [_decision(signal, outcome) for signal, outcome in outcomes]
    await context.store.save_decisions(cycle_id, decisions, context.clock.now())


def _report(portfolio_id: int, count_in: int, outcomes: list[Outcome]) -> StepReport:
    report = StepReport(Step.EXECUTE, portfolio_id, count_in=count_in)
    report.amounts.update({"amount_micro": 0, "fee_micro": 0})
    for _, outcome in outcomes:
        if not isinstance(outcome, Trade):
            report.drop(outcome.code, outcome.limit if isinstance(outcome, Refused) else "")
            continue
        report.count_out += 1
        report.amounts["amount_micro"] += outcome.amount_micro
        report.amounts["fee_micro"] += outcome.fee_micro
    return report


def _decision(signal: Signal, outcome: Trade | Refused | Unresolved) -> Decision:
    if isinstance(outcome, Trade):
        amount = f"{outcome.amount_micro / MICRO:.2f}"
        return Decision(Step.EXECUTE, "market", signal.market_id, True, outcome.status, amount, "", signal.portfolio_id)
    number, limit = ("", "") if isinstance(outcome, Unresolved) else (outcome.number, outcome.limit)
    number = number or outcome.reason[:200]
    about = "market", signal.market_id
    return Decision(Step.EXECUTE, *about, False, outcome.code, number, limit, signal.portfolio_id)
