"""Value over time in PostgreSQL: a snapshot is written only if ledger, positions and cached sums agree to the micro."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from prescient.adapters.postgres.connection import Raw
from prescient.adapters.postgres.store.base import StoreBase
from prescient.adapters.postgres.store.money import lock_portfolio
from prescient.adapters.postgres.store.rows import SNAPSHOT, snapshot_of, value_of, where
from prescient.domain.errors import InvariantBroken, PortfolioNotFound
from prescient.domain.portfolio import Snapshot

# The portfolio's own row beside what its positions say, in micro-units.
SUMS = """
SELECT (initial_balance * 1000000)::bigint AS initial_micro,
       (current_balance * 1000000)::bigint AS cash_micro,
       (total_invested * 1000000)::bigint AS invested_micro,
       (realized_pnl * 1000000)::bigint AS realized_micro,
       (unrealized_pnl * 1000000)::bigint AS unrealized_micro,
       held.cost_micro, held.marks_micro, held.realized_sum_micro, held.open_positions,
       (SELECT count(*) FROM trades WHERE portfolio_id = $1 AND status <> 'failed') AS trades
  FROM portfolios,
       (SELECT coalesce(sum(cost) * 1000000, 0)::bigint AS cost_micro,
               coalesce(sum(current_value) * 1000000, 0)::bigint AS marks_micro,
               coalesce(sum(realized_pnl) * 1000000, 0)::bigint AS realized_sum_micro,
               count(*) FILTER (WHERE size > 0) AS open_positions
          FROM portfolio_positions WHERE portfolio_id = $1) AS held
 WHERE portfolio_id = $1
"""

# The cash of the snapshot before and what the ledger has moved since: the whole ledger's sum, added up in steps.
LEDGER_CASH = """
WITH last AS (
    SELECT balance, ledger_entry_id FROM portfolio_equity WHERE portfolio_id = $1 ORDER BY equity_id DESC LIMIT 1
), since AS (
    SELECT coalesce(sum(CASE WHEN credit IN ('cash', 'reserved') THEN amount ELSE 0 END
                      - CASE WHEN debit IN ('cash', 'reserved') THEN amount ELSE 0 END)
                    FILTER (WHERE asset = 'USD'), 0) AS moved,
           max(entry_id) AS entry_id
      FROM ledger
     WHERE portfolio_id = $1 AND entry_id > coalesce((SELECT ledger_entry_id FROM last), 0)
)
SELECT ((coalesce(last.balance, 0) + since.moved) * 1000000)::bigint AS cash_micro,
       coalesce(since.entry_id, last.ledger_entry_id, 0) AS entry_id
  FROM since LEFT JOIN last ON true
"""

DIFFERING_SHARES = """
SELECT coalesce(held.token_id, kept.asset) AS token_id
  FROM (SELECT token_id, size FROM portfolio_positions WHERE portfolio_id = $1 AND size > 0) AS held
  FULL JOIN (SELECT asset, balance FROM ledger_balances
              WHERE portfolio_id = $1 AND account = 'shares' AND balance <> 0) AS kept ON kept.asset = held.token_id
 WHERE held.size IS DISTINCT FROM kept.balance
 ORDER BY 1 LIMIT 5
"""

WRITE_EQUITY = """
INSERT INTO portfolio_equity (portfolio_id, snapshot_date, timestamp, balance, total_invested, realized_pnl,
                              unrealized_pnl, total_value, open_positions, trades, cycle_id, ledger_entry_id)
VALUES ($1, $2, $3, $4::bigint * 0.000001, $5::bigint * 0.000001, $6::bigint * 0.000001, $7::bigint * 0.000001,
        $8::bigint * 0.000001, $9, $10, $11, $12)
"""

# One row per portfolio and UTC day: the last one of the day stays.
WRITE_DAY = """
INSERT INTO portfolio_history (portfolio_id, snapshot_date, timestamp, balance, total_invested, realized_pnl,
                               unrealized_pnl, total_value, open_positions, trades, cycle_id)
VALUES ($1, $2, $3, $4::bigint * 0.000001, $5::bigint * 0.000001, $6::bigint * 0.000001, $7::bigint * 0.000001,
        $8::bigint * 0.000001, $9, $10, $11)
ON CONFLICT (portfolio_id, snapshot_date) DO UPDATE
   SET timestamp = excluded.timestamp, balance = excluded.balance, total_invested = excluded.total_invested,
       realized_pnl = excluded.realized_pnl, unrealized_pnl = excluded.unrealized_pnl,
       total_value = excluded.total_value, open_positions = excluded.open_positions, trades = excluded.trades,
       cycle_id = excluded.cycle_id
"""

# The audit reads every entry.
BALANCES = """
SELECT account, asset, (sum(change) * 1000000)::bigint AS balance_micro
  FROM (SELECT debit AS account, asset, -amount AS change FROM ledger WHERE portfolio_id = $1
        UNION ALL
        SELECT credit, asset, amount FROM ledger WHERE portfolio_id = $1) AS legs
 GROUP BY account, asset
"""

EQUITY = f"""
SELECT {SNAPSHOT} FROM portfolio_equity WHERE portfolio_id = $1 AND timestamp >= $2 ORDER BY timestamp, equity_id
 LIMIT $3
"""  # noqa: S608 # our own text

COUNTS = """
SELECT portfolio_id,
       (SELECT count(*) FROM trades WHERE trades.portfolio_id = portfolios.portfolio_id AND status <> 'failed') AS trades,
       (SELECT count(*) FROM portfolio_positions AS held
         WHERE held.portfolio_id = portfolios.portfolio_id AND size = 0 AND held.realized_pnl > 0) AS won,
       (SELECT count(*) FROM portfolio_positions AS held
         WHERE held.portfolio_id = portfolios.portfolio_id AND size = 0 AND held.realized_pnl < 0) AS lost
  FROM portfolios
