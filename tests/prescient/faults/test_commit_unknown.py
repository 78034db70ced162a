"""The connection breaks during COMMIT, so nobody knows: what is found later is one effect or none, and a retry adds none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from prescient.adapters.postgres.store.store import PostgresStore, open_store
from prescient.domain.cycle import CycleStatus
from prescient.domain.errors import ConflictError, InvariantBroken, StoreUnavailable
from prescient.domain.order import ApprovedOrder
from prescient.domain.portfolio import NewPortfolio
from prescient.domain.records import Claim
from prescient.domain.risk import ALREADY_ORDERED
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import (
    NOW,
    USD,
    bought,
    cycle_request,
    fill,
    filled,
    funded,
    intent_of,
    judged,
    reserved,
    settled,
    signal,
)
from tests.prescient.faults.house import House, check_books
from tests.prescient.faults.proxy import Wire, wire_to

BALANCE = 1_000 * USD
LOST = ("question", "answer")


@dataclass
class Pair:
    """The same database twice: over a wire that can break, and directly."""

    wire: Wire
    store: PostgresStore
    direct: Store


@pytest.fixture
async def pair(postgres_dsn: str, postgres_store: Store) -> AsyncIterator[Pair]:
    async with wire_to(postgres_dsn) as wire:
        store = await open_store(wire.dsn)
        yield Pair(wire, store, postgres_store)
        await store.close()


@dataclass
class Operation:
    """What is done, how many times it took effect, and what a retry says when it had taken effect already."""

    run: Callable[[Store], Awaitable[Any]]
    effects: Callable[[], Awaitable[int]]
    again: Any


async def reserving(direct: Store) -> Operation:
    one = await funded(direct, cash_micro=BALANCE)
    made = signal(1, one.portfolio_id)
    await direct.save_signals([made])
    order = ApprovedOrder(intent_of(made), 10 * USD, 0)

    async def effects() -> int:
        count, left = divmod((await direct.portfolio(one.portfolio_id)).reserved_micro, 10 * USD)
        assert (len(await direct.open_orders()), left) == (count, 0)
        return count

    return Operation(lambda store: judged(store, order), effects, ALREADY_ORDERED)


async def booking(direct: Store) -> Operation:
    one = await funded(direct, cash_micro=BALANCE)
    made = signal(1, one.portfolio_id)
    order = await reserved(direct, made, 10 * USD)
    answer = filled(order, made, [fill(500_000, 10 * USD)])

    async def effects() -> int:
        count, left = divmod(BALANCE - (await direct.portfolio(one.portfolio_id)).cash_micro, 5 * USD)
        assert (len(await direct.trades(one.portfolio_id, 10)), left) == (count, 0)
        assert len(await direct.open_orders()) == 1 - count
        return count

    return Operation(lambda store: store.book(answer, NOW), effects, InvariantBroken)


async def settling(direct: Store) -> Operation:
    one = await funded(direct, cash_micro=BALANCE)
    position = await bought(direct, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    before = (await direct.portfolio(one.portfolio_id)).cash_micro

    async def effects() -> int:
        count, left = divmod((await direct.portfolio(one.portfolio_id)).cash_micro - before, 10 * USD)
        assert (len(await direct.positions(one.portfolio_id)), left) == (1 - count, 0)
        return count

    return Operation(lambda store: settled(store, position, 10 * USD), effects, False)


async def creating(direct: Store) -> Operation:
    async def effects() -> int:
        made = await direct.portfolios()
        for portfolio in made:
            assert sum((await direct.ledger_balances(portfolio.portfolio_id)).values()) == 0
        return len(made)

    new = NewPortfolio("One", "majority", BALANCE)
    return Operation(lambda store: store.create_portfolio(new, NOW), effects, ConflictError)


async def claiming(direct: Store, key: str = "") -> Operation:
    one = await funded(direct, cash_micro=BALANCE)
    request = cycle_request("cycle-1", one.portfolio_id, key=key)

    async def effects() -> int:
        return len(await direct.cycles(10))

    return Operation(lambda store: store.claim_cycle(request, NOW), effects, Claim if key else ConflictError)


async def claiming_with_a_key(direct: Store) -> Operation:
    return await claiming(direct, "morning")


OPERATIONS = (reserving, booking, settling, creating, claiming, claiming_with_a_key)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("prepare", OPERATIONS, ids=lambda prepare: prepare.__name__)
async def test_one_effect_or_none_and_a_retry_adds_none(
    pair: Pair, prepare: Callable[[Store], Awaitable[Operation]], lost: str
) -> None:
    operation = await prepare(pair.direct)
    assert await operation.effects() == 0
    pair.wire.cut_at(1, lost)

    with pytest.raises(StoreUnavailable, match="Error connecting to database"):
        await operation.run(pair.store)

    assert pair.wire.cuts == 1
    happened = await operation.effects()
    assert happened == (1 if lost == "answer" else 0)
    again = await _outcome(operation.run(pair.store))
    assert await operation.effects() == 1
    if happened and isinstance(operation.again, type):
        assert isinstance(again, operation.again)
    elif happened:
        assert again == operation.again
    else:
        assert not isinstance(again, Exception)
    await check_books(pair.direct, NOW, resting=False)


async def _outcome(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except (ConflictError, InvariantBroken) as error:
        return error


@pytest.mark.parametrize("key", ["", "morning"])
async def test_a_claim_whose_answer_was_lost_blocks_nobody(pair: Pair, key: str) -> None:
    """The cycle is in the table as running, but no process runs it: it is found dead at once, not at the next start."""
    operation = await claiming(pair.direct, key)
    pair.wire.cut_at(1, "answer")
    with pytest.raises(StoreUnavailable):
        await operation.run(pair.store)
    assert (await pair.direct.cycle("cycle-1")).status is CycleStatus.RUNNING
    assert await pair.store.close_dead_cycles(NOW) == ["cycle-1"]
    claim = await pair.store.claim_cycle(cycle_request("cycle-2", 1), NOW)
    assert not claim.replayed


async def cycle_with_cut(house: House, wire: Wire, number: int, lost: str) -> bool:
    """Run a cycle whose n-th COMMIT is cut; False once there are not so many."""
    wire.cut_at(number, lost)
    try:
        await house.cycle(cycle_id=f"cut-{lost}-{number:03d}")
    except StoreUnavailable:
        assert wire.cuts == 1
    wire.mend()
    return wire.cuts == 1


@pytest.mark.parametrize("lost", LOST)
async def test_a_cycle_cut_at_some_commit_heals_in_the_next_one(pair: Pair, lost: str) -> None:
    house = House(pair.store, seed=2)
    await house.found()
    number = 1 + 3 * LOST.index(lost)
    cut = 0
    while await cycle_with_cut(house, pair.wire, number, lost):
        cut += 1
        number += 7
        house.pass_hours(3)
        healed = await house.cycle(cycle_id=f"healed-{lost}-{number:03d}")
        assert healed.status is CycleStatus.COMPLETED
        await check_books(pair.direct, house.clock.now())
    assert cut >= 5
