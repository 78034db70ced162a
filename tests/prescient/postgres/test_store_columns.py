"""Statements and the schema: every statement is one the server can plan, and columns are read by name, not by place."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import replace

import asyncpg
import pytest

from polymarket_kit.model import OrderType, Side
from prescient.adapters.postgres import store as package
from prescient.adapters.postgres.store import rows
from prescient.adapters.postgres.store.catalogue_rows import EVENT, FIGURES
from prescient.adapters.postgres.store.catalogue_upsert import STAGES
from prescient.adapters.postgres.store.store import open_store
from prescient.domain.booking import Booking
from prescient.domain.cycle import CycleStatus
from prescient.domain.market import Event, MarketFigures
from prescient.domain.order import Accepted, ApprovedOrder, Consumption, Fill, OrderIntent, OrderStatus, Trade, Wire
from prescient.domain.order_state import answered
from prescient.domain.portfolio import Mark, Portfolio, Position, Snapshot
from prescient.domain.resting import RestingOrder
from prescient.domain.signal import Decision, Signal, Step
from prescient.ports.store import Store
from tests.postgres_fixture import TEMPLATE, PostgresServer
from tests.prescient.contract.store_examples import (
    NO,
    NOW,
    USD,
    YES,
    book,
    bought,
    cycle_request,
    event,
    fill,
    filled,
    funded,
    intent_of,
    judged,
    market,
    pages,
    reserved,
    signal,
    sold,
    trace,
)

A_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
A_TABLE = re.compile(r"(CREATE TABLE public\.\w+ \(\n)(.*?)(\n\))", re.DOTALL)
ADDED = "    added_in_the_middle text DEFAULT 'new'::text"
# A list of columns, what it is read from, and the fields that come from something else.
READ: tuple[tuple[str, str, type, set[str]], ...] = (
    (rows.PORTFOLIO, "portfolios", Portfolio, set()),
    (rows.POSITION, "portfolio_positions", Position, set()),
    (rows.SIGNAL, "trading_signals", Signal, set()),
    (rows.ORDER, "orders", OrderIntent, set()),
    (rows.TRADE, "trades", Trade, {"fills"}),
    (rows.FILL, "fills", Fill, {"match_id"}),
    (rows.SNAPSHOT, "portfolio_history", Snapshot, set()),
    (rows.SNAPSHOT, "portfolio_equity", Snapshot, set()),
    (
        f"{rows.ORDER}, {rows.RESTING}",
        "orders JOIN resting_orders USING (order_id)",
        RestingOrder,
        {"token_ids", "price_micro"},
    ),
    (EVENT, "events", Event, {"markets"}),
)


def statements() -> dict[str, str]:
    """Every statement that a module of the store has as a constant; those with places left open are parts of others."""
    found = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, text in vars(importlib.import_module(module.name)).items():
            if isinstance(text, str) and name.isupper() and A_STATEMENT.match(text) and "{" not in text:
                found[f"{module.name.rpartition('.')[2]}.{name}"] = text
    return found


@pytest.mark.parametrize("name", statements())
async def test_the_server_can_plan_every_statement(postgres_dsn: str, name: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        for stage in STAGES:
            await connection.execute(stage)
        await connection.prepare(statements()[name])
    finally:
        await connection.close()


@pytest.mark.parametrize(("columns", "source", "made", "else_from"), READ)
async def test_every_field_has_one_column_of_its_name(
    postgres_dsn: str, columns: str, source: str, made: type, else_from: set[str]
) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        prepared = await connection.prepare(f"SELECT {columns} FROM {source}")
        names = [attribute.name for attribute in prepared.get_attributes()]
    finally:
        await connection.close()
    assert len(set(names)) == len(names)
    assert set(names) >= set(made.__match_args__) - else_from  # type: ignore[attr-defined]


async def test_figures_come_in_the_order_of_their_class(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        prepared = await connection.prepare(f"SELECT {FIGURES} FROM markets")
        assert tuple(attribute.name for attribute in prepared.get_attributes()) == MarketFigures._fields
    finally:
        await connection.close()


@pytest.fixture
def shuffled_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A database whose tables have their columns backwards, with another one added in the middle."""
    name = postgres_server.empty_database()
    schema = A_TABLE.sub(_backwards, postgres_server.schema_of(TEMPLATE))
    postgres_server.run(name, schema)
    added = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'added_in_the_middle'"
    assert int(postgres_server.run(name, added)) == schema.count(ADDED) > 20
    yield postgres_server.dsn(name)
    postgres_server.drop(name)


