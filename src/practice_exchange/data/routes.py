"""Handlers of the Data API, version 1: ``/positions``, ``/closed-positions``, ``/trades``, ``/activity`` and ``/value``."""

from __future__ import annotations

from collections.abc import Callable

from polymarket_kit.values import MICRO
from practice_exchange.data.params import Params
from practice_exchange.data.select import DIRECTIONS, SIDES, Held, Selector, dollars, newest_first, percent, read_filter
from practice_exchange.venue.market_lookup import NO_OUTCOME, Facts, MarketLookup
from practice_exchange.venue.records import Kind, Record
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.timestamps import SECOND_MS

POSITIONS_MAX, POSITIONS_OFFSET_MAX = 500, 10_000
CLOSED_MAX, CLOSED_OFFSET_MAX = 50, 100_000
TRADES_MAX, TRADES_OFFSET_MAX = 10_000, 10_000
ACTIVITY_MAX, ACTIVITY_OFFSET_MAX = 500, 5_000
TITLE_MAX = 100
# The venue's kinds of activity; of some of them there is none here.
ACTIVITY_KINDS = (*(kind.value for kind in Kind), "REWARD", "YIELD", "MAKER_REBATE", "TAKER_REBATE", "REFERRAL_REWARD")
POSITION_ORDERS: dict[str, Callable[[Held], float | str]] = {
    "CURRENT": lambda held: held.value_micro,
    "INITIAL": lambda held: held.position.cost_micro,
    "TOKENS": lambda held: held.position.size_micro,
    "CASHPNL": lambda held: held.gain_micro,
    "PERCENTPNL": lambda held: held.gain_percent,
    "TITLE": lambda held: held.facts.market.question,
    "RESOLVING": lambda held: held.facts.market.end_ms,
    "PRICE": lambda held: held.facts.price_micro,
    "AVGPRICE": lambda held: held.position.price_micro,
}
CLOSED_ORDERS: dict[str, Callable[[Held], float | str]] = {
    "REALIZEDPNL": lambda held: held.position.realized_micro,
    "TITLE": lambda held: held.facts.market.question,
    "PRICE": lambda held: held.facts.price_micro,
    "AVGPRICE": lambda held: held.position.price_micro,
    "TIMESTAMP": lambda held: held.position.last_ms,
}
ACTIVITY_ORDERS: dict[str, Callable[[Record], int]] = {
    "TIMESTAMP": lambda record: record.time_ms,
    "TOKENS": lambda record: record.size_micro,
    "CASH": lambda record: record.usdc_micro,
}


class DataRoutes:
    """Answers the paths of the first form. Anybody may ask about any account. Raises WireError."""

    def __init__(self, select: Selector) -> None:
        self._select = select

    def status(self, request: Request) -> Answer:
        """Whether the Data API answers."""
        return json_answer({"data": "OK"})

    def positions(self, request: Request) -> Answer:
        """What an account holds."""
        params = Params(request.query)
        user, wanted = params.user(), read_filter(params, "market", "eventId")
        least = params.amount("sizeThreshold", 1.0) * MICRO
        redeemable, mergeable = params.switch("redeemable"), params.switch("mergeable")
        archived, title = params.switch("includeArchived"), params.title(TITLE_MAX)
        limit, offset = params.whole("limit", 100, POSITIONS_MAX), params.offset(POSITIONS_OFFSET_MAX)
        order = params.word("sortBy", tuple(POSITION_ORDERS), "TOKENS")
        falling = params.word("sortDirection", DIRECTIONS, "DESC") == "DESC"
        found = [
            held
            for held in self._select.held(user, wanted)
            if held.position.size_micro >= least
            and (not redeemable or held.facts.resolved)
            and (not mergeable or held.mergeable)
            and (archived or not held.facts.market.archived)
            and title in held.facts.market.question.lower()
        ]
        found.sort(key=POSITION_ORDERS[order], reverse=falling)
        return json_answer([position_row(held) for held in found[offset : offset + limit]])

    def closed_positions(self, request: Request) -> Answer:
        """What an account held."""
        params = Params(request.query)
        user, wanted = params.user(), read_filter(params, "market", "eventId")
        title = params.title(TITLE_MAX)
        limit, offset = params.whole("limit", 10, CLOSED_MAX), params.offset(CLOSED_OFFSET_MAX)
        order = params.word("sortBy", tuple(CLOSED_ORDERS), "REALIZEDPNL")
        falling = params.word("sortDirection", DIRECTIONS, "DESC") == "DESC"
        found = [
            held for held in self._select.held(user, wanted, closed=True) if title in held.facts.market.question.lower()
        ]
        found.sort(key=CLOSED_ORDERS[order], reverse=falling)
        return json_answer([closed_row(held) for held in found[offset : offset + limit]])

    def trades(self, request: Request) -> Answer:
        """Trades of an account or of all."""
        params = Params(request.query)
        select, user = self._select, params.user(needed=False)
        wanted = read_filter(params, "market", "eventId")
        limit, offset = params.whole("limit", 100, TRADES_MAX), params.offset(TRADES_OFFSET_MAX)
        found = select.records.of(user) if user else select.public_trades(wanted)
        rows = select.trades(found, params, wanted, newer=False)
        return json_answer(
            [trade_row(each, select.facts.of_token(each.token_id)) for each in rows[offset : offset + limit]]
        )

    def activity(self, request: Request) -> Answer:
        """All that an account did."""
        params = Params(request.query)
        select, user = self._select, params.user()
        wanted, kinds = read_filter(params, "market", "eventId"), params.words("type", ACTIVITY_KINDS)
        without_cash = params.switch("excludeDepositsWithdrawals", True)
        side, order = params.word("side", SIDES), params.word("sortBy", tuple(ACTIVITY_ORDERS), "TIMESTAMP")
        falling = params.word("sortDirection", DIRECTIONS, "DESC") == "DESC"
        limit, offset = params.whole("limit", 100, ACTIVITY_MAX), params.offset(ACTIVITY_OFFSET_MAX)
        window = select.window(params, unbounded=not falling)
        found = select.activity(user, wanted, kinds, without_cash, side, window)
        if falling:
            found = newest_first(found)
        found.sort(key=ACTIVITY_ORDERS[order], reverse=falling)
        return json_answer([activity_row(record, select.facts) for record in found[offset : offset + limit]])

    def value(self, request: Request) -> Answer:
        """What an account's positions are worth."""
        params = Params(request.query)
        user, wanted = params.user(), read_filter(params, "market", "eventId")
        total = sum(held.value_micro for held in self._select.held(user, wanted))
        return json_answer([{"user": user.lower(), "value": dollars(total)}])