"""


@dataclass(frozen=True, slots=True)
class Sums:
    """One portfolio's cached figures and what they must add up from, in micro-units."""

    initial_micro: int
    cash_micro: int
    invested_micro: int
    realized_micro: int
    unrealized_micro: int
    cost_micro: int
    marks_micro: int
    realized_sum_micro: int
    open_positions: int
    trades: int


class HistoryMethods(StoreBase):
    """The part of ``Store`` about value over time, and the audit of the ledger."""

    async def snapshot(self, portfolio_id: int, cycle_id: str, now: datetime) -> Snapshot:
        """Check the identities, then write the day's row and an equity point.

        Raises PortfolioNotFound, and InvariantBroken when ledger, positions and cached sums do not agree.
        """

        async def take(connection: Raw) -> Snapshot:
            await lock_portfolio(connection, portfolio_id)
            kept, ledger = (
                await connection.fetchrow(SUMS, portfolio_id),
                await connection.fetchrow(LEDGER_CASH, portfolio_id),
            )
            assert kept is not None and ledger is not None
            sums = value_of(Sums, kept)
            _check_identities(portfolio_id, sums, ledger["cash_micro"])
            wrong = [row["token_id"] for row in await connection.fetch(DIFFERING_SHARES, portfolio_id)]
            if wrong:
                raise InvariantBroken(
                    f"portfolio {portfolio_id}: positions and ledger differ in shares of {', '.join(wrong)}"
                )
            snapshot = _snapshot(portfolio_id, cycle_id, sums, now)
            values = _values(snapshot)
            await connection.execute(WRITE_EQUITY, *values, ledger["entry_id"])
            await connection.execute(WRITE_DAY, *values)
            return snapshot

        return await self._database.transact(take)

    async def history(self, portfolio_id: int | None, limit: int) -> list[Snapshot]:
        """One snapshot per portfolio and day, newest day first."""
        clause, values = where(("portfolio_id = {}", portfolio_id))
        newest_first = f"SELECT {SNAPSHOT} FROM portfolio_history {clause} ORDER BY snapshot_date DESC, portfolio_id"  # noqa: S608 # our own text
        rows = await self._database.rows(f"{newest_first} LIMIT ${len(values) + 1}", *values, limit)
        return [snapshot_of(row) for row in rows]

    async def equity(self, portfolio_id: int, since: datetime, limit: int) -> list[Snapshot]:
        """Every snapshot since a moment, oldest first."""
        return [snapshot_of(row) for row in await self._database.rows(EQUITY, portfolio_id, since, limit)]

    async def trade_counts(self, portfolio_id: int | None) -> dict[int, tuple[int, int, int]]:
        """By portfolio: trades, and closed positions that made or lost money."""
        clause, values = where(("portfolio_id = {}", portfolio_id))
        rows = await self._database.rows(f"{COUNTS} {clause} ORDER BY portfolio_id", *values)
        return {row["portfolio_id"]: (row["trades"], row["won"], row["lost"]) for row in rows}

    async def ledger_balances(self, portfolio_id: int) -> dict[tuple[str, str], int]:
        """Add up every entry of a portfolio's ledger. Raises PortfolioNotFound."""
        rows = await self._database.rows(BALANCES, portfolio_id)
        if not rows:
            # Every portfolio has its opening entry.
            raise PortfolioNotFound(portfolio_id)
        return {(row["account"], row["asset"]): row["balance_micro"] for row in rows}


def _check_identities(portfolio_id: int, sums: Sums, ledger_cash_micro: int) -> None:
    """Raise InvariantBroken unless ledger, cached sums and positions agree to the micro-dollar."""
    if ledger_cash_micro != sums.cash_micro:
        raise InvariantBroken(
            f"portfolio {portfolio_id}: ledger cash {ledger_cash_micro} is not the kept cash {sums.cash_micro}"
        )
    if (sums.cost_micro, sums.marks_micro - sums.cost_micro, sums.realized_sum_micro) != (
        sums.invested_micro,
        sums.unrealized_micro,
        sums.realized_micro,
    ):
        raise InvariantBroken(f"portfolio {portfolio_id}: kept cost or profit is not the sum over its positions")
    expected = sums.initial_micro + sums.realized_micro + sums.unrealized_micro
    found = sums.cash_micro + sums.marks_micro
    if expected != found:
        raise InvariantBroken(
            f"portfolio {portfolio_id}: initial balance plus profit is {expected}, cash plus marks is {found}"
        )


def _snapshot(portfolio_id: int, cycle_id: str, sums: Sums, now: datetime) -> Snapshot:
    return Snapshot(
        portfolio_id=portfolio_id,
        snapshot_date=now.astimezone(UTC).date(),
        time=now,
        cash_micro=sums.cash_micro,
        invested_micro=sums.invested_micro,
        realized_pnl_micro=sums.realized_micro,
        unrealized_pnl_micro=sums.unrealized_micro,
        value_micro=sums.cash_micro + sums.marks_micro,
        open_positions=sums.open_positions,
        trades=sums.trades,
        cycle_id=cycle_id,
    )


def _values(snapshot: Snapshot) -> tuple[object, ...]:
    return (
        snapshot.portfolio_id,
        snapshot.snapshot_date,
        snapshot.time,
        snapshot.cash_micro,
        snapshot.invested_micro,
        snapshot.realized_pnl_micro,
        snapshot.unrealized_pnl_micro,
        snapshot.value_micro,
        snapshot.open_positions,
        snapshot.trades,
        snapshot.cycle_id,
    )