def _backwards(found: re.Match[str]) -> str:
    opening, body, end = found.groups()
    items = _items(body)
    columns = [item for item in items if not item.startswith("    CONSTRAINT ")][::-1]
    columns.insert(len(columns) // 2, ADDED)
    return opening + ",\n".join([*columns, *[item for item in items if item not in columns]]) + end


def _items(body: str) -> list[str]:
    """Split what stands between a table's brackets; a CASE of a generated column has several lines."""
    items: list[str] = []
    for line in body.split(",\n"):
        if items and items[-1].count("(") > items[-1].count(")"):
            items[-1] += ",\n" + line
        else:
            items.append(line)
    return items


async def test_columns_in_another_order_change_nothing_that_is_read(postgres_dsn: str, shuffled_dsn: str) -> None:
    read = []
    for dsn in (postgres_dsn, shuffled_dsn):
        store = await open_store(dsn)
        portfolio_id = await _live(store)
        read.append(await _everything(store, portfolio_id))
        await store.close()
    as_made, shuffled = read
    assert shuffled == as_made
    assert all(as_made.values())


async def _live(store: Store) -> int:
    """Write at least one row of everything; returns the portfolio's id."""
    one = await funded(store)
    portfolio_id = one.portfolio_id
    await store.change_portfolio(portfolio_id, {"description": "changed"}, NOW)
    claim = await store.claim_cycle(cycle_request("cycle-1", portfolio_id, key="key"), NOW)
    listed = market(1, "1")
    await store.save_events(pages([event(1, listed)]), "cycle-1", NOW)
    await store.save_screened("cycle-1", [listed.market_id])
    await store.save_snapshots("cycle", [(listed, book("yes-1"))], NOW)
    await store.save_decisions("cycle-1", [Decision(Step.SCREEN, "market", "1001", False, "low", "1", "min", 1)], NOW)
    await bought(store, signal(1, portfolio_id), fill(500_000, 50 * USD, 7), fill(510_000, 10 * USD))
    await sold(store, signal(2, portfolio_id, side=Side.SELL), fill(520_000, 5 * USD, 3))
    await store.save_marks(portfolio_id, [Mark(YES, 530_000, 29 * USD, "bid")], NOW)
    await _consume_and_rest(store, portfolio_id)
    await store.snapshot(portfolio_id, "cycle-1", NOW)
    await store.finish_cycle(replace(claim.report, status=CycleStatus.COMPLETED, ended_at=NOW))
    await store.beat("updater", NOW, {"loops": 3})
    return portfolio_id


async def _consume_and_rest(store: Store, portfolio_id: int) -> None:
    buy = signal(3, portfolio_id)
    order = await reserved(store, buy, 10 * USD)
    before = await store.position(portfolio_id, YES)
    taken = Consumption(YES, "asks", {500_000: (USD, 9 * USD)})
    await store.book(replace(filled(order, buy, [fill(500_000, USD)], before), consumption=taken), NOW)

    rests = signal(4, portfolio_id)
    await store.save_signals([rests])
    intent = replace(intent_of(rests), order_type=OrderType.GTC, amount_micro=0, size_micro=30 * USD, expiration_s=9)
    order_id = intent.order_id
    await judged(store, ApprovedOrder(intent, 18 * USD, 0))
    await store.mark_submitted(order_id, Wire(b"hash", b"body", 5), NOW)
    place = RestingOrder(
        order_id,
        portfolio_id,
        "0x1",
        (YES, NO),
        YES,
        Side.BUY,
        intent.limit_price_micro,
        29 * USD,
        joined_ms=1,
        expires_ms=2,
        filled_micro=3,
        fill_count=4,
        ahead_micro=5,
        shown_micro=6,
        held_cash_micro=7,
        in_gap=False,
        model=(("queue", "last"),),
    )
    facts = answered(order_id, Accepted(order_id, OrderStatus.OPEN, (), NOW), NOW)
    await store.book(Booking(order_id, facts, (), None, None, rests.signal_id, resting=place), NOW)


async def _everything(store: Store, portfolio_id: int) -> dict[str, object]:
    ((open_order, _),) = await store.open_orders()
    return {
        "money": await trace(store, portfolio_id),
        "portfolios": await store.portfolios(),
        "signals": await store.signals(cycle_id="cycle-1", portfolio_id=portfolio_id),
        "wire": open_order.wire,
        "facts": await store.facts(open_order.intent.order_id),
        "resting": await store.resting_orders(),
        "fills": await store.fills(f"order:cycle-1:{portfolio_id}:0001"),
        "consumption": (await store.consumption(YES, "asks")).levels,
        "counts": await store.trade_counts(portfolio_id),
        "history": await store.history(portfolio_id, 10),
        "equity": await store.equity(portfolio_id, NOW, 10),
        "cycles": await store.cycles(10),
        "events": await store.active_events(),
        "page": await store.events_page(10, 0),
        "markets": await store.screened("cycle-1"),
        "market page": await store.markets_page(10, 0, event_id="1"),
        "figures": await store.market_figures(["1"]),
        "snapshots": await store.snapshots_of_market("1001", 10),
        "titles": await store.titles([("market", "1001"), ("event", "1")]),
        "decisions": await store.decisions(cycle_id="cycle-1", portfolio_id=portfolio_id),
        "heartbeat": await store.heartbeat("updater"),
    }
