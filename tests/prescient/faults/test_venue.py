"""The venue fails in every step of a cycle and in every way: bounded retries, a clear end, nothing half booked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prescient.adapters.memory import MemoryStore
from prescient.adapters.polymarket.messages.http import HttpResponse
from prescient.domain.cycle import CycleStatus
from prescient.domain.errors import VenueUnavailable
from prescient.domain.signal import Step
from prescient.ports.store import Store
from tests.prescient.faults.house import BOOKS, CATALOGUE, HISTORY, RULES, STATES, FaultyTransport, House, check_books

FAULTS = ("429", "500", "html", "half", "nothing")
# Where in the cycle the fault begins: path, answers before it, the last step that the report still has.
PLACES = {
    "collect, first page": (CATALOGUE, 0, None),
    "collect, second page": (CATALOGUE, 1, None),
    "screen, books": (BOOKS, 0, Step.FILTER),
    "decide, price history": (HISTORY, 3, Step.MARK),
    "execute, rules": (RULES, 0, Step.DECIDE),
    "execute, book of the first order": (BOOKS, 1, Step.DECIDE),
    "execute, book of the third order": (BOOKS, 3, Step.DECIDE),
    "mark, market states": (STATES, 0, Step.EXECUTE),
}
ATTEMPTS = 5
AT_ONCE_MAX = 16


async def busy_house(store: Store) -> House:
    """A house that holds positions already and has its next cycle before it."""
    house = House(store, seed=2)
    await house.found()
    await house.cycle()
    house.pass_hours(1)
    house.transport.asked.clear()
    return house


async def fails_and_heals(house: House, place: str, fault: str) -> None:
    path, after, last_step = PLACES[place]
    trades_before = len(await house.store.trades(None, 1000))
    started_s = house.clock.monotonic_s()
    # Momentum alone asks for price history, and it comes second: by then the first has been marked.
    house.transport.fail(fault, path, after=after)

    with pytest.raises(VenueUnavailable) as caught:
        await house.cycle(cycle_id="failing")

    assert ATTEMPTS <= house.transport.struck <= ATTEMPTS * AT_ONCE_MAX
    for part in (path, "5 attempts", "Check the network"):
        assert part in str(caught.value)
    if fault == "429":
        # Asked to wait 7 s before each of the four further attempts.
        assert house.clock.monotonic_s() - started_s >= 4 * 7
    report = await house.store.cycle("failing")
    assert (report.status, report.error) == (CycleStatus.FAILED, str(caught.value))
    assert report.ended_at is not None
    if last_step is not None:
        assert last_step in {step.step for step in report.steps}
    await check_books(house.store, house.clock.now())

    house.transport.mend()
    healed = await house.cycle()
    assert healed.status is CycleStatus.COMPLETED
    assert healed.total(Step.EXECUTE).count_out > 0
    assert len(await house.store.trades(None, 1000)) > trades_before
    await check_books(house.store, house.clock.now())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_failing_venue_ends_the_cycle_and_the_next_one_works(place: str, fault: str) -> None:
    await fails_and_heals(await busy_house(MemoryStore()), place, fault)


@pytest.mark.parametrize("place", PLACES)
async def test_a_failing_venue_leaves_nothing_half_booked_in_the_database(postgres_store: Store, place: str) -> None:
    await fails_and_heals(await busy_house(postgres_store), place, "half")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("path", [CATALOGUE, BOOKS, RULES, HISTORY, STATES])
async def test_a_fault_that_passes_costs_time_alone(path: str, fault: str) -> None:
    house = await busy_house(MemoryStore())
    house.transport.fail(fault, path, count=3)
    report = await house.cycle()
    assert report.status is CycleStatus.COMPLETED
    assert house.transport.struck == 3
    assert report.total(Step.EXECUTE).count_out > 0
    await check_books(house.store, house.clock.now())


async def test_a_listing_that_breaks_off_closes_nothing() -> None:
    """Half a catalogue is not taken for the whole: what was not listed stays active."""
    house = await busy_house(MemoryStore())
    before = {event.event_id for event in await house.store.active_events()}
    house.transport.fail("500", CATALOGUE, after=1)
    with pytest.raises(VenueUnavailable):
        await house.cycle()
    assert {event.event_id for event in await house.store.active_events()} >= before


class OneBadItem(FaultyTransport):
    """Spoils one market of one page of the catalogue, one book, one market's rules and one price history."""

    token = condition = market_id = ""

    async def request(self, method: str, url: str, params: Any, body: bytes | None) -> HttpResponse:
        whole = await super().request(method, url, params, body)
        if url.endswith(CATALOGUE):
            return self._changed(whole, self._corrupt_market)
        if url.endswith(BOOKS):
            return self._changed(whole, self._corrupt_book)
        if url.endswith(self.condition) or ("market", self.token) in params:
            return HttpResponse(200, b'{"t": "nonsense", "history": [{"t": "now", "p": 7}]}', whole.headers)
        return whole

    def _changed(self, whole: HttpResponse, corrupt: Any) -> HttpResponse:
        content = json.loads(whole.body)
        corrupt(content)
        return HttpResponse(whole.status, json.dumps(content).encode(), whole.headers)

    def _corrupt_market(self, content: Any) -> None:
        for market in (market for event in content["events"] for market in event.get("markets", ())):
            if market["id"] == self.market_id:
                market["clobTokenIds"] = '["not", "a'

    def _corrupt_book(self, content: Any) -> None:
        for book in content:
            if book["asset_id"] == self.token:
                book["bids"] = [{"price": "-1", "size": "NaN"}]


async def test_one_bad_item_costs_only_itself(store: Store) -> None:
    sound, corrupted = House(MemoryStore(), seed=2), House(store, seed=2)
    for house in (sound, corrupted):
        await house.found()
    whole = await sound.cycle()
    first, second = (await sound.store.screened(whole.cycle_id))[:2]
    transport = corrupted.transport
    transport.__class__ = OneBadItem
    assert isinstance(transport, OneBadItem)
    transport.market_id = first.market_id
    transport.token, transport.condition = second.outcomes[0].token_id, second.condition_id

    report = await corrupted.cycle()

    assert report.status is CycleStatus.COMPLETED
    # The market that cannot be read is left out of its event; the event and all its other markets go on.
    collected, expected = report.total(Step.COLLECT), whole.total(Step.COLLECT)
    assert collected.count_out == expected.count_out
    assert collected.amounts["markets"] == expected.amounts["markets"] - 1
    kept = {market.market_id for market in await corrupted.store.screened(report.cycle_id)}
    assert kept == {market.market_id for market in await sound.store.screened(whole.cycle_id)} - {first.market_id}
    # The one without a readable book, rules or history is not traded; everybody else is.
    traded = {trade.condition_id for trade in await corrupted.store.trades(None, 100)}
    assert traded and not traded & {first.condition_id, second.condition_id}
    await check_books(store, corrupted.clock.now())
