"""The usual bot: the whole cycle's work and the same rows, gathered and written the way most bots do it.

Pages of 100 one after the other, ``json``, loops over dicts, one request per book, one autocommitted INSERT per row.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg

from prescient.adapters.postgres.store.catalogue import SNAPSHOT_COLUMNS
from prescient.adapters.postgres.store.catalogue_rows import EVENT_COLUMNS, MARKET_COLUMNS
from prescient.adapters.postgres.store.decisions import COLUMNS as DECISION_COLUMNS

PAGE_LIMIT = 100
TABLES = {"events": "events", "markets": "markets", "decisions": "decisions", "snapshots": "market_snapshots"}
SIGNAL_COLUMNS = ("market_id", "token_id", "outcome", "price", "time")
TRADE_COLUMNS = ("market_id", "token_id", "outcome", "shares", "price", "time")
POSITION_COLUMNS = ("token_id", "shares", "price")
OWN_TABLES = """
CREATE TABLE IF NOT EXISTS bot_signals (market_id text, token_id text, outcome text, price float8, time timestamptz);
CREATE TABLE IF NOT EXISTS bot_trades (market_id text, token_id text, outcome text, shares float8, price float8,
                                       time timestamptz);
CREATE TABLE IF NOT EXISTS bot_positions (token_id text PRIMARY KEY, shares float8, price float8);
"""
# Our own defaults.
TRADES_MAX, TRADE_USD = 100, 100.0
# The default filters, in dollars.
EVENT_LIQUIDITY, EVENT_VOLUME, LIQUIDITY, VOLUME, LOWEST, HIGHEST = 10_000, 50_000, 10_000, 50_000, 0.5, 0.6

Json = dict[str, Any]
# Market, token and outcome.
Signal = tuple[str, str, str]


class UsualBot:
    """Its tables are copies of ours, indexes included, so that its rows cost what ours cost."""

    def __init__(self, venue_url: str, dsn: str) -> None:
        self._venue_url = venue_url
        self._dsn = dsn

    async def open(self) -> None:
        self._database: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self._dsn)
        for name, table in TABLES.items():
            await self._database.execute(f"CREATE TABLE IF NOT EXISTS bot_{name} (LIKE {table} INCLUDING ALL)")
        await self._database.execute(OWN_TABLES)

    async def close(self) -> None:
        await self._database.close()

    async def run(self) -> None:
        self._now = datetime.now(UTC)
        self._cycle_id = self._now.isoformat()
        events = []
        cursor = ""
        while True:
            after = f"&after_cursor={cursor}" if cursor else ""
            page = self._get(f"/gamma/events/keyset?limit={PAGE_LIMIT}&active=true&closed=false{after}")
            for event in page["events"]:
                await self._save("events", EVENT_COLUMNS, event_values(event), key="event_id")
                for market in event["markets"]:
                    await self._save("markets", MARKET_COLUMNS, market_values(event, market), key="market_id")
                events.append(event)
            cursor = page.get("next_cursor") or ""
            if not cursor:
                break
        signals = [signal for market in await self._screen(events) if (signal := await self._look(market)) is not None]
        for signal in signals[:TRADES_MAX]:
            await self._trade(signal)
        await self._mark()

    async def _screen(self, events: Sequence[Json]) -> list[Json]:
        """Keep what passes the default filters; a row says why for each event that was dropped and each market."""
        kept = []
        for event in events:
            if float(event.get("liquidity") or 0) < EVENT_LIQUIDITY or float(event.get("volume") or 0) < EVENT_VOLUME:
                await self._decide("filter", "event", event["id"], "event_too_small")
                continue
            for market in event["markets"]:
                reason = drop_of(market)
                await self._decide("screen", "market", market["id"], reason or "kept")
                if reason is None:
                    kept.append(market)
        return kept

    async def _look(self, market: Json) -> Signal | None:
        """One request and one row per book, then a signal for the likelier outcome."""
        best: tuple[float, str, str] | None = None
        for token_id, name in zip(json.loads(market["clobTokenIds"]), json.loads(market["outcomes"]), strict=True):
            book = self._get(f"/clob/book?token_id={token_id}")
            bids = [(float(level["price"]), float(level["size"])) for level in book["bids"]]
            asks = [(float(level["price"]), float(level["size"])) for level in book["asks"]]
            bid = max((price for price, _ in bids), default=None)
            ask = min((price for price, _ in asks), default=None)
            depths = micro(sum(size for _, size in bids)), micro(sum(size for _, size in asks))
            identity = market["id"], market["conditionId"], token_id, name
            prices = None if bid is None else micro(bid), None if ask is None else micro(ask)
            row = (self._now, "cycle", *identity, *prices, *depths, None)
            await self._save("snapshots", SNAPSHOT_COLUMNS, row)
            if ask is not None and ask >= LOWEST and (best is None or ask > best[0]):
                best = ask, token_id, name
        if best is not None and best[0] <= HIGHEST:
            await self._save("signals", SIGNAL_COLUMNS, (market["id"], best[1], best[2], best[0], self._now))
            await self._decide("decide", "market", market["id"], "signal")
            return market["id"], best[1], best[2]
        await self._decide("decide", "market", market["id"], "fresh_price")
        return None

    async def _trade(self, signal: Signal) -> None:
        """Take the book from its best level on, then one row for the trade and one for the position."""
        market_id, token_id, outcome = signal
        held = await self._database.fetchval("SELECT shares FROM bot_positions WHERE token_id = $1", token_id)
        if held is not None:
            await self._decide("execute", "market", market_id, "already_held")
            return
        left, shares = TRADE_USD, 0.0
        for level in reversed(self._get(f"/clob/book?token_id={token_id}")["asks"]):
            price, size = float(level["price"]), float(level["size"])
            taken = min(size, left / price)
            shares, left = shares + taken, left - taken * price
        price = (TRADE_USD - left) / shares
        await self._save("trades", TRADE_COLUMNS, (market_id, token_id, outcome, shares, price, self._now))
        await self._save("positions", POSITION_COLUMNS, (token_id, shares, price))
        await self._decide("execute", "market", market_id, "traded")

    async def _mark(self) -> None:
        """One request and one row per position."""
        for position in await self._database.fetch("SELECT token_id FROM bot_positions"):
            bids = self._get(f"/clob/book?token_id={position['token_id']}")["bids"]
            price = float(bids[-1]["price"]) if bids else 0.0
            change = "UPDATE bot_positions SET price = $2 WHERE token_id = $1"
            await self._database.execute(change, position["token_id"], price)

    async def _decide(self, step: str, kind: str, subject_id: str, code: str) -> None:
        row = (self._now, self._cycle_id, step, kind, subject_id, code in ("kept", "signal"), code, "", "", None)
        await self._save("decisions", DECISION_COLUMNS, row)

    async def _save(self, table: str, columns: Sequence[str], row: Sequence[object], key: str = "") -> None:
        names, values = list(columns), list(row)
        if key:
            names, values = [*names, "updated_at"], [*values, self._now]
        marks = ", ".join(f"${number}" for number in range(1, len(names) + 1))
        changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
        conflict = f" ON CONFLICT ({key}) DO UPDATE SET {changes}" if key else ""
        await self._database.execute(
            f"INSERT INTO bot_{table} ({', '.join(names)}) VALUES ({marks}){conflict}", *values
        )

    def _get(self, path: str) -> Json:
        with urllib.request.urlopen(self._venue_url + path) as response:
            answer: Json = json.loads(response.read())
        return answer


def micro(number: object) -> int:
    return int(float(str(number or 0)) * 1_000_000)


def moment(text: str | None) -> datetime | None:
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def drop_of(market: Json) -> str | None:
    if not (market.get("active") and market.get("acceptingOrders") and not market.get("closed")):
        return "not_tradable"
    if float(market.get("liquidity") or 0) < LIQUIDITY:
        return "liquidity_low"
    if float(market.get("volume") or 0) < VOLUME:
        return "volume_low"
    prices = [float(price) for price in json.loads(market.get("outcomePrices") or "[]")]
    if not prices or not LOWEST <= max(prices) <= HIGHEST:
        return "conviction"
    return None


def event_values(event: Json) -> tuple[object, ...]:
    return (
        event["id"],
        event.get("title") or "",
        event.get("slug") or "",
        bool(event.get("active")),
        bool(event.get("closed")),
        micro(event.get("liquidity")),
        micro(event.get("volume")),
        micro(event.get("volume24hr")),
        moment(event.get("startDate")),
        moment(event.get("endDate")),
        bool(event.get("negRisk")),
        [tag["slug"] for tag in event.get("tags") or []],
    )


def market_values(event: Json, market: Json) -> tuple[object, ...]:
    fees = market.get("feeSchedule") or {}
    return (
        market["id"],
        event["id"],
        market["conditionId"],
        market.get("question") or "",
        market.get("slug") or "",
        bool(market.get("active")),
        bool(market.get("closed")),
        bool(market.get("acceptingOrders")),
        bool(market.get("enableOrderBook")),
        micro(market.get("liquidity")),
        micro(market.get("volume")),
        micro(market.get("volume24hr")),
        micro(market.get("orderPriceMinTickSize")),
        micro(market.get("orderMinSize")),
        micro(fees.get("rate")),
        int(fees.get("exponent") or 1),
        bool(fees.get("takerOnly", True)),
        micro(fees.get("rebateRate")),
        bool(market.get("negRisk")),
        micro(market.get("bestBid")),
        micro(market.get("bestAsk")),
        micro(market.get("lastTradePrice")),
        moment(market.get("endDate")),
        moment(market.get("gameStartTime")),
        int(market.get("secondsDelay") or 0),
        "open",
        market.get("category") or "",
        market.get("groupItemTitle") or "",
        bool(market.get("negRiskOther")),
        json.loads(market.get("clobTokenIds") or "[]"),
        json.loads(market.get("outcomes") or "[]"),
        [micro(price) for price in json.loads(market.get("outcomePrices") or "[]")],
    )
