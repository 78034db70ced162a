"""Decide (step 4): a portfolio's strategy looks at each screened market's fresh book and proposes, or says why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from polymarket_kit.errors import InvalidRequest
from polymarket_kit.model import Side
from polymarket_kit.values import MICRO, micro_to_text, parse_micro
from prescient.domain.cycle import StepReport
from prescient.domain.market import Market, OrderBook, PricePoint
from prescient.domain.portfolio import Portfolio
from prescient.domain.reasons import Reason
from prescient.domain.screening import MarketFilter
from prescient.domain.signal import Decision, MarketView, Pass, Proposal, Signal, Step
from prescient.ports.context import TradingContext
from prescient.ports.strategy import Strategy
from prescient.trading.proposals import STRATEGY_ERROR, ask_strategy, printable
from prescient.trading.strategy_config import complete

log = structlog.get_logger(__name__)

HISTORY_FIDELITY_MIN = 60
HISTORY_REQUESTS_AT_ONCE = 8
# Judged in one go, a few milliseconds unless a strategy is slow; then everybody else has a turn.
STRETCH_MARKETS = 100


@dataclass(frozen=True, slots=True)
class _Look:
    """What one portfolio brings to every market: read once, handed down frozen."""

    portfolio: Portfolio
    strategy: Strategy
    config: dict[str, Any]
    limits: MarketFilter
    held_conditions: frozenset[str]
    tags_by_event: dict[str, tuple[str, ...]] | None
    # Of the strategy, and logged already.
    known_faults: set[str] = field(default_factory=set)


def strategy_of(context: TradingContext, portfolio: Portfolio) -> Strategy:
    """Return the portfolio's strategy. Raises InvalidRequest if it is no longer registered."""
    strategy = context.strategies.get(portfolio.strategy_type)
    if strategy is None:
        raise InvalidRequest("strategy_type", f"not one of {', '.join(sorted(context.strategies))}")
    return strategy


async def decide_signals(context: TradingContext, cycle_id: str, portfolio_id: int, limits: MarketFilter) -> StepReport:
    """Write this portfolio's signals of this cycle, and one decision row per screened market."""
    portfolio = await context.store.portfolio(portfolio_id)
    markets = await context.store.screened(cycle_id)
    report = StepReport(Step.DECIDE, portfolio_id, count_in=len(markets))
    decisions: list[Decision] = []
    signals: list[Signal] = []
    look = await _prepare(context, portfolio, limits)
    if isinstance(look, Pass):
        # A strategy that is gone, or does not understand its configuration any more, stops its own portfolio alone.
        for market in markets:
            _record(report, decisions, market, look)
        await context.store.save_decisions(cycle_id, decisions, context.clock.now())
        return report
    candidates: list[Market] = []
    for market in markets:
        passed = _before_books(look, market)
        if passed is None:
            candidates.append(market)
        else:
            _record(report, decisions, market, passed)
    for number, view in enumerate(await _views(context, look.strategy, candidates), start=1):
        if number % STRETCH_MARKETS == 0:
            await context.clock.sleep(0)
        judged = _judge(look, view)
        if isinstance(judged, Pass):
            _record(report, decisions, view.market, judged)
            continue
        signals += _signals(context, look, cycle_id, view, judged)
        code = Decision(Step.DECIDE, "market", view.market.market_id, True, Reason.SIGNAL, portfolio_id=portfolio_id)
        decisions.append(code)
    report.count_out = len(signals)
    await context.store.save_signals(signals)
    await context.store.save_decisions(cycle_id, decisions, context.clock.now())
    return report


async def _prepare(context: TradingContext, portfolio: Portfolio, limits: MarketFilter) -> _Look | Pass:
    try:
        strategy = strategy_of(context, portfolio)
        config = complete(strategy, portfolio.strategy_config)
    except InvalidRequest as error:
        log.error(STRATEGY_ERROR, portfolio_id=portfolio.portfolio_id, reason=printable(str(error)))
        return Pass(STRATEGY_ERROR, printable(str(error)), error.field)
    tags = None
    if config["market_types"]:
        tags = {event.event_id: event.tags for event in await context.store.active_events()}
    positions = await context.store.positions(portfolio.portfolio_id)
    held = frozenset(position.condition_id for position in positions)
    return _Look(portfolio, strategy, config, limits, held, tags)


def _before_books(look: _Look, market: Market) -> Pass | None:
    """What can be said without asking the venue: the portfolio's own restrictions."""
    if look.tags_by_event is not None:
        wanted = {text.lower() for text in look.config["market_types"]}
        tags = {tag.lower() for tag in look.tags_by_event.get(market.event_id, ())}
        if not wanted & tags:
            return Pass(Reason.MARKET_TYPE_NOT_WANTED, ",".join(sorted(tags))[:100], "strategy_config.market_types")
    if market.condition_id in look.held_conditions and not look.config["add_to_positions"]:
        return Pass(Reason.ALREADY_HELD, "", "strategy_config.add_to_positions")
    return None


