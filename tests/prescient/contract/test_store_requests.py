"""Changes of positions asked of a venue, on both stores: their shares are set aside, and they end once, with their booking."""

from __future__ import annotations

import pytest

from polymarket_kit.values import MICRO
from prescient.domain.errors import InvariantBroken, PositionMoved, RequestClosed
from prescient.domain.ledger import USD, swapped
from prescient.domain.order import Wire
from prescient.domain.portfolio import Position
from prescient.domain.venue_answers import PositionRequest, RequestKind
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import YES, House, fill, filled, funded, later, reserved, signal

WIRE = Wire(b"\x02" * 32, b"signed", 7)


def request(portfolio_id: int, name: str = "merge-1", size_micro: int = 10 * MICRO) -> PositionRequest:
    given, gained = ((YES, size_micro),), ((USD, size_micro),)
    return PositionRequest(name, portfolio_id, RequestKind.REDEEM, ("0xc",), given, gained)


async def ten_shares(store: Store) -> Position:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 20 * MICRO)
    await store.book(filled(order, made, [fill(500_000, 10 * MICRO)]), later())
    position = await store.position(one.portfolio_id, YES)
    assert position is not None and position.size_micro == 10 * MICRO
    return position


async def redeem(store: Store, held: Position, closes: str) -> bool:
    made = request(held.portfolio_id)
    transfers = swapped(held.portfolio_id, made.request_id, "redeem", made.given, made.gained, later(seconds=3))
    after = held.reduced(10 * MICRO, 10 * MICRO, later(seconds=3))
    return await store.swap(held.portfolio_id, transfers, [(held, after)], later(seconds=3), closes)


async def test_a_request_is_there_for_the_next_process(house: House) -> None:
    store = await house.open()
    held = await ten_shares(store)
    made = request(held.portfolio_id)
    assert await store.open_request(made, WIRE, later(seconds=1))
    other = await house.open()
    assert await other.open_requests(held.portfolio_id) == [made]
    assert await other.open_requests(held.portfolio_id + 1) == []


async def test_its_shares_are_not_free_for_anything_else(store: Store) -> None:
    held = await ten_shares(store)
    assert await store.open_request(request(held.portfolio_id), WIRE, later(seconds=1))
    assert not await store.open_request(request(held.portfolio_id, "again"), None, later(seconds=2))
    with pytest.raises(PositionMoved):
        await redeem(store, held, closes="")
    await store.reject_request("merge-1", "reverted", later(seconds=2))
    assert await store.open_requests(None) == []
    assert await store.open_request(request(held.portfolio_id, "again"), None, later(seconds=2))


async def test_it_ends_with_its_booking_and_once(store: Store) -> None:
    held = await ten_shares(store)
    await store.open_request(request(held.portfolio_id), WIRE, later(seconds=1))
    assert await redeem(store, held, closes="merge-1")
    assert await store.open_requests(None) == []
    with pytest.raises(RequestClosed):
        await redeem(store, held, closes="merge-1")
    await store.reject_request("merge-1", "too late", later(seconds=4))
    assert await store.positions(held.portfolio_id) == []


async def test_nothing_is_kept_twice(store: Store) -> None:
    held = await ten_shares(store)
    await store.open_request(request(held.portfolio_id, size_micro=MICRO), WIRE, later(seconds=1))
    for name, wire in (("merge-1", None), ("other", WIRE)):
        with pytest.raises(InvariantBroken, match="kept already"):
            await store.open_request(request(held.portfolio_id, name, MICRO), wire, later(seconds=2))
