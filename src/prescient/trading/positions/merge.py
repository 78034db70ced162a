"""Sets of outcomes: complete ones merge into dollars, negative-risk NO shares convert into what they are worth.

Stands beside settle: that waits for a resolution, this needs none. Both follow the venue's contracts (its documents on
positions): a YES and a NO of one market are a dollar; NO of m markets of a negative-risk event are YES of all its other
markets, and m-1 dollars, because at most one of the m can come true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from polymarket_kit.errors import InvalidRequest
from prescient.domain.errors import ConflictError, InvariantBroken, NotFoundError, PositionMoved
from prescient.domain.ledger import USD, swapped
from prescient.domain.market import Market
from prescient.domain.obligation import merge_owed
from prescient.domain.portfolio import Position
from prescient.domain.venue_answers import PositionRequest, RequestKind
from prescient.ports.context import TradingContext
from prescient.trading.orders.approve import free_shares
from prescient.trading.positions.requests import Answered, PositionsBusy, RequestRefused, RequestUnanswered, ask
from prescient.trading.positions.settle import is_final
from prescient.trading.positions.settling import settle_fills

log = structlog.get_logger(__name__)

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 5


class NothingToMerge(ConflictError):
    code = "nothing_to_merge"

    def __init__(self, condition_id: str) -> None:
        super().__init__(
            f"The portfolio has no complete set of market {condition_id} that is free: it needs shares of both outcomes, "
            "and those set aside for resting orders, or not mined yet, do not count."
        )


class NotConvertible(ConflictError):
    code = "not_convertible"


@dataclass(frozen=True, slots=True)
class Swapped:
    """What a merge or a conversion did: so many shares of each gone, dollars paid, and shares gained by token id."""

    portfolio_id: int
    size_micro: int
    paid_micro: int
    given: tuple[str, ...]
    gained: tuple[str, ...] = ()


async def merge_sets(
    context: TradingContext, portfolio_id: int, condition_id: str, size_micro: int | None = None
) -> Swapped:
    """Turn complete sets of one market into a dollar each: ``size_micro`` sets, or all that are free.

    The market needs no resolution, and its dispute changes nothing: the two outcomes sum to a dollar whatever happens.
    Raises PortfolioNotFound, NotFoundError, NothingToMerge, InvalidRequest, PositionMoved.
    """
    venue = context.venue_of(await context.store.portfolio(portfolio_id))
    await settle_fills(context, portfolio_id)
    market = (await context.store.markets_by_condition([condition_id])).get(condition_id)
    if market is None or len(market.outcomes) != 2:
        raise NotFoundError(f"Market {condition_id} is not in the catalogue. List markets: GET /markets.")
    tokens = [outcome.token_id for outcome in market.outcomes]
    for _ in range(ATTEMPTS_MAX):
        name = context.ids.new("merge")
        size = await _free_sets(context, portfolio_id, tokens, size_micro)
        if size == 0:
            raise NothingToMerge(condition_id)
        given = tuple((token_id, size) for token_id in tokens)
        request = PositionRequest(name, portfolio_id, RequestKind.MERGE, (condition_id,), given, ((USD, size),))
        answered = await ask(context, venue, request)
        if not await book_swap(context, answered):
            continue
        return Swapped(portfolio_id, size, size, tuple(tokens))
    raise PositionMoved(tokens[0])


async def merge_all(context: TradingContext, portfolio_id: int, positions: Sequence[Position]) -> list[Swapped]:
    """Merge every complete set among these positions of a portfolio; what is not mined yet is owed."""
    by_condition: dict[str, int] = {}
    for position in positions:
        by_condition[position.condition_id] = by_condition.get(position.condition_id, 0) + 1
    merged = []
    settling = {position.condition_id for position in positions if position.settling_size_micro}
    now = context.clock.now()
    due_at = now + timedelta(seconds=context.settlement.mined_after_s)
    for condition_id in [condition_id for condition_id, count in by_condition.items() if count == 2]:
        if condition_id in settling:
            await context.store.owe([merge_owed(portfolio_id, condition_id, now, due_at)])
        try:
            merged.append(await merge_sets(context, portfolio_id, condition_id))
        except (NothingToMerge, NotFoundError, PositionMoved):
            # Set aside for open orders, traded all the time, or no market of two outcomes that we know.
            continue
        except (RequestRefused, RequestUnanswered, PositionsBusy) as error:
            # The other sets go on; this one is asked for again, or about, in a later round.
            log.warning("not merged", portfolio_id=portfolio_id, condition_id=condition_id, error=str(error))
    return merged


async def convert_no_shares(
    context: TradingContext, portfolio_id: int, condition_ids: Sequence[str], size_micro: int | None = None
) -> Swapped:
    """Turn NO shares of some markets of one negative-risk event into YES of all its others, and dollars for all but one.

    What the NO shares cost, less the dollars paid, is what the YES shares cost, in equal parts. The venue's conversion fee
    is zero (assumed). Raises PortfolioNotFound, NotFoundError, NotConvertible, InvalidRequest, PositionMoved.
    """
    venue = context.venue_of(await context.store.portfolio(portfolio_id))
    await settle_fills(context, portfolio_id)
    chosen, others = await _members(context, condition_ids)
    given = [market.outcomes[1].token_id for market in chosen]
    gained = [market.outcomes[0].token_id for market in others]
    for _ in range(ATTEMPTS_MAX):
        name = context.ids.new("convert")
        size = await _free_sets(context, portfolio_id, given, size_micro)
        if size == 0:
            raise NotConvertible("The portfolio has no free NO shares of every one of these markets.")
        dollars = (len(chosen) - 1) * size
        incoming = [(token_id, size) for token_id in gained] + ([(USD, dollars)] if dollars else [])
        outgoing = tuple((token_id, size) for token_id in given)
        conditions = tuple(market.condition_id for market in (*chosen, *others))
        request = PositionRequest(name, portfolio_id, RequestKind.CONVERT, conditions, outgoing, tuple(incoming))
        answered = await ask(context, venue, request)
        if not await book_swap(context, answered):
            continue
        return Swapped(portfolio_id, size, dollars, tuple(given), tuple(gained))
    raise PositionMoved(given[0])


async def book_swap(context: TradingContext, answered: Answered) -> bool:
    """Book what a venue did with positions; False if they are others by now and nothing was sent: then ask anew.

    Raises InvariantBroken when what was really done cannot be booked, and RequestClosed when it is booked already.
    """
    request, portfolio_id = answered.request, answered.request.portfolio_id
    dollars = dict(answered.done.gained).get(USD, 0)
    tokens = [token_id for token_id, _ in answered.done.gained if token_id != USD]
    size = request.given[0][1]
    assert {amount for _, amount in request.given} == {size}
    markets = await context.store.markets_by_condition(list(request.condition_ids)) if tokens else {}
    by_token = {outcome.token_id: market for market in markets.values() for outcome in market.outcomes}
    for _ in range(ATTEMPTS_MAX if answered.closes else 1):
        held = [await _held(context, portfolio_id, token_id) for token_id, _ in request.given]
        if any(one.size_micro < size for one in held):
            break
        to_gain = [await _to_gain(context, portfolio_id, by_token[token_id]) for token_id in tokens]
        changes = _converted(context, held, size, dollars, to_gain)
        now = context.clock.now()
        kind = request.kind.value
        transfers = swapped(portfolio_id, request.request_id, kind, request.given, answered.done.gained, now)
        try:
            await context.store.swap(portfolio_id, transfers, changes, now, answered.closes)
        except PositionMoved:
            continue
        return True
    if answered.closes:
        raise InvariantBroken(f"request {request.request_id} was done, and its shares are not there to book it")
    return False


def _converted(
    context: TradingContext, held: Sequence[Position], size_micro: int, dollars_micro: int, to_gain: Sequence[Position]
) -> list[tuple[Position, Position]]:
    """The positions before and after: the cost that the dollars do not pay back moves on to what was gained."""
    cost = sum(one.cost_of(size_micro) for one in held)
    carried = max(cost - dollars_micro, 0) if to_gain else 0
    changes = _given_up(context, held, size_micro, dollars_micro + carried)
    left = carried
    for number, position in enumerate(to_gain):
        part = left // (len(to_gain) - number)
        left -= part
        changes.append((position, position.bought(size_micro, part)))
    assert left == 0 or not to_gain
    return changes


def _given_up(
    context: TradingContext, held: Sequence[Position], size_micro: int, worth_micro: int
) -> list[tuple[Position, Position]]:
    """Reduce each position by the same size; what they are worth together is shared out by what they cost."""
    costs = [one.cost_of(size_micro) + 1 for one in held]
    changes, left, weight = [], worth_micro, sum(costs)
    for position, cost in zip(held, costs, strict=True):
        part = left * cost // weight
        left, weight = left - part, weight - cost
        changes.append((position, position.reduced(size_micro, part, context.clock.now())))
    assert left == 0
    return changes


async def _members(context: TradingContext, condition_ids: Sequence[str]) -> tuple[list[Market], list[Market]]:
    """The chosen markets and the others of their negative-risk event, which must be known whole and still open."""
    wanted = set(condition_ids)
    known = await context.store.markets_by_condition(sorted(wanted))
    if not wanted or known.keys() != wanted:
        raise NotFoundError("A market to convert is not in the catalogue. List markets: GET /markets.")
    events = {market.event_id for market in known.values()}
    members = await context.store.markets_of(sorted(events))
    if len(events) != 1 or not all(market.negative_risk and len(market.outcomes) == 2 for market in members):
        raise NotConvertible("Only NO shares of markets of one and the same negative-risk event convert.")
    states = await context.market_data.market_states(sorted(market.condition_id for market in members))
    if any(is_final(state) for state in states.values()):
        raise NotConvertible("A market of this event is resolved already; wait for the others to pay.")
    chosen = [market for market in members if market.condition_id in wanted]
    return chosen, [market for market in members if market.condition_id not in wanted]


async def _free_sets(
    context: TradingContext, portfolio_id: int, token_ids: Sequence[str], size_micro: int | None
) -> int:
    free = min([await free_shares(context, portfolio_id, token_id, unanswered=True) for token_id in token_ids])
    if size_micro is None:
        return free
    if not 0 < size_micro <= free:
        raise InvalidRequest(
            "size", "must be above zero and no more than the portfolio has free of each of these shares"
        )
    return size_micro


async def _held(context: TradingContext, portfolio_id: int, token_id: str) -> Position:
    position = await context.store.position(portfolio_id, token_id)
    if position is None:
        raise PositionMoved(token_id)
    return position


async def _to_gain(context: TradingContext, portfolio_id: int, market: Market) -> Position:
    """The position in a market's YES, or an empty one to start from."""
    outcome = market.outcomes[0]
    return await context.store.position(portfolio_id, outcome.token_id) or Position(
        portfolio_id=portfolio_id,
        token_id=outcome.token_id,
        condition_id=market.condition_id,
        market_id=market.market_id,
        market_question=market.question,
        outcome=outcome.name,
        size_micro=0,
        cost_micro=0,
        realized_pnl_micro=0,
        mark_price_micro=None,
        mark_value_micro=0,
        mark_source="cost",
        mark_time=None,
        opened_at=context.clock.now(),
    )
