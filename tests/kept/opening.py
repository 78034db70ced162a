"""The program's own ways in, through which the tests open what it has kept; when packages or tables move, this file follows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from prescient.ports.store import Store
from prescient.settings import Settings
from prescient.wiring import open_store

# Where an installation keeps its practice world, below its home.
PRACTICE_FOLDER = "practice"
# What a status of an order is called now, where it is not called as in version 0.1.
STATUS_NOW: dict[str, str] = {}
ORDERS = "SELECT order_id, status FROM orders ORDER BY order_id"
ENTRIES = """
SELECT portfolio_id, kind, debit, credit, asset, count(*), (sum(amount) * 1000000)::bigint
  FROM ledger GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
SCHEMA_VERSION = "SELECT version_num FROM alembic_version"
MANY = 100_000


def settings_of(dsn: str, home: Path) -> Settings:
    """An installation with this home whose database is one of the test server's."""
    place = urlsplit(dsn)
    return Settings(
        PRESCIENT_HOME=home,
        POSTGRES_HOST=place.hostname,
        POSTGRES_PORT=place.port,
        POSTGRES_USER=place.username,
        POSTGRES_DB=place.path[1:],
        _env_file=None,
    )


@asynccontextmanager
async def opened(dsn: str, home: Path) -> AsyncIterator[Store]:
    """The database as the program opens it: its schema brought up to date."""
    store = await open_store(settings_of(dsn, home), source=None)
    try:
        yield store
    finally:
        await store.close()


async def rows(dsn: str, question: str) -> list[list[Any]]:
    """What a database itself answers."""
    connection = await asyncpg.connect(dsn)
    try:
        return [list(row) for row in await connection.fetch(question)]
    finally:
        await connection.close()


async def books(store: Store) -> dict[str, Any]:
    """All that the store tells of the money, in plain values that JSON can hold."""
    portfolios = await store.portfolios()
    numbers = [portfolio.portfolio_id for portfolio in portfolios]
    return {
        "portfolios": [
            {
                "id": one.portfolio_id,
                "name": one.name,
                "status": one.status.value,
                "strategy": one.strategy_type,
                "config": one.strategy_config,
                "schedule": one.schedule,
                "initial": one.initial_balance_micro,
                "cash": one.cash_micro,
                "reserved": one.reserved_micro,
                "invested": one.invested_micro,
                "realized": one.realized_pnl_micro,
                "unrealized": one.unrealized_pnl_micro,
            }
            for one in portfolios
        ],
        "ledger": [
            [number, account, asset, amount]
            for number in numbers
            for (account, asset), amount in sorted((await store.ledger_balances(number)).items())
        ],
        "positions": await _positions(store),
        "resting": await _resting(store),
        "unanswered": sorted(await unanswered(store)),
        **await _records(store, numbers),
    }


async def _positions(store: Store) -> list[dict[str, Any]]:
    found = [
        {
            "portfolio": one.portfolio_id,
            "token": one.token_id,
            "size": one.size_micro,
            "cost": one.cost_micro,
            "realized": one.realized_pnl_micro,
            "mark": one.mark_price_micro,
            "value": one.mark_value_micro,
            "source": one.mark_source,
            "status": one.status,
        }
        for one in await store.positions(None, open_only=False)
    ]
    return sorted(found, key=lambda one: (one["portfolio"], one["token"]))


async def _resting(store: Store) -> list[dict[str, Any]]:
    return [
        {
            "id": state.order_id,
            "portfolio": state.portfolio_id,
            "token": state.token_id,
            "side": state.side.value,
            "price": state.price_micro,
            "size": state.size_micro,
            "filled": state.filled_micro,
            "held": state.held_cash_micro,
            "ahead": state.ahead_micro,
            "expires": state.expires_ms,
        }
        for _, state in await store.resting_orders()
    ]


async def unanswered(store: Store) -> list[str]:
    """The orders that were reserved and have neither an answer nor a place in a queue."""
    resting = {state.order_id for _, state in await store.resting_orders()}
    found = {order.intent.order_id for order, _ in await store.open_orders()}
    return sorted(found - resting)


async def _records(store: Store, portfolios: list[int]) -> dict[str, Any]:
    pending = await store.signals(pending_only=True, limit=MANY)
    trades = sorted(await store.trades(None, MANY), key=lambda trade: trade.trade_id)
    history = [day for number in portfolios for day in await store.history(number, MANY)]
    return {
        "signals": len(await store.signals(limit=MANY)),
        "pending": sorted(signal.signal_id for signal in pending),
        "trades": [
            {
                "id": trade.trade_id,
                "size": trade.size_micro,
                "amount": trade.amount_micro,
                "fee": trade.fee_micro,
                "realized": trade.realized_pnl_micro,
                "fills": [[fill.price_micro, fill.size_micro, fill.cost_micro, fill.fee_micro] for fill in trade.fills],
            }
            for trade in trades
        ],
        "history": [[day.portfolio_id, day.snapshot_date.isoformat(), day.value_micro, day.trades] for day in history],
        "cycles": sorted([report.cycle_id, report.status.value] for report in await store.cycles(MANY)),
        "decisions": len(await store.decisions(limit=MANY)),
    }


async def check_identities(store: Store, now: datetime) -> None:
    """Let the program hold every portfolio's books against themselves. Raises InvariantBroken."""
    for portfolio in await store.portfolios():
        await store.snapshot(portfolio.portfolio_id, "check", now)
