"""Mark (step 6): settle what has resolved, merge complete sets, then value the rest at what a sale now would bring."""

from __future__ import annotations

from collections import Counter

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.domain.cycle import StepReport
from prescient.domain.market import OrderBook, TradingRules
from prescient.domain.portfolio import Mark, PortfolioStatus, Position
from prescient.domain.signal import Step
from prescient.paper_matching.book import walk
from prescient.ports.context import TradingContext
from prescient.trading.positions.merge import merge_all
from prescient.trading.positions.settle import settle_resolved
from prescient.trading.positions.settling import settle_fills
from prescient.trading.screen import save_books

SNAPSHOT_SOURCE = "mark"


async def mark_positions(context: TradingContext, portfolio_id: int) -> StepReport:
    """Settle and mark one portfolio. ``count_in`` is the open positions before, ``count_out`` those marked now."""
    report = StepReport(Step.MARK, portfolio_id)
    await settle_fills(context, portfolio_id)
    positions = await context.store.positions(portfolio_id)
    report.count_in = len(positions)
    here = (await context.store.portfolio(portfolio_id)).venue in context.venues
    # Only the process that holds a portfolio's venue may have it pay or merge.
    settled = await settle_resolved(context, portfolio_id, positions) if here else set()
    report.amounts["settled"] = len(settled)
    still_open = [position for position in positions if position.token_id not in settled]
    merged = await merge_all(context, portfolio_id, still_open) if here else []
    if merged:
        # A complete set is a dollar today: there is no reason to wait for its market's end.
        report.amounts["merged"] = len(merged)
        still_open = await context.store.positions(portfolio_id)
    marks = await _marks(context, still_open)
    now = context.clock.now()
    await context.store.save_marks(portfolio_id, marks, now)
    report.count_out = len(marks)
    report.dropped.update(Counter(mark.source for mark in marks if mark.source != "bids"))
    return report


async def update_prices(context: TradingContext, venue: str | None = None) -> list[StepReport]:
    """Mark every portfolio that holds positions, and keep one snapshot row per held market (the price updater's round).

    ``venue``: only that one's, for the process that holds it. What another process holds and marks is left to it.
    """
    reports = []
    held: set[str] = set()
    elsewhere = {name for name in context.venues_elsewhere - set(context.venues) if await context.store.is_owned(name)}
    for portfolio in await context.store.portfolios():
        if portfolio.venue in elsewhere or venue not in (None, portfolio.venue):
            continue
        positions = await context.store.positions(portfolio.portfolio_id)
        if positions or portfolio.status is PortfolioStatus.ACTIVE:
            held |= {position.condition_id for position in positions}
            reports.append(await mark_positions(context, portfolio.portfolio_id))
    markets = await context.store.markets_by_condition(sorted(held))
    await save_books(context, SNAPSHOT_SOURCE, list(markets.values()))
    return reports


async def _marks(context: TradingContext, positions: list[Position]) -> list[Mark]:
    if not positions:
        return []
    books = await context.market_data.books([position.token_id for position in positions])
    rules = await context.market_data.rules(sorted({position.condition_id for position in positions}))
    return [mark_of(position, books.get(position.token_id), rules.get(position.condition_id)) for position in positions]


def mark_of(position: Position, book: OrderBook | None, rules: TradingRules | None) -> Mark:
    """Return what selling the whole position into this book would bring, after the venue's fee.

    ``bids``: the bids take all of it. ``bids_partial``: they take only part, the rest is worth nothing today.
    ``no_bids``: nobody buys. ``last_mark``: the venue has no book (ended, not yet resolved), the old value stays.
    """
    if book is None or rules is None:
        kept = position.mark_price_micro, position.mark_value_micro
        return Mark(position.token_id, *kept, "last_mark", position.size_micro)
    if not book.bids:
        return Mark(position.token_id, 0, 0, "no_bids", position.size_micro)
    sale = walk(book.bids, Side.SELL, 0, rules.fees, size_micro=position.size_micro)
    value = max(sale.cost_micro - sale.fee_micro, 0)
    price = sale.cost_micro * MICRO // sale.size_micro
    return Mark(position.token_id, price, value, "bids" if sale.complete else "bids_partial", position.size_micro)
