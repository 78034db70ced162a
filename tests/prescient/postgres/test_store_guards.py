"""What PostgreSQL itself refuses, whoever asks: rewriting the past, impossible figures, two writers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from polymarket_kit.errors import InvalidRequest
from prescient.adapters.postgres.store.store import PostgresStore, open_store
from prescient.domain.errors import InvariantBroken, PortfolioNotFound
from prescient.domain.portfolio import NewPortfolio
from tests.prescient.contract.store_examples import (
    NOW,
    USD,
    YES,
    bought,
    fill,
    filled,
    funded,
    later,
    reserved,
    settled,
    signal,
    sold,
    trace,
)


@pytest.fixture
async def store(postgres_dsn: str) -> AsyncIterator[PostgresStore]:
    opened = await open_store(postgres_dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def sql(postgres_dsn: str) -> AsyncIterator[Any]:
    """A connection as the owner of the tables."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET amount = amount + 1",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        "UPDATE order_facts SET kind = 'failed'",
        "DELETE FROM order_facts",
        "TRUNCATE order_facts",
        "DELETE FROM portfolios",
        "TRUNCATE portfolios CASCADE",
    ],
)
async def test_what_was_booked_cannot_be_rewritten_by_anyone(store: PostgresStore, sql: Any, statement: str) -> None:
    one = await funded(store)
    with pytest.raises(asyncpg.RaiseError, match="refused"):
        await sql.execute(statement)
    assert await store.portfolio(one.portfolio_id) == one


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE portfolios SET current_balance = 'NaN'",
        "UPDATE portfolios SET current_balance = -0.000001",
        "UPDATE portfolios SET reserved_balance = current_balance + 0.000001",
        "UPDATE portfolios SET reserved_balance = -1",
        "UPDATE portfolios SET unrealized_pnl = 'NaN'",
        "UPDATE portfolios SET status = 'deleted'",
        "UPDATE portfolio_positions SET size = -1",
        "UPDATE portfolio_positions SET cost = 'NaN'",
        "UPDATE portfolio_positions SET current_price = 1.000001",
        "UPDATE trades SET amount = 'NaN'",
        "UPDATE trades SET size = 0",
        "UPDATE fills SET price = -0.01",
        "UPDATE orders SET status = 'DONE'",
        "UPDATE orders SET limit_price = 'NaN'",
        "UPDATE trading_signals SET score = 1.5",
        "UPDATE ledger_balances SET balance = 'NaN'",
        "UPDATE ledger_balances SET balance = -1 WHERE account = 'cash'",
        """INSERT INTO ledger (transfer_id, portfolio_id, group_id, kind, asset, debit, credit, amount, timestamp)
           VALUES ('x', 1, 'x', 'x', 'USD', 'capital', 'cash', 'NaN', now())""",
        """INSERT INTO ledger (transfer_id, portfolio_id, group_id, kind, asset, debit, credit, amount, timestamp)
           VALUES ('x', 1, 'x', 'x', 'USD', 'cash', 'cash', 1, now())""",
        """INSERT INTO ledger (transfer_id, portfolio_id, group_id, kind, asset, debit, credit, amount, timestamp)
           VALUES ('x', 1, 'x', 'x', 'USD', 'cash', 'pocket', 1, now())""",
    ],
)
async def test_impossible_figures_are_refused_by_the_tables(store: PostgresStore, sql: Any, statement: str) -> None:
    one = await funded(store)
    await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute(statement)


async def test_whatever_enters_the_ledger_moves_balances_and_cash(store: PostgresStore, sql: Any) -> None:
    one = await funded(store, cash_micro=10 * USD)
    await sql.execute(
        """INSERT INTO ledger (transfer_id, portfolio_id, group_id, kind, asset, debit, credit, amount, timestamp)
           VALUES ('gift', $1, 'gift', 'correction', 'USD', 'capital', 'cash', 2.5, now())""",
        one.portfolio_id,
    )
    assert (await store.portfolio(one.portfolio_id)).cash_micro == 12_500_000
    assert await store.ledger_balances(one.portfolio_id) == {
        ("cash", "USD"): 12_500_000,
        ("capital", "USD"): -12_500_000,
    }


async def test_a_tampered_balance_stops_the_snapshot(store: PostgresStore, sql: Any) -> None:
    one = await funded(store)
    await store.snapshot(one.portfolio_id, "c", NOW)
    await sql.execute("UPDATE portfolios SET current_balance = current_balance + 1")
    with pytest.raises(InvariantBroken, match="ledger cash"):
        await store.snapshot(one.portfolio_id, "c", later(hours=1))


