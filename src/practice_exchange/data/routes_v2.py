"""Handlers of the Data API, version 2, as far as the venue's newest client calls it: other names, pages by cursor."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

from polymarket_kit.values import MICRO
from practice_exchange.clob.public_routes import FIDELITY_MIN, INTERVALS_S, grid
from practice_exchange.data.params import Params
from practice_exchange.data.routes import ACTIVITY_KINDS, activity_row, market_texts, trade_row
from practice_exchange.data.select import (
    DIRECTIONS,
    SIDES,
    UNITS,
    Filter,
    Held,
    Selector,
    dollars,
    newest_first,
    percent,
    read_filter,
)
from practice_exchange.venue.approvals import Approvals, approval_rows
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import SECOND_MS, rfc3339

T = TypeVar("T")
PAGE_LENGTH, PAGE_MAX = 100, 1_000
TITLE_MAX = 200
STATUSES = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED")
KINDS = (*ACTIVITY_KINDS, "MIGRATION", "TIP")
NEWER_KEYS = {
    "proxyWallet": "proxy_wallet",
    "conditionId": "condition_id",
    "usdcSize": "usdc_size",
    "transactionHash": "transaction_hash",
    "asset": "token_id",
    "outcomeIndex": "outcome_index",
    "eventSlug": "event_slug",
    "profileImage": "profile_image",
    "profileImageOptimized": "profile_image_optimized",
}
ORDERS: dict[str, Callable[[Held], int]] = {
    "CURRENT_VALUE": lambda held: held.value_micro,
    "PRICE": lambda held: held.facts.price_micro,
    "TOKENS": lambda held: held.position.size_micro,
    "UNREALIZED_PNL": lambda held: held.gain_micro,
    "REALIZED_PNL": lambda held: held.position.realized_micro,
    "TOTAL_PNL": lambda held: held.gain_micro + held.position.realized_micro,
    "TIMESTAMP": lambda held: held.position.last_ms,
}


class NewerDataRoutes:
    """Answers the paths below ``/v2``. Raises WireError."""

    def __init__(self, select: Selector, approvals: Approvals, chain_id: int) -> None:
        self._select = select
        self._approvals = approvals
        self._chain_id = chain_id

    def prices_history(self, request: Request) -> Answer:
        """A token's price over time in the newer form."""
        params = Params(request.query, newer=True)
        found = self._select.facts.token(params.text("token_id"))
        if found is None:
            raise params.refuse("unknown token_id", "token_id")
        rows = price_rows(*found, params, self._select.now_ms // SECOND_MS)
        return json_answer(_page(params, rows, lambda row: row))

    def positions(self, request: Request) -> Answer:
        """Positions in the newer form."""
        params = Params(request.query, newer=True)
        wanted = read_filter(params, "condition_id", "event_id")
        user = params.user(needed=False)
        if not user and not wanted.conditions:
            raise params.refuse("required query param 'user' or 'condition' not provided", "user")
        status, order = params.word("status", STATUSES), params.word("sort_by", tuple(ORDERS), "CURRENT_VALUE")
        unit, least = params.word("filter_type", UNITS), params.amount("filter_amount", 0.0) * MICRO
        title, archived = params.title(TITLE_MAX), params.switch("include_archived")
        falling = params.word("sort_direction", DIRECTIONS, "DESC") == "DESC"
        found = [
            held
            for held in self._held(user, wanted, closed=status == "CLOSED")
            if _has_status(held, status)
            and (held.value_micro if unit == "CASH" else held.position.size_micro) >= least
            and (archived or not held.facts.market.archived)
            and title in held.facts.market.question.lower()
        ]
        found.sort(key=ORDERS[order], reverse=falling)
        return json_answer(_page(params, found, _position_row))

    def _held(self, user: str, wanted: Filter, *, closed: bool) -> list[Held]:
        select = self._select
        if user:
            return select.held(user, wanted, closed=closed)
        return select.with_facts(select.positions.everybody(), wanted, closed=closed)

    def trades(self, request: Request) -> Answer:
        """Trades in the newer form."""
        params = Params(request.query, newer=True)
        select, user = self._select, params.user(needed=False)
        wanted = read_filter(params, "condition_id", "event_id")
        found = select.records.of(user) if user else select.public_trades(wanted)
        rows = select.trades(found, params, wanted, newer=True)
        return json_answer(
            _page(params, rows, lambda each: _renamed(trade_row(each, select.facts.of_token(each.token_id))))
        )

    def activity(self, request: Request) -> Answer:
        """Activity in the newer form."""
        params = Params(request.query, newer=True)
        select, user = self._select, params.user()
        wanted, kinds = read_filter(params, "condition_id", "event_id"), params.words("type", KINDS)
        without_cash = params.switch("exclude_deposits_withdrawals", True)
        side, falling = params.word("side", SIDES), params.word("sort_direction", DIRECTIONS, "DESC") == "DESC"
        window = select.window(params, unbounded=not falling)
        found = select.activity(user, wanted, kinds, without_cash, side, window)
        return json_answer(
            _page(
                params,
                newest_first(found) if falling else found,
                lambda record: _renamed(activity_row(record, select.facts)) | {"is_combo": False},
            )
        )

    def value(self, request: Request) -> Answer:
        """Worth in the newer form."""
        params = Params(request.query, newer=True)
        user, wanted = params.user(), read_filter(params, "condition_id", "event_id")
        total = sum(held.value_micro for held in self._select.held(user, wanted))
        return json_answer({"data": {"proxy_wallet": user.lower(), "value": dollars(total)}})

    def approvals(self, request: Request) -> Answer:
        """What an account has approved."""
        params = Params(request.query, newer=True)
        user = params.user()
        content = {"address": user.lower(), "chain_id": self._chain_id, "checked_at": rfc3339(self._select.now_ms)}
        return json_answer({"data": content | {"contracts": approval_rows(self._approvals, user)}})


def _renamed(row: dict[str, object]) -> dict[str, object]:
    """A row of the older form with the names of the newer one."""
    return {NEWER_KEYS.get(name, name): value for name, value in row.items()}


def _has_status(held: Held, status: str) -> bool:
    if status == "OPEN":
        return not held.facts.resolved
    if status == "REDEEMABLE":
        return held.facts.resolved
    if status == "REDEEMABLE_LOST":
        return held.facts.resolved and held.facts.price_micro == 0
    return held.mergeable if status == "MERGEABLE" else True


def _position_row(held: Held) -> dict[str, object]:
    """``entry_cost_usdc`` is without fees, ``total_cost_usdc`` with them; percentages are of the cost without fees."""
    position, facts = held.position, held.facts
    closed = position.size_micro == 0
    total_micro = held.gain_micro + position.realized_micro
    row: dict[str, object] = {
        "proxy_wallet": position.account_id.lower(),
        "token_id": position.token_id,
        "condition_id": position.condition_id,
        "current_size": dollars(position.size_micro),
        "avg_price": dollars(position.price_micro),
        "entry_cost_usdc": dollars(position.cost_micro),
        "entry_fees_usdc": dollars(position.fees_micro),
        "total_cost_usdc": dollars(position.cost_micro + position.fees_micro),
        "current_price": dollars(facts.price_micro),
        "current_value": dollars(held.value_micro),
        "total_size": dollars(position.bought_micro),
        "realized_pnl": dollars(position.realized_micro),
        "unrealized_pnl": dollars(held.gain_micro),
        "total_pnl": dollars(total_micro),
        "percent_pnl": percent(total_micro, position.spent_micro),
        "percent_realized_pnl": percent(position.realized_micro, position.spent_micro),
        "status": "CLOSED" if closed else "REDEEMABLE" if facts.resolved else "OPEN",
        "redeemable": facts.resolved and not closed,
        "mergeable": held.mergeable,
        "negative_risk": facts.market.negative_risk,
        "archived": facts.market.archived,
        "verified": False,
        "outcome": facts.outcome,
        "outcome_index": facts.outcome_index,
        "opposite_outcome": facts.opposite_outcome,
        "opposite_token_id": facts.opposite_token,
        "event_id": str(facts.market.event_number),
        "end_date": facts.end_date,
        "last_event_at": position.last_ms // SECOND_MS,
        "first_entry_at": position.first_ms // SECOND_MS,
        "name": "",
        "profile_image": "",
    }
    return row | _renamed(market_texts(facts))


def _page(params: Params, found: Sequence[T], render: Callable[[T], object]) -> object:
    """One page and the cursor to the next, which carries the page's length onward, as on the venue."""
    limit, offset = max(params.whole("limit", PAGE_LENGTH, PAGE_MAX), 1), 0
    cursor = params.text("cursor")
    if cursor:
        try:
            offset, limit = map(int, urlsafe_b64decode(cursor).decode("ascii").split(":"))
        except ValueError as error:
            raise params.refuse("invalid cursor", "cursor") from error
        if offset < 0 or not 0 < limit <= PAGE_MAX:
            raise params.refuse("invalid cursor", "cursor")
    end = offset + limit
    more = end < len(found)
    following = urlsafe_b64encode(f"{end}:{limit}".encode()).decode() if more else None
    pagination = {"limit": limit, "offset": offset, "has_more": more, "next_cursor": following}
    return {"data": [render(each) for each in found[offset:end]], "pagination": pagination}


WINDOW_MAX_S = 15 * 86_400
BUCKET_MAX_S = 86_400
# Intervals that reach far back have coarser buckets at least.
LONG = {"max": 600, "all": 600} | {name: minutes * 60 for name, minutes in FIDELITY_MIN.items()}
Row = dict[str, object]


def price_rows(market: MarketState, outcome_index: int, params: Params, now_s: int) -> list[Row]:
    """The rows of ``/v2/prices-history``, oldest first. Raises WireError (400)."""
    interval, start, as_of = params.text("interval").lower(), params.text("start"), params.text("as_of")
    if sum(map(bool, (interval, start, as_of))) != 1:
        raise params.refuse("provide exactly one of interval, start, or as_of", "interval")
    if as_of:
        return _at(market, outcome_index, params.whole("as_of", 0))
    if interval and interval not in INTERVALS_S:
        raise params.refuse(f"interval must be one of {', '.join(INTERVALS_S)}", "interval")
    least_s = LONG.get(interval, 60)
    bucket_s = params.whole("bucket_seconds", least_s)
    if not least_s <= bucket_s <= BUCKET_MAX_S:
        raise params.refuse(f"bucket_seconds must be between {least_s} and {BUCKET_MAX_S}", "bucket_seconds")
    start_s, end_s = params.whole("start", 0), params.whole("end", now_s)
    if start and not 0 <= end_s - start_s <= WINDOW_MAX_S:
        raise params.refuse("the window must not end before start or exceed 15 days", "end")
    if interval:
        span_s = INTERVALS_S[interval]
        start_s, end_s = 0 if span_s is None else now_s - span_s, now_s
    points = grid(market, start_s, end_s, bucket_s, now_s)
    return [_row(at_s, price_micro, outcome_index, bucket_s) for at_s, price_micro in points]


def _at(market: MarketState, outcome_index: int, moment_s: int) -> list[Row]:
    """The last price at a moment, or nothing from before there was one."""
    index = bisect_right(market.history_s, moment_s) - 1
    if index < 0:
        return []
    return [_row(market.history_s[index], market.history_micro[index], outcome_index, 0)]


def _row(at_s: int, price_micro: int, outcome_index: int, resolution_s: int) -> Row:
    price = (MICRO - price_micro if outcome_index else price_micro) / MICRO
    return {"timestamp": at_s, "price": price, "resolution_seconds": resolution_s}