# Nobody here has a profile.
NOBODY = dict.fromkeys(("name", "pseudonym", "bio", "profileImage", "profileImageOptimized"), "")


def market_texts(facts: Facts | None) -> dict[str, object]:
    if facts is None:
        return {"title": "", "slug": "", "icon": "", "eventSlug": ""}
    market = facts.market
    return {"title": market.question, "slug": market.slug, "icon": "", "eventSlug": facts.event_slug}


def _outcome_texts(facts: Facts) -> dict[str, object]:
    return {
        "outcome": facts.outcome,
        "outcomeIndex": facts.outcome_index,
        "oppositeOutcome": facts.opposite_outcome,
        "oppositeAsset": facts.opposite_token,
        "endDate": facts.end_date,
    }


def activity_row(record: Record, facts: MarketLookup) -> dict[str, object]:
    """A row of activity; where it is about no one outcome, its index is 999 and its texts are empty."""
    of = facts.of_token(record.token_id) if record.token_id else facts.of_condition(record.condition_id)
    row: dict[str, object] = {
        "proxyWallet": record.account_id.lower(),
        "timestamp": record.time_ms // SECOND_MS,
        "conditionId": record.condition_id,
        "type": record.kind.value,
        "size": dollars(record.size_micro),
        "usdcSize": dollars(record.usdc_micro),
        "transactionHash": record.transaction_hash,
        "price": dollars(record.price_micro),
        "asset": record.token_id,
        "side": record.side,
        "outcomeIndex": of.outcome_index if of is not None and record.token_id else NO_OUTCOME,
        "outcome": of.outcome if of is not None and record.token_id else "",
    }
    return row | market_texts(of) | NOBODY


def position_row(held: Held) -> dict[str, object]:
    """A position that is held, as ``/positions`` writes it."""
    position, facts = held.position, held.facts
    row: dict[str, object] = {
        "proxyWallet": position.account_id.lower(),
        "asset": position.token_id,
        "conditionId": position.condition_id,
        "size": dollars(position.size_micro),
        "avgPrice": dollars(position.price_micro),
        "initialValue": dollars(position.cost_micro),
        "grossInitialValue": dollars(position.cost_micro + position.fees_micro),
        "entryFeesUsdc": dollars(position.fees_micro),
        "currentValue": dollars(held.value_micro),
        "cashPnl": dollars(held.gain_micro),
        "percentPnl": held.gain_percent,
        "totalBought": dollars(position.bought_micro),
        "realizedPnl": dollars(position.realized_micro),
        "percentRealizedPnl": percent(position.realized_micro, position.spent_micro),
        "curPrice": dollars(facts.price_micro),
        "redeemable": facts.resolved,
        "mergeable": held.mergeable,
    }
    return row | market_texts(facts) | _outcome_texts(facts) | {"negativeRisk": facts.market.negative_risk}


def closed_row(held: Held) -> dict[str, object]:
    """A position that is over, as ``/closed-positions`` writes it."""
    position, facts = held.position, held.facts
    row: dict[str, object] = {
        "proxyWallet": position.account_id.lower(),
        "asset": position.token_id,
        "conditionId": position.condition_id,
        "avgPrice": dollars(position.price_micro),
        "totalBought": dollars(position.bought_micro),
        "realizedPnl": dollars(position.realized_micro),
        "curPrice": dollars(facts.price_micro),
        "timestamp": position.last_ms // SECOND_MS,
    }
    return row | market_texts(facts) | _outcome_texts(facts)


def trade_row(record: Record, facts: Facts) -> dict[str, object]:
    """One side of a trade, as ``/trades`` writes it."""
    row: dict[str, object] = {
        "proxyWallet": record.account_id.lower(),
        "side": record.side,
        "asset": record.token_id,
        "conditionId": record.condition_id,
        "size": dollars(record.size_micro),
        "price": dollars(record.price_micro),
        "timestamp": record.time_ms // SECOND_MS,
        "outcome": facts.outcome,
        "outcomeIndex": facts.outcome_index,
        "transactionHash": record.transaction_hash,
    }
    return row | market_texts(facts) | NOBODY