async def test_the_ledger_is_added_up_from_snapshot_to_snapshot(store: PostgresStore, sql: Any) -> None:
    one = await funded(store)
    for number in range(3):
        position = await bought(store, signal(number, one.portfolio_id), fill(500_000, 10 * USD, 7))
        snapshot = await store.snapshot(one.portfolio_id, "c", later(hours=number))
        assert snapshot.cash_micro == sum(
            amount
            for (account, asset), amount in (await store.ledger_balances(one.portfolio_id)).items()
            if asset == "USD" and account in ("cash", "reserved")
        )
    await sold(store, signal(9, one.portfolio_id, side=_sell()), fill(600_000, 30 * USD))
    assert position.size_micro == 30 * USD
    # A later row that agrees with a forged earlier one does not agree with the ledger.
    await sql.execute("UPDATE portfolio_equity SET balance = balance - 1")
    with pytest.raises(InvariantBroken, match="ledger cash"):
        await store.snapshot(one.portfolio_id, "c", later(days=1))


def _sell() -> Any:
    from polymarket_kit.model import Side

    return Side.SELL


async def test_of_two_bookings_of_one_order_at_once_one_counts(store: PostgresStore) -> None:
    one = await funded(store)
    made = signal(1, one.portfolio_id)
    order = await reserved(store, made, 10 * USD)
    booking = filled(order, made, [fill(500_000, 10 * USD)])
    outcomes = await asyncio.gather(*(store.book(booking, NOW) for _ in range(4)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InvariantBroken) for outcome in outcomes) == 3
    assert len(await store.trades(one.portfolio_id, 10)) == 1
    assert (await store.portfolio(one.portfolio_id)).cash_micro == 995 * USD


async def test_a_position_computed_from_an_old_reading_is_refused_whole(store: PostgresStore) -> None:
    one = await funded(store)
    first, second = signal(1, one.portfolio_id), signal(2, one.portfolio_id)
    orders = [await reserved(store, made, 10 * USD) for made in (first, second)]
    before = await store.position(one.portfolio_id, YES)
    await store.book(filled(orders[0], first, [fill(500_000, 10 * USD)], before), NOW)
    untouched = await trace(store, one.portfolio_id)
    with pytest.raises(InvariantBroken, match="micro-shares"):
        await store.book(filled(orders[1], second, [fill(500_000, 10 * USD)], before), NOW)
    assert await trace(store, one.portfolio_id) == untouched


async def test_a_position_is_paid_once_however_many_ask(store: PostgresStore) -> None:
    one = await funded(store)
    position = await bought(store, signal(1, one.portfolio_id), fill(500_000, 10 * USD))
    outcomes = await asyncio.gather(*(settled(store, position, 10 * USD) for _ in range(4)))
    assert sorted(outcomes) == [False, False, False, True]
    assert (await store.portfolio(one.portfolio_id)).cash_micro == 1_005 * USD


async def test_amounts_keep_their_last_digit(store: PostgresStore) -> None:
    large = 99_999_999_999_999_999
    one = await store.create_portfolio(NewPortfolio("Large", "majority", large), NOW)
    assert (await store.portfolio(one.portfolio_id)).cash_micro == large
    await bought(store, signal(1, one.portfolio_id), fill(999_999, 12_345_678_901_234_567, 1))
    position = await store.position(one.portfolio_id, YES)
    assert position is not None and position.size_micro == 12_345_678_901_234_567
    snapshot = await store.snapshot(one.portfolio_id, "c", NOW)
    assert snapshot.value_micro == large


@pytest.mark.parametrize("text", ["nul \x00 inside", "lone \ud800 surrogate"])
async def test_text_that_cannot_be_kept_is_an_invalid_request(store: PostgresStore, text: str) -> None:
    with pytest.raises(InvalidRequest):
        await store.create_portfolio(NewPortfolio(text, "majority", USD), NOW)
    with pytest.raises(InvalidRequest):
        await store.create_portfolio(NewPortfolio("One", "majority", USD, strategy_config={"note": text}), NOW)
    assert await store.portfolios() == []


async def test_numbers_beyond_the_columns_are_an_invalid_request(store: PostgresStore) -> None:
    for portfolio_id in (2**63, -(2**70)):
        with pytest.raises((InvalidRequest, PortfolioNotFound)):
            await store.portfolio(portfolio_id)
    with pytest.raises(InvalidRequest):
        await store.create_portfolio(NewPortfolio("One", "majority", 10**21), NOW)
    one = await funded(store)
    with pytest.raises(InvalidRequest):
        await store.save_signals([replace(signal(1, one.portfolio_id), size_micro=10**21)])
    assert await store.signals() == []
