"""Portfolios: independent capital, changed by name, archived for good, never deleted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from polymarket_kit.errors import InvalidRequest
from prescient.domain.errors import ConflictError, PortfolioNotActive, PortfolioNotFound
from prescient.domain.order import ApprovedOrder
from prescient.domain.portfolio import Mark, NewPortfolio, PortfolioStatus
from prescient.ports.store import Store
from tests.prescient.contract.store_examples import (
    NOW,
    USD,
    YES,
    bought,
    empty_position,
    fill,
    funded,
    intent_of,
    judged,
    later,
    signal,
    trace,
)

CONFIG = {
    "trade_size_usd": 100.5,
    "min_confidence": 0.1,
    "market_types": ["politics", "crypto"],
    "add_to_positions": True,
    "max_trades_per_cycle": 3,
    "nested": {"deep": [1, None, "✓"]},
}


async def test_a_portfolio_reads_back_as_it_was_created(store: Store) -> None:
    assert not await store.ever_had_portfolio()
    assert await store.portfolios() == []
    new = NewPortfolio("Ünïcode 'quoted' ✓", "majority", 10_000 * USD + 1, "Two\nlines", CONFIG, "paper", "*/5 * * * *")
    made = await store.create_portfolio(new, NOW)
    assert made == await store.portfolio(made.portfolio_id)
    assert (made.name, made.strategy_type, made.description) == (new.name, "majority", "Two\nlines")
    assert (made.strategy_config, made.venue, made.schedule) == (CONFIG, "paper", "*/5 * * * *")
    assert made.initial_balance_micro == made.cash_micro == made.available_micro == made.value_micro == 10_000_000_001
    assert (made.reserved_micro, made.invested_micro, made.realized_pnl_micro, made.unrealized_pnl_micro) == (
        0,
        0,
        0,
        0,
    )
    assert made.status is PortfolioStatus.ACTIVE
    assert made.created_at == made.updated_at == NOW
    assert made.created_at.utcoffset() == UTC.utcoffset(None)
    assert await store.ever_had_portfolio()


async def test_the_opening_balance_is_a_ledger_entry(store: Store) -> None:
    made = await funded(store, cash_micro=7 * USD)
    assert await store.ledger_balances(made.portfolio_id) == {("cash", "USD"): 7 * USD, ("capital", "USD"): -7 * USD}


async def test_portfolios_are_listed_in_the_order_they_were_made(store: Store) -> None:
    first, second, third = [await funded(store, name) for name in ("b", "a", "c")]
    await store.change_portfolio(second.portfolio_id, {"status": PortfolioStatus.PAUSED}, NOW)
    assert [one.portfolio_id for one in await store.portfolios()] == sorted(
        [first.portfolio_id, second.portfolio_id, third.portfolio_id]
    )
    assert [one.name for one in await store.portfolios(PortfolioStatus.ACTIVE)] == ["b", "c"]
    assert [one.name for one in await store.portfolios(PortfolioStatus.PAUSED)] == ["a"]
    assert await store.portfolios(PortfolioStatus.ARCHIVED) == []


async def test_a_name_is_given_once(store: Store) -> None:
    first = await funded(store, "Taken")
    second = await funded(store, "Other")
    with pytest.raises(ConflictError):
        await funded(store, "Taken")
    with pytest.raises(ConflictError):
        await store.change_portfolio(second.portfolio_id, {"name": "Taken"}, NOW)
    assert len(await store.portfolios()) == 2
    assert (await store.portfolio(second.portfolio_id)).name == "Other"
    same = await store.change_portfolio(first.portfolio_id, {"name": "Taken"}, NOW)
    assert same.name == "Taken"


async def test_what_the_caller_does_to_his_configuration_later_changes_nothing(store: Store) -> None:
    config: dict[str, Any] = {"market_types": ["politics"]}
    made = await store.create_portfolio(NewPortfolio("One", "majority", USD, strategy_config=config), NOW)
    config["market_types"].append("crypto")
    made.strategy_config["market_types"].append("sports")
    assert (await store.portfolio(made.portfolio_id)).strategy_config == {"market_types": ["politics"]}


async def test_every_changeable_field_changes_and_nothing_else_does(store: Store) -> None:
    made = await funded(store)
    changes: dict[str, Any] = {
        "name": "New",
        "description": "told",
        "strategy_type": "momentum",
        "strategy_config": CONFIG,
        "schedule": "300",
        "status": PortfolioStatus.PAUSED,
    }
    changed = await store.change_portfolio(made.portfolio_id, changes, later(hours=1))
    assert changed == replace(made, **changes, updated_at=later(hours=1))
    assert changed == await store.portfolio(made.portfolio_id)
    back = await store.change_portfolio(made.portfolio_id, {"status": "active"}, later(hours=2))
    assert back.status is PortfolioStatus.ACTIVE


@pytest.mark.parametrize("name", ["cash_micro", "initial_balance_micro", "portfolio_id", "venue", "nonsense"])
async def test_no_other_field_can_be_changed(store: Store, name: str) -> None:
    made = await funded(store)
    with pytest.raises(InvalidRequest) as caught:
        await store.change_portfolio(made.portfolio_id, {"description": "kept out", name: 5}, later(hours=1))
    assert caught.value.field == name
    assert await store.portfolio(made.portfolio_id) == made


async def test_archived_is_final(store: Store) -> None:
    made = await funded(store)
    archived = await store.change_portfolio(made.portfolio_id, {"status": PortfolioStatus.ARCHIVED}, NOW)
    for changes in ({"status": PortfolioStatus.ACTIVE}, {"name": "New"}, {"status": PortfolioStatus.ARCHIVED}):
        with pytest.raises(PortfolioNotActive):
            await store.change_portfolio(made.portfolio_id, changes, later(hours=1))
    assert await store.portfolio(made.portfolio_id) == archived


async def test_an_archived_portfolio_still_marks_and_keeps_its_books(store: Store) -> None:
    made = await funded(store)
    position = await bought(store, signal(1, made.portfolio_id), fill(500_000, 10 * USD))
    await store.change_portfolio(made.portfolio_id, {"status": PortfolioStatus.ARCHIVED}, NOW)
    await store.save_marks(made.portfolio_id, [Mark(YES, 600_000, 6 * USD, "bids")], NOW)
    snapshot = await store.snapshot(made.portfolio_id, "", NOW)
    assert snapshot.unrealized_pnl_micro == 6 * USD - position.cost_micro


@pytest.mark.parametrize("portfolio_id", [0, -1, 999, 2**31])
async def test_an_unknown_portfolio_is_refused_everywhere(store: Store, portfolio_id: int) -> None:
    known = await funded(store)
    before = await trace(store, known.portfolio_id)
    for call in (
        store.portfolio(portfolio_id),
        store.change_portfolio(portfolio_id, {"name": "x"}, NOW),
        store.save_marks(portfolio_id, [], NOW),
        store.snapshot(portfolio_id, "cycle-1", NOW),
    ):
        with pytest.raises(PortfolioNotFound):
            await call
    assert await store.trades(portfolio_id, 10) == []
    assert await store.positions(portfolio_id) == []
    assert await store.position(portfolio_id, YES) is None
    assert await store.history(portfolio_id, 10) == []
    assert await store.equity(portfolio_id, NOW, 10) == []
    assert await store.trade_counts(portfolio_id) == {}
    assert await trace(store, known.portfolio_id) == before


async def test_money_of_an_unknown_portfolio_cannot_move(store: Store) -> None:
    ghost = signal(1, 999)
    with pytest.raises(PortfolioNotFound):
        await judged(store, ApprovedOrder(intent_of(ghost), USD, 0))
    with pytest.raises(PortfolioNotFound):
        await store.settle(999, [], empty_position(ghost), NOW)
    assert await store.open_orders() == []


async def test_creating_side_by_side_gives_each_its_own_id_and_capital(store: Store) -> None:
    made = await asyncio.gather(*(funded(store, f"P{number}", (number + 1) * USD) for number in range(8)))
    assert len({one.portfolio_id for one in made}) == 8
    for number, one in enumerate(made):
        assert (await store.portfolio(one.portfolio_id)).cash_micro == (number + 1) * USD


async def test_a_balance_that_is_not_above_zero_is_refused(store: Store) -> None:
    for balance in (0, -1):
        with pytest.raises(InvalidRequest):
            await funded(store, cash_micro=balance)
    assert await store.portfolios() == []
