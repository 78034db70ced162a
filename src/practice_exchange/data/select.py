"""Selects, filters and sorts the rows that a Data API request asks for; how they are written is not decided here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from polymarket_kit.values import MICRO
from practice_exchange.data.params import Params
from practice_exchange.venue.market_lookup import Facts, MarketLookup
from practice_exchange.venue.positions import Position, Positions
from practice_exchange.venue.records import Kind, Record, Records
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import DAY_MS, SECOND_MS

# Without a start only this much of the past is shown.
WINDOW_MS = 3 * 365 * DAY_MS
SIDES = ("BUY", "SELL")
UNITS = ("CASH", "TOKENS")
DIRECTIONS = ("ASC", "DESC")
# Parameters of trades in both forms: takers only, the unit of the least amount, the least amount.
NAMES = ("takerOnly", "filterType", "filterAmount")
NEWER_NAMES = ("taker_only", "filter_type", "filter_amount")


class Held(NamedTuple):
    """A position with the facts of its token and whether the other outcome is held as well."""

    position: Position
    facts: Facts
    mergeable: bool

    @property
    def value_micro(self) -> int:
        return self.position.size_micro * self.facts.price_micro // MICRO

    @property
    def gain_micro(self) -> int:
        return self.value_micro - self.position.cost_micro

    @property
    def gain_percent(self) -> float:
        return percent(self.gain_micro, self.position.cost_micro)


class Filter(NamedTuple):
    """Which markets are asked for: by condition or by event, not both; none named is all."""

    conditions: frozenset[str]
    events: frozenset[int]

    def admits(self, condition_id: str, facts: Facts | None) -> bool:
        if self.conditions:
            return condition_id.lower() in self.conditions
        return not self.events or (facts is not None and facts.market.event_number in self.events)


def read_filter(params: Params, condition_name: str, event_name: str) -> Filter:
    """Raises WireError (400)."""
    conditions, events = params.conditions(condition_name), params.events(event_name)
    if conditions and events:
        raise params.refuse(f"{condition_name} and {event_name} are mutually exclusive", event_name)
    return Filter(frozenset(conditions), frozenset(events))


CASH_KINDS = (Kind.DEPOSIT, Kind.WITHDRAWAL)


class Selector:
    """Finds positions and records as either form of the API asks for them."""

    def __init__(self, records: Records, positions: Positions, facts: MarketLookup, now_ms: Callable[[], int]) -> None:
        self.records = records
        self.positions = positions
        self.facts = facts
        self._now_ms = now_ms

    @property
    def now_ms(self) -> int:
        return self._now_ms()

    def held(self, account_id: str, wanted: Filter, *, closed: bool = False) -> list[Held]:
        """An account's positions: those with shares, or those that are over."""
        return self.with_facts(self.positions.of(account_id), wanted, closed=closed)

    def with_facts(self, positions: Iterable[Position], wanted: Filter, *, closed: bool = False) -> list[Held]:
        """Positions with what is known of their tokens."""
        chosen = list(positions)
        sizes = {(each.account_id, each.token_id): each.size_micro for each in chosen}
        found = []
        for position in chosen:
            if (position.size_micro == 0) != closed or (closed and position.bought_micro == 0):
                continue
            facts = self.facts.of_token(position.token_id)
            if wanted.admits(position.condition_id, facts):
                both = bool(sizes.get((position.account_id, facts.opposite_token))) and not closed
                found.append(Held(position, facts, both and not facts.resolved))
        return found

    def window(self, params: Params, *, unbounded: bool = False) -> tuple[int, int]:
        """The time window of the rows asked for, in ms, both ends included. Raises WireError (400)."""
        start_s, end_s = params.whole("start", 0), params.whole("end", 0)
        start_ms = start_s * SECOND_MS
        if not start_s and not unbounded:
            start_ms = self.now_ms - WINDOW_MS
        return start_ms, (end_s * SECOND_MS + SECOND_MS - 1) if end_s else self.now_ms

    def trades(self, records: Iterable[Record], params: Params, wanted: Filter, newer: bool) -> list[Record]:
        """Trades as the parameters want them, newest first. Raises WireError (400)."""
        taker_name, unit_name, amount_name = NEWER_NAMES if newer else NAMES
        taker_only, side = params.switch(taker_name, True), params.word("side", SIDES)
        unit, least = params.word(unit_name, UNITS), params.amount(amount_name, -1.0)
        if bool(unit) != (least >= 0):
            raise params.refuse(f"{unit_name} and {amount_name} must be provided together", amount_name)
        start_ms, end_ms = self.window(params)
        found = []
        for record in records:
            if record.kind is not Kind.TRADE or (taker_only and not record.is_taker):
                continue
            if not start_ms <= record.time_ms <= end_ms or (side and record.side != side):
                continue
            amount_micro = record.usdc_micro if unit == "CASH" else record.size_micro
            if amount_micro >= least * MICRO and wanted.admits(
                record.condition_id, self.facts.of_condition(record.condition_id)
            ):
                found.append(record)
        return newest_first(found)

    def activity(
        self, user: str, wanted: Filter, kinds: Sequence[str], without_cash: bool, side: str, window: tuple[int, int]
    ) -> list[Record]:
        """An account's records of these kinds (all if none is named) within a window of ms, oldest first."""
        start_ms, end_ms = window
        return [
            record
            for record in self.records.of(user)
            if (not kinds or record.kind.value in kinds)
            and not (without_cash and record.kind in CASH_KINDS)
            and (not side or record.side == side)
            and start_ms <= record.time_ms <= end_ms
            and wanted.admits(record.condition_id, self.facts.of_condition(record.condition_id))
        ]

    def public_trades(self, wanted: Filter) -> list[Record]:
        """Everybody's trades: those of users, and what the world's own traders printed last in each market."""
        users = [record for records in self.records.state.values() for record in records if record.kind is Kind.TRADE]
        seen = {(each.condition_id, each.token_id, each.price_micro, each.size_micro) for each in users}
        printed = []
        for market in self.facts.markets():
            facts = self.facts.of_market(market)
            if market.tape and wanted.admits(market.condition_id, facts):
                printed += [each for each in self._tape(market) if _key(each) not in seen]
        return users + printed

    def _tape(self, market: MarketState) -> list[Record]:
        crowd, first = self.facts.crowd, market.token_ids[0]
        rows = []
        for time_ms, price_micro, size_micro, is_buy in market.tape:
            digest = hashlib.sha256(f"{first}/{time_ms}/{price_micro}/{size_micro}".encode()).hexdigest()
            what = (f"0x{digest}", size_micro * price_micro // MICRO, size_micro, market.condition_id, first)
            rows.append(Record(crowd, Kind.TRADE, time_ms, *what, SIDES[not is_buy], price_micro, is_taker=True))
        return rows


def newest_first(records: list[Record]) -> list[Record]:
    """In order of time, the later written first among those of one moment; the order is stable from page to page."""
    return sorted(reversed(records), key=lambda record: -record.time_ms)


def _key(record: Record) -> tuple[str, str, int, int]:
    return record.condition_id, record.token_id, record.price_micro, record.size_micro


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 6) if whole else 0.0


def dollars(micro: int) -> float:
    """Micro-units as a number with at most six decimals."""
    return micro / MICRO