async def _views(context: TradingContext, strategy: Strategy, markets: Sequence[Market]) -> list[MarketView]:
    tokens = [outcome.token_id for market in markets for outcome in market.outcomes]
    books: dict[str, OrderBook] = await context.market_data.books(tokens) if tokens else {}
    histories = await _histories(context, strategy, markets)
    now = context.clock.now()
    return [
        MarketView(
            market,
            {outcome.token_id: books[outcome.token_id] for outcome in market.outcomes if outcome.token_id in books},
            histories.get(market.market_id, {}),
            now,
        )
        for market in markets
    ]


async def _histories(
    context: TradingContext, strategy: Strategy, markets: Sequence[Market]
) -> dict[str, dict[str, tuple[PricePoint, ...]]]:
    """Fetch the first outcome's price history; a binary market's second outcome is its mirror (one unified book)."""
    if strategy.history_hours == 0:
        return {}
    end_s = int(context.clock.now().timestamp())
    start_s = end_s - strategy.history_hours * 3600

    async def fetch(market: Market) -> dict[str, tuple[PricePoint, ...]]:
        first = market.outcomes[0].token_id
        points = await context.market_data.price_history(first, start_s, end_s, HISTORY_FIDELITY_MIN)
        result = {first: points}
        if len(market.outcomes) == 2:
            mirror = tuple(PricePoint(point.time_s, MICRO - point.price_micro) for point in points)
            result[market.outcomes[1].token_id] = mirror
        return result

    tasks = [partial(fetch, market) for market in markets if market.outcomes]
    results = await context.gather(tasks, HISTORY_REQUESTS_AT_ONCE)
    with_outcomes = [market for market in markets if market.outcomes]
    return {market.market_id: result for market, result in zip(with_outcomes, results, strict=True)}


def _judge(look: _Look, view: MarketView) -> Sequence[Proposal] | Pass:
    """Ask the strategy, then hold its proposals against the score floor and the band at the executable price."""
    proposals = ask_strategy(look.strategy, view, look.config, look.known_faults)
    if isinstance(proposals, Pass):
        return proposals
    floor = parse_micro(look.config["min_confidence"])
    weakest = min(proposal.score_micro for proposal in proposals)
    if weakest < floor:
        return Pass(Reason.SCORE_LOW, micro_to_text(weakest), "strategy_config.min_confidence")
    if len(proposals) == 1 and proposals[0].side is Side.BUY:
        price = proposals[0].reference_price_micro
        if price < look.limits.min_market_conviction_micro:
            return Pass(Reason.FRESH_PRICE_LOW, micro_to_text(price), "min_market_conviction")
        if price > look.limits.max_market_conviction_micro:
            return Pass(Reason.FRESH_PRICE_HIGH, micro_to_text(price), "max_market_conviction")
    return proposals


def _signals(
    context: TradingContext, look: _Look, cycle_id: str, view: MarketView, proposals: Sequence[Proposal]
) -> list[Signal]:
    """Turn proposals into stored signals. The id says what it is, so deciding twice in one cycle adds nothing."""
    market = view.market
    portfolio_id = look.portfolio.portfolio_id
    group = f"{cycle_id}:{portfolio_id}:{market.market_id}" if len(proposals) > 1 else ""
    result = []
    for number, proposal in enumerate(proposals):
        outcome = market.outcome_of(proposal.token_id)
        assert outcome is not None
        result.append(
            Signal(
                signal_id=f"{cycle_id}:{portfolio_id}:{market.market_id}:{number}",
                cycle_id=cycle_id,
                portfolio_id=portfolio_id,
                strategy=look.strategy.name,
                market_id=market.market_id,
                condition_id=market.condition_id,
                token_id=proposal.token_id,
                market_question=market.question,
                outcome=outcome.name,
                side=proposal.side,
                score_micro=proposal.score_micro,
                catalogue_price_micro=outcome.price_micro,
                price_micro=proposal.reference_price_micro,
                size_micro=proposal.size_micro,
                group_id=group,
                reason=proposal.reason,
                time=context.clock.now(),
            )
        )
    return result


def _record(report: StepReport, decisions: list[Decision], market: Market, passed: Pass) -> None:
    report.drop(passed.code, passed.setting)
    decisions.append(
        Decision(
            Step.DECIDE,
            "market",
            market.market_id,
            False,
            passed.code,
            passed.number,
            passed.setting,
            report.portfolio_id,
        )
    )
