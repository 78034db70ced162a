"""The trading cycle: the one line of data, from all events to a snapshot. Read this file first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from polymarket_kit.errors import PrescientError
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus, StepReport
from prescient.domain.errors import NoActivePortfolios, PortfolioNotActive
from prescient.domain.portfolio import PortfolioStatus
from prescient.ports.clock import Clock
from prescient.ports.steps import CycleSteps
from prescient.ports.store import PortfolioCycles, Portfolios

Progress = Callable[[StepReport], Awaitable[None]]


async def run_cycle(cycle_steps: CycleSteps, request: CycleRequest, progress: Progress) -> None:
    """Run one trading cycle: each line feeds the next. The rows lie in the store; what is handed on are counts."""
    limits, market_limits = request.event_filter, request.market_filter
    await progress(await cycle_steps.collect(request.cycle_id))
    await progress(await cycle_steps.filter(request.cycle_id, limits))
    await progress(await cycle_steps.screen(request.cycle_id, limits, market_limits))
    for portfolio_id in request.portfolio_ids:  # markets are fetched once, portfolios trade on their own
        await progress(await cycle_steps.decide(request.cycle_id, portfolio_id, market_limits))
        await progress(await cycle_steps.execute(request.cycle_id, portfolio_id))
        await progress(await cycle_steps.mark(portfolio_id))
        await progress(await cycle_steps.snapshot(request.cycle_id, portfolio_id))


async def start_cycle(
    store: PortfolioCycles, cycle_steps: CycleSteps, clock: Clock, request: CycleRequest
) -> CycleReport:
    """Claim, run and close one cycle; a repeated idempotency key runs once.

    Raises NoActivePortfolios, PortfolioNotFound, PortfolioNotActive, CycleAlreadyRunning, IdempotencyKeyReused, and
    whatever ends the cycle early; the cycle's row then says ``failed`` and why.
    """
    request = await with_portfolios(store, request)
    # A process that died while it ran a cycle must not block its portfolios for ever.
    await store.close_dead_cycles(clock.now())
    claim = await store.claim_cycle(request, clock.now())
    report = claim.report
    if claim.replayed:
        return report

    async def progress(step: StepReport) -> None:
        report.steps.append(step)
        await store.save_cycle(report)

    try:
        await run_cycle(cycle_steps, request, progress)
        report.status = CycleStatus.COMPLETED
    except BaseException as error:
        # Cancelled or broken: what was booked stays booked, whole; the row says how far it came.
        report.status = CycleStatus.FAILED
        report.error = _why(error)
        raise
    finally:
        report.ended_at = clock.now()
        await store.finish_cycle(report)
    return report


def _why(error: BaseException) -> str:
    if isinstance(error, PrescientError):
        return str(error)
    # Only a stop cancels a cycle: whoever asked for it and went away leaves it running.
    stopped = type(error).__name__ == "CancelledError"
    return "Stopped while it ran; what was booked is whole." if stopped else f"{type(error).__name__}: see the log"


async def with_portfolios(store: Portfolios, request: CycleRequest) -> CycleRequest:
    """Resolve "all active portfolios", or check the ones that were named."""
    if request.portfolio_ids:
        for portfolio_id in request.portfolio_ids:
            portfolio = await store.portfolio(portfolio_id)
            if portfolio.status is not PortfolioStatus.ACTIVE:
                raise PortfolioNotActive(portfolio_id, portfolio.status.value)
        return request
    active = await store.portfolios(PortfolioStatus.ACTIVE)
    if not active:
        raise NoActivePortfolios
    return replace(request, portfolio_ids=tuple(portfolio.portfolio_id for portfolio in active), all_active=True)
