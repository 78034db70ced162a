"""What the venue ends without telling it as an order's end, ends on paper too, on both stores (see ``OrderEnd``)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymarket_kit.order_ends import OrderEnd
from prescient.ports.store import Store
from prescient.trading.resting import cancel_stranded
from tests.prescient.contract.resting_market import NO, START_MS, YES, Floor
from tests.prescient.contract.store_examples import House


@pytest.fixture
async def floor(store: Store) -> Floor:
    return await Floor(store).open()


async def test_a_game_that_starts_ends_what_rests_also_after_a_restart(floor: Floor, house: House) -> None:
    rules = floor.data.rules_by_condition
    rules["0xc1"] = replace(rules["0xc1"], game_start_ms=START_MS + 600_000)
    await floor.place()
    await floor.place(53)
    await floor.listen(floor.printed(110))
    assert (await floor.held())[1] == 10
    again = await floor.restarted(await house.open())
    again.time_ms = START_MS + 599_999
    assert await again.listen(*await again.stream.books([YES, NO])) == []
    # Told by the first thing that happens after it, or by the clock.
    again.time_ms = START_MS + 600_000
    assert await again.listen(again.printed(500, 53)) == [("CANCELED", 0), ("CANCELED", 0)]
    assert (await again.held())[1] == 10
    assert await again.store.resting_orders() == []


async def test_a_game_that_starts_earlier_than_it_was_said_ends_what_rests(floor: Floor) -> None:
    placed = await floor.place()
    rules = floor.data.rules_by_condition
    rules["0xc1"] = replace(rules["0xc1"], game_start_ms=START_MS)
    assert [(one.order.intent.order_id, one.reason) for one in await cancel_stranded(floor.context)] == [
        (placed.order_id, OrderEnd.GAME_START.text)
    ]
    assert await floor.held() == (0, 0)
