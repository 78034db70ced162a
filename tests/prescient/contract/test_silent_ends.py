"""What the venue ends without telling it as an order's end, ends on paper too, on both stores (see ``OrderEnd``)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.order_ends import OrderEnd
from prescient.ports.store import Store
from prescient.trading.resting import cancel_stranded
from tests.prescient.contract.resting_market import NO, START_MS, YES, RestingHarness
from tests.prescient.contract.store_examples import House


@pytest.fixture
async def harness(store: Store) -> RestingHarness:
    return await RestingHarness(store).open()


async def test_a_game_that_starts_ends_what_rests_also_after_a_restart(harness: RestingHarness, house: House) -> None:
    rules = harness.data.rules_by_condition
    rules["0xc1"] = replace(rules["0xc1"], game_start_ms=START_MS + 600_000)
    await harness.place()
    await harness.place(53)
    await harness.listen(harness.printed(110))
    assert (await harness.held())[1] == 10
    again = await harness.restarted(await house.open())
    again.time_ms = START_MS + 599_999
    assert await again.listen(*await again.stream.books([YES, NO])) == []
    # Told by the first thing that happens after it, or by the clock.
    again.time_ms = START_MS + 600_000
    assert await again.listen(again.printed(500, 53)) == [("CANCELED", 0), ("CANCELED", 0)]
    assert (await again.held())[1] == 10
    assert await again.store.resting_orders() == []


async def test_a_game_that_starts_earlier_than_it_was_said_ends_what_rests(harness: RestingHarness) -> None:
    placed = await harness.place()
    rules = harness.data.rules_by_condition
    rules["0xc1"] = replace(rules["0xc1"], game_start_ms=START_MS)
    assert [(one.order.intent.order_id, one.reason) for one in await cancel_stranded(harness.context)] == [
        (placed.order_id, OrderEnd.GAME_START.text)
    ]
    assert await harness.held() == (0, 0)
