"""The ledger: every transfer has two sides, and what happened decides its id."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymarket_kit.model import Side
from prescient.domain import ledger
from prescient.domain.order import Fill

NOW = datetime(2026, 5, 17, tzinfo=UTC)
FILLS = st.lists(
    st.builds(
        Fill,
        price_micro=st.integers(0, 10**6),
        size_micro=st.integers(1, 10**12),
        cost_micro=st.integers(0, 10**12),
        fee_micro=st.integers(0, 10**9),
    ),
    max_size=8,
)


def transfer(amount: int = 1, debit: str = "cash", credit: str = "venue") -> ledger.Transfer:
    return ledger.Transfer("t", 1, "g", "k", "USD", debit, credit, amount, NOW)


@pytest.mark.parametrize(
    ("amount", "debit", "credit"),
    [(0, "cash", "venue"), (-1, "cash", "venue"), (1, "cash", "cash"), (1, "cash", "pocket"), (1, "Cash", "venue")],
)
def test_a_transfer_moves_something_between_two_known_accounts(amount: int, debit: str, credit: str) -> None:
    with pytest.raises(ValueError):
        transfer(amount, debit, credit)
    assert transfer().amount_micro == 1


def test_a_purchase_with_two_fills_by_hand() -> None:
    matched = [Fill(560_000, 7_000_000, 3_920_000, 86_240), Fill(570_000, 3_000_000, 1_710_000, 0)]
    moves = ledger.opening(1, 100_000_000, NOW)
    moves += ledger.reservation(1, "o1", 10_000_000, NOW)
    moves += ledger.release(1, "o1", 10_000_000, NOW)
    moves += ledger.fills(1, "o1", "yes", Side.BUY, matched, NOW)
    assert ledger.balances(moves) == {
        (1, "capital", "USD"): -100_000_000,
        (1, "cash", "USD"): 100_000_000 - 3_920_000 - 1_710_000 - 86_240,
        (1, "reserved", "USD"): 0,
        (1, "venue", "USD"): 5_630_000,
        (1, "fees", "USD"): 86_240,
        (1, "venue", "yes"): -10_000_000,
        (1, "shares", "yes"): 10_000_000,
    }
    assert [move.transfer_id for move in moves] == [
        "open:1:capital",
        "reserve:o1:hold",
        "release:o1:free",
        "fill:o1:0:money",
        "fill:o1:0:fee",
        "fill:o1:0:shares",
        "fill:o1:1:money",
        "fill:o1:1:shares",
    ]


def test_a_sale_and_a_settlement_go_the_other_way() -> None:
    sale = ledger.fills(1, "o2", "yes", Side.SELL, [Fill(600_000, 4_000_000, 2_400_000, 48_000)], NOW)
    paid = ledger.settlement(1, "0x1", "yes", 6_000_000, 3_000_000, NOW)
    assert ledger.balances(sale + paid) == {
        (1, "venue", "USD"): -5_400_000,
        (1, "cash", "USD"): 5_400_000 - 48_000,
        (1, "fees", "USD"): 48_000,
        (1, "shares", "yes"): -10_000_000,
        (1, "venue", "yes"): 10_000_000,
    }
    worthless = ledger.settlement(1, "0x1", "no", 6_000_000, 0, NOW)
    assert [move.transfer_id for move in worthless] == ["settle:1:no:shares"]


def test_nothing_is_held_and_nothing_is_freed() -> None:
    assert ledger.reservation(1, "o", 0, NOW) == []
    assert ledger.release(1, "o", 0, NOW) == []
    assert ledger.balances([]) == {}


@given(FILLS, st.sampled_from(Side), st.integers(1, 10**15), st.integers(0, 10**12))
def test_every_asset_sums_to_zero_and_every_id_is_its_own(
    matched: list[Fill], side: Side, capital: int, held: int
) -> None:
    moves = ledger.opening(1, capital, NOW) + ledger.reservation(1, "o1", held, NOW)
    moves += ledger.release(1, "o1", held, NOW) + ledger.fills(1, "o1", "yes", side, matched, NOW)
    moves += ledger.fills(2, "o2", "no", side, matched, NOW) + ledger.settlement(1, "0x1", "yes", 5, 5, NOW)
    sums: dict[str, int] = {}
    for (_, _, asset), amount in ledger.balances(moves).items():
        sums[asset] = sums.get(asset, 0) + amount
    assert set(sums.values()) == {0}
    assert len({move.transfer_id for move in moves}) == len(moves)


@given(FILLS, st.sampled_from(Side))
def test_the_same_event_makes_the_same_ids(matched: list[Fill], side: Side) -> None:
    first = ledger.fills(1, "o1", "yes", side, matched, NOW)
    assert first == ledger.fills(1, "o1", "yes", side, matched, NOW)
