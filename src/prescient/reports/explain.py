"""Explain: why did it (not) trade? The filter, the number and the setting that decided, for a market, cycle or portfolio."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from polymarket_kit.errors import InvalidRequest
from polymarket_kit.values import micro_to_text
from prescient.domain.cycle import CycleReport, CycleRequest
from prescient.domain.errors import NotFoundError
from prescient.domain.reasons import SELL_BACK_PREFIX, Reason
from prescient.domain.signal import Decision
from prescient.ports.context import TradingContext
from prescient.reports.cycles import as_it_ended, message_of, of_portfolio, reasons_of

DECISIONS_SHOWN_MAX = 500
CYCLES_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Explained:
    """One decision in words."""

    cycle_id: str
    time: datetime
    decision: Decision
    text: str
    # The market's question or the event's title; empty when it is no longer in the catalogue.
    title: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer: the decisions newest first, how often each reason occurs, and the cycle's own summary if one was named."""

    decisions: list[Explained]
    reasons: Counter[str]
    cycle: CycleReport | None
    message: str


async def explain(
    context: TradingContext, *, market: str | None = None, cycle_id: str | None = None, portfolio_id: int | None = None
) -> Explanation:
    """Answer for a market (id, condition id or slug), a cycle, a portfolio, or any combination.

    Without a cycle the latest one is taken unless a market is named. Raises InvalidRequest, NotFoundError.
    """
    if market is None and cycle_id is None and portfolio_id is None:
        raise InvalidRequest("market", "name a market, a cycle_id or a portfolio_id")
    if portfolio_id is not None:
        await context.store.portfolio(portfolio_id)
    cycle = await _cycle(context, cycle_id, portfolio_id, latest=market is None)
    named = cycle.cycle_id if cycle else cycle_id
    found: list[tuple[str, datetime, Decision]] = []
    for kind, subject in await _subjects(context, market):
        rows = await context.store.decisions(
            cycle_id=named, subject_id=subject, portfolio_id=portfolio_id, limit=DECISIONS_SHOWN_MAX
        )
        found += [row for row in rows if kind in ("", row[2].subject_kind)]
    found.sort(key=lambda row: row[1], reverse=True)
    found = found[:DECISIONS_SHOWN_MAX]
    titles = await context.store.titles([(row[2].subject_kind, row[2].subject_id) for row in found])
    requests = await _requests(context, cycle, {row[0] for row in found})
    decisions = [
        Explained(
            cycle_of,
            time,
            decision,
            in_words(decision, requests.get(cycle_of)),
            titles.get((decision.subject_kind, decision.subject_id), ""),
        )
        for cycle_of, time, decision in found
    ]
    # A cycle counts all of its decisions; only the latest of them are listed.
    reasons = Counter(item.decision.code for item in decisions) if market or cycle is None else reasons_of(cycle)
    return Explanation(decisions, reasons, cycle, _message(decisions, cycle, market, portfolio_id))


def in_words(decision: Decision, request: CycleRequest | None = None) -> str:
    """Say one decision in plain words with its number, its setting and, where the cycle's request holds it, its value."""
    text = _text_of(decision.code, decision.number)
    setting = decision.setting or "the limit"
    value = None if request is None else _value_of(decision.setting, request)
    if value is not None:
        setting += f" ({micro_to_text(value)})"
    return text.format(number=decision.number or "none", setting=setting)


def _text_of(code: str, number: str) -> str:
    """The text of a code, with a plain reading for one that only a user's strategy knows."""
    if code.startswith(SELL_BACK_PREFIX):
        return (
            f"the other leg of its set could not be sold back: {_text_of(code.removeprefix(SELL_BACK_PREFIX), number)}"
        )
    known = Reason._value2member_map_.get(code)
    if isinstance(known, Reason):
        return known.text
    return code.replace("_", " ") + (": {number}" if number else "")


def _value_of(setting: str, request: CycleRequest) -> int | None:
    """The value in micro-units that a filter setting had in a cycle; None for a portfolio's own settings."""
    for limits in (request.event_filter, request.market_filter):
        value: int | None = getattr(limits, f"{setting}_micro", None)
        if value is not None:
            return value
    return None


async def _requests(context: TradingContext, cycle: CycleReport | None, cycle_ids: set[str]) -> dict[str, CycleRequest]:
    """What each of these cycles was asked to do; single steps without a cycle have no request."""
    if cycle is not None:
        return {cycle.cycle_id: cycle.request}
    latest = await context.store.cycles(CYCLES_LOOKED_AT)
    return {report.cycle_id: report.request for report in latest if report.cycle_id in cycle_ids}


async def _cycle(
    context: TradingContext, cycle_id: str | None, portfolio_id: int | None, *, latest: bool
) -> CycleReport | None:
    """The cycle to explain, as the portfolio saw it: the named one, or the latest that the portfolio was part of."""
    if cycle_id is not None:
        found = await _named_cycle(context, cycle_id)
    elif latest:
        cycles = await context.store.cycles(CYCLES_LOOKED_AT)
        own = [cycle for cycle in cycles if portfolio_id is None or portfolio_id in cycle.request.portfolio_ids]
        if not own:
            raise NotFoundError("No cycle has run yet. Run one: POST /trading/run-full-cycle or `prescient cycle run`.")
        found = own[0]
    else:
        return None
    if found is None:
        return None
    found = await as_it_ended(context.store, found)
    return found if portfolio_id is None else of_portfolio(found, portfolio_id)


async def _named_cycle(context: TradingContext, cycle_id: str) -> CycleReport | None:
    """A cycle by its id; None for a single step that was run under an id of its own. Raises NotFoundError."""
    try:
        return await context.store.cycle(cycle_id)
    except NotFoundError:
        if await context.store.decisions(cycle_id=cycle_id, limit=1):
            return None
        raise


async def _subjects(context: TradingContext, market: str | None) -> list[tuple[str, str | None]]:
    """A market's own id and its event's id: an event that was dropped took its markets along."""
    if market is None:
        return [("", None)]
    found = await context.store.find_market(market)
    if found is None:
        raise NotFoundError("No such market. Give its id, condition id or slug; GET /markets lists them.")
    return [("market", found.market_id), ("event", found.event_id)]


def _message(
    decisions: list[Explained], cycle: CycleReport | None, market: str | None, portfolio_id: int | None
) -> str:
    if cycle is not None and portfolio_id is not None and portfolio_id not in cycle.request.portfolio_ids:
        return f"Cycle {cycle.cycle_id} was not run for portfolio {portfolio_id}."
    if market is None:
        return message_of(cycle) if cycle else ""
    if not decisions:
        return "No cycle has looked at this market yet; decisions are kept for 14 days."
    last = decisions[0]
    if last.decision.passed:
        return f"Last seen at step {last.decision.step.value}: {last.text}."
    return f"Stopped at step {last.decision.step.value}: {last.text}."
