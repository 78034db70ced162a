"""Cycles: one at a time for each portfolio, once for each key, and none left running by a dead process."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from prescient.domain.cycle import CycleReport, CycleStatus, StepReport
from prescient.domain.errors import (
    ConflictError,
    CycleAlreadyRunning,
    IdempotencyKeyReused,
    NotFoundError,
    PortfolioNotFound,
)
from prescient.domain.screening import EventFilter, MarketFilter
from prescient.domain.signal import Step
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import NOW, House, cycle_request, funded, later


def full_report(report: CycleReport) -> CycleReport:
    report.steps = [
        StepReport(Step.COLLECT, None, 553, 550, 1.25, Counter({"malformed": 3}), {}, {"markets": 900}),
        StepReport(Step.DECIDE, 1, 40, 2, 0.000001, Counter({"score_low": 38}), {"score_low": "min_confidence"}, {}),
    ]
    return report


async def test_a_claimed_cycle_is_running_and_reads_back(store: Store) -> None:
    one = await funded(store)
    request = replace(
        cycle_request("cycle-1", one.portfolio_id, key="key-1"),
        event_filter=EventFilter(1, 2),
        market_filter=MarketFilter(3, 4, 500_001, 999_999),
        trigger="schedule",
    )
    claim = await store.claim_cycle(request, NOW)
    assert not claim.replayed
    assert claim.report == CycleReport(request, CycleStatus.RUNNING, NOW)
    assert await store.cycle("cycle-1") == claim.report


async def test_progress_and_the_end_are_kept_whole(store: Store) -> None:
    one = await funded(store)
    report = full_report((await store.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)).report)
    await store.save_cycle(report)
    kept = await store.cycle("cycle-1")
    assert kept == report
    assert isinstance(kept.steps[0].dropped, Counter) and kept.steps[0].dropped["never"] == 0
    report.status, report.ended_at, report.error = CycleStatus.FAILED, later(seconds=9), "the venue is away ✓"
    await store.finish_cycle(report)
    assert await store.cycle("cycle-1") == report


async def test_what_the_running_cycle_does_to_its_report_is_kept_only_when_saved(store: Store) -> None:
    one = await funded(store)
    report = full_report((await store.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)).report)
    await store.save_cycle(report)
    report.steps[0].drop("later")
    report.steps.pop()
    read = await store.cycle("cycle-1")
    assert len(read.steps) == 2 and read.steps[0].dropped == {"malformed": 3}
    read.steps.clear()
    assert len((await store.cycle("cycle-1")).steps) == 2


async def test_a_second_cycle_of_a_portfolio_is_refused_with_the_running_id(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    first = await store.claim_cycle(cycle_request("cycle-1", one.portfolio_id, two.portfolio_id), NOW)
    with pytest.raises(CycleAlreadyRunning) as caught:
        await store.claim_cycle(cycle_request("cycle-2", two.portfolio_id), NOW)
    assert caught.value.cycle_id == "cycle-1"
    with pytest.raises(NotFoundError):
        await store.cycle("cycle-2")
    await store.finish_cycle(replace(first.report, status=CycleStatus.COMPLETED, ended_at=NOW))
    assert not (await store.claim_cycle(cycle_request("cycle-2", two.portfolio_id), NOW)).replayed


async def test_a_refused_claim_holds_none_of_its_portfolios(store: Store) -> None:
    one, two, three = [await funded(store, name) for name in ("One", "Two", "Three")]
    await store.claim_cycle(cycle_request("cycle-1", two.portfolio_id), NOW)
    with pytest.raises(CycleAlreadyRunning):
        await store.claim_cycle(cycle_request("cycle-2", one.portfolio_id, two.portfolio_id), NOW)
    with pytest.raises(PortfolioNotFound):
        await store.claim_cycle(cycle_request("cycle-3", three.portfolio_id, 999), NOW)
    await store.claim_cycle(cycle_request("cycle-4", one.portfolio_id, three.portfolio_id), NOW)


async def test_portfolios_run_side_by_side(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    await store.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)
    await store.claim_cycle(cycle_request("cycle-2", two.portfolio_id), NOW)


async def test_of_many_claims_at_once_one_wins(store: Store) -> None:
    one = await funded(store)
    claims = [store.claim_cycle(cycle_request(f"cycle-{n}", one.portfolio_id), NOW) for n in range(6)]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(won) == 1
    assert sum(isinstance(outcome, CycleAlreadyRunning) for outcome in outcomes) == 5


async def test_a_cycle_id_is_used_once(store: Store) -> None:
    one = await funded(store)
    claim = await store.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)
    await store.finish_cycle(replace(claim.report, status=CycleStatus.COMPLETED))
    with pytest.raises(ConflictError):
        await store.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)
    assert (await store.cycle("cycle-1")).status is CycleStatus.COMPLETED
    assert not (await store.claim_cycle(cycle_request("cycle-2", one.portfolio_id), NOW)).replayed


async def test_one_key_runs_once(store: Store) -> None:
    one = await funded(store)
    first = await store.claim_cycle(cycle_request("cycle-1", one.portfolio_id, key="k"), NOW)
    again = await store.claim_cycle(cycle_request("cycle-2", one.portfolio_id, key="k"), later(seconds=1))
    assert again.replayed and again.report == first.report
    done = replace(full_report(first.report), status=CycleStatus.COMPLETED, ended_at=later(seconds=2))
    await store.finish_cycle(done)
    again = await store.claim_cycle(cycle_request("cycle-3", one.portfolio_id, key="k"), later(days=1))
    assert again.replayed and again.report == done
    assert [report.cycle_id for report in await store.cycles(10)] == ["cycle-1"]


async def test_a_key_used_with_another_request_is_refused(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    request = cycle_request("cycle-1", one.portfolio_id, key="k")
    await store.claim_cycle(request, NOW)
    for other in (
        replace(request, portfolio_ids=(two.portfolio_id,)),
        replace(request, event_filter=EventFilter(event_min_volume_micro=1)),
        replace(request, market_filter=MarketFilter(max_market_conviction_micro=1_000_000)),
    ):
        with pytest.raises(IdempotencyKeyReused):
            await store.claim_cycle(replace(other, cycle_id="cycle-2"), NOW)
    replay = await store.claim_cycle(replace(request, cycle_id="cycle-2", trigger="cli"), NOW)
    assert replay.replayed


async def test_cycles_without_a_key_never_replay_one_another(store: Store) -> None:
    one, two = await funded(store, "One"), await funded(store, "Two")
    await store.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)
    assert not (await store.claim_cycle(cycle_request("cycle-2", two.portfolio_id), NOW)).replayed


async def test_cycles_are_listed_newest_first(store: Store) -> None:
    one = await funded(store)
    for number, cycle_id in enumerate(["cycle-c", "cycle-a", "cycle-b"]):
        claim = await store.claim_cycle(cycle_request(cycle_id, one.portfolio_id), later(minutes=number))
        await store.finish_cycle(replace(claim.report, status=CycleStatus.COMPLETED))
    assert [report.cycle_id for report in await store.cycles(10)] == ["cycle-b", "cycle-a", "cycle-c"]
    assert [report.cycle_id for report in await store.cycles(2)] == ["cycle-b", "cycle-a"]


async def test_an_unknown_cycle_is_refused(store: Store) -> None:
    ghost = CycleReport(cycle_request("cycle-0"), CycleStatus.RUNNING, NOW)
    for call in (store.cycle("cycle-0"), store.save_cycle(ghost), store.finish_cycle(ghost)):
        with pytest.raises(NotFoundError):
            await call
    assert await store.cycles(5) == []


async def test_a_living_process_keeps_its_cycle(house: House) -> None:
    living, other = await house.open(), await house.open()
    one = await funded(living)
    await living.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)
    assert await other.close_dead_cycles(later(days=1)) == []
    assert await living.close_dead_cycles(later(days=1)) == []
    with pytest.raises(CycleAlreadyRunning):
        await other.claim_cycle(cycle_request("cycle-2", one.portfolio_id), NOW)


async def test_a_dead_process_leaves_its_cycle_interrupted_and_its_portfolios_free(house: House) -> None:
    dying, other = await house.open(), await house.open()
    one = await funded(dying)
    claim = await dying.claim_cycle(cycle_request("cycle-1", one.portfolio_id, key="k"), NOW)
    await dying.save_cycle(full_report(claim.report))
    await dying.close()
    assert await other.close_dead_cycles(later(hours=1)) == ["cycle-1"]
    closed = await other.cycle("cycle-1")
    assert closed.status is CycleStatus.INTERRUPTED
    assert closed.ended_at == later(hours=1)
    assert closed.error
    assert closed.steps == full_report(claim.report).steps
    assert await other.close_dead_cycles(later(hours=2)) == []
    assert (await other.cycle("cycle-1")).ended_at == later(hours=1)
    assert not (await other.claim_cycle(cycle_request("cycle-2", one.portfolio_id), NOW)).replayed
    replay = await other.claim_cycle(cycle_request("cycle-3", one.portfolio_id, key="k"), NOW)
    assert replay.replayed and replay.report.status is CycleStatus.INTERRUPTED


async def test_a_finished_cycle_of_a_dead_process_stays_finished(house: House) -> None:
    dying, other = await house.open(), await house.open()
    one = await funded(dying)
    claim = await dying.claim_cycle(cycle_request("cycle-1", one.portfolio_id), NOW)
    await dying.finish_cycle(replace(claim.report, status=CycleStatus.COMPLETED, ended_at=NOW))
    await dying.close()
    assert await other.close_dead_cycles(later(hours=1)) == []
    assert (await other.cycle("cycle-1")).status is CycleStatus.COMPLETED
