"""Orders that rest: placed by hand or by program, moved on by the market's stream, cancelled, restored after a restart.

Stands beside execute: that sends takers and is done; here an order lives on, and each of its fills is booked as it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

from polymarket_kit.errors import InvalidRequest
from polymarket_kit.model import OrderType, Side
from polymarket_kit.order_ends import OrderEnd
from polymarket_kit.values import MICRO, MICRO_MAX
from prescient.domain.booking import OrderUpdate
from prescient.domain.errors import ConflictError, NotFoundError, StoreUnavailable, VenueUnavailable
from prescient.domain.market import Market, TradingRules
from prescient.domain.order import (
    TERMINAL_STATUSES,
    Accepted,
    ApprovedOrder,
    OrderIntent,
    OrderStatus,
    Refused,
    Trade,
    Unknown,
    Unresolved,
)
from prescient.domain.portfolio import PortfolioStatus
from prescient.domain.reasons import Reason
from prescient.domain.resting import RestingOrder
from prescient.domain.signal import BY_HAND, Signal
from prescient.domain.venue_answers import NotCanceled
from prescient.ports.context import TradingContext
from prescient.ports.paper import RestingVenue
from prescient.trading.orders.approve import approve_intent
from prescient.trading.orders.book import book_answer
from prescient.trading.orders.portfolio_lock import placing_by_hand
from prescient.trading.orders.submit import answer_of, submit_order
from prescient.trading.orders.updates import book_update, open_booked
from prescient.trading.positions.settling import settle_fills

PORTFOLIO_NOT_ACTIVE = "the portfolio trades no more"


class NothingRests(ConflictError):
    """Raised where orders cannot rest: this source of markets has no stream, or another process owns them."""

    code = "no_stream"

    def __init__(self) -> None:
        super().__init__(
            "Orders cannot rest here, because this source of markets is not told as it happens. Trade with FAK or FOK."
        )


class OrderNotOpen(NotFoundError):
    code = "order_not_open"

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} does not rest (any more). List what does: GET /paper-trading/orders.")


class CancelUnanswered(VenueUnavailable):
    code = "cancel_unanswered"

    def __init__(self, order_id: str) -> None:
        super().__init__(f"The venue did not say whether order {order_id} is off its book. Cancel it again.")


@dataclass(frozen=True, slots=True)
class LimitForm:
    """A limit order as a person asks for it. ``market`` is an id, condition id or slug, ``outcome`` a name or token id.

    ``expiration_s`` is the venue's second of a GTD order's end; it leaves the book 60 s before.
    """

    portfolio_id: int
    market: str
    outcome: str
    side: Side
    price_micro: int
    size_micro: int
    order_type: OrderType = OrderType.GTC
    post_only: bool = False
    expiration_s: int = 0


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """What became of a limit order at once: what matched, and what rests."""

    order_id: str
    status: OrderStatus
    trade: Trade | None
    resting: RestingOrder | None


async def place_limit(context: TradingContext, form: LimitForm) -> PlacedOrder | Refused | Unresolved:
    """Approve, reserve, send and book a limit order; what does not match at once rests.

    Raises PortfolioNotFound, NotFoundError for an unknown market, InvalidRequest, VenueUnavailable, NothingRests, and
    ExecutionRunning when other orders are placed by hand for too long.
    """
    _resting_of(context)
    market = await context.store.find_market(form.market)
    if market is None:
        raise NotFoundError(f"Market {form.market} is not in the catalogue. List markets: GET /markets.")
    _check(form)
    await context.store.portfolio(form.portfolio_id)
    await settle_fills(context, form.portfolio_id)
    signal = _signal(context, form, market)
    rules = (await context.market_data.rules([market.condition_id])).get(market.condition_id)
    if rules is None:
        return Refused(Reason.MARKET_NOT_FOUND, "the venue does not know this market any more")
    intent = OrderIntent(
        order_id=f"order:{signal.signal_id}",
        portfolio_id=form.portfolio_id,
        signal_id=signal.signal_id,
        condition_id=market.condition_id,
        token_id=signal.token_id,
        side=form.side,
        order_type=form.order_type,
        limit_price_micro=form.price_micro,
        size_micro=form.size_micro,
        post_only=form.post_only,
        expiration_s=form.expiration_s,
    )
    async with placing_by_hand(context.store, form.portfolio_id):
        await context.store.save_signals([signal])
        approved = await approve_intent(context, intent, rules)
        if isinstance(approved, Refused):
            return approved
        return await send(context, approved, signal)


async def send(context: TradingContext, order: ApprovedOrder, signal: Signal) -> PlacedOrder | Refused | Unresolved:
    """Send an approved order that may rest and book the answer; from then on it may fill.

    To be called while ``placing_by_hand``, unless nothing resolves orders meanwhile.
    """
    resting, order_id = _resting_of(context), order.intent.order_id
    venue = context.venue_of(await context.store.portfolio(order.intent.portfolio_id))
    answer = await submit_order(context, venue, order)
    try:
        outcome = await book_answer(context, order, answer, signal)
    except BaseException:
        # Nothing is booked, so nothing rests; recovery gives the reservation back.
        resting.forget(order_id)
        raise
    if isinstance(outcome, Unresolved):
        return outcome
    if not isinstance(answer, Accepted) or (isinstance(outcome, Refused) and answer.status in TERMINAL_STATUSES):
        assert isinstance(outcome, Refused)
        return outcome
    await open_booked(context, order)
    trade = outcome if isinstance(outcome, Trade) else None
    return PlacedOrder(order_id, answer.status, trade, answer.resting)


async def sweep(context: TradingContext) -> list[OrderUpdate]:
    """Book what ended by itself, and keep the places in the queues. To be called every few seconds.

    A market whose booking fails keeps no other from it; the first error is raised at the end: then restore.
    """
    resting = _resting_of(context)
    ended: list[OrderUpdate] = []
    errors: list[Exception] = []
    for condition_id in sorted({state.condition_id for state in resting.states().values()} | resting.waiting()):
        async with resting.turn(condition_id):
            updates = resting.sweep(condition_id)
            ended += updates
            errors += [error for update in updates if (error := await _booked(context, update)) is not None]
    await context.store.save_resting(list(resting.states().values()), context.clock.now())
    if errors:
        raise errors[0]
    return ended


async def _booked(context: TradingContext, update: OrderUpdate) -> Exception | None:
    """Book one update; returns what kept it from being booked. Raises StoreUnavailable."""
    try:
        await book_update(context, update)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # raised by the caller, after the others
        return error
    return None


async def cancel_order(context: TradingContext, order_id: str) -> OrderUpdate:
    """Have the venue take one resting order off, and give back what is reserved for it.

    Raises OrderNotOpen, and CancelUnanswered when it may be off or not: it stays reserved, and may be asked for again.
    """
    resting = _resting_of(context)
    order = next((kept for kept, _ in await context.store.resting_orders() if kept.intent.order_id == order_id), None)
    if order is None or order_id not in resting.states():
        raise OrderNotOpen(order_id)
    venue = context.venue_of(await context.store.portfolio(order.intent.portfolio_id))
    async with resting.turn(order.intent.condition_id):
        answer = await answer_of(venue.cancel(order), order_id)
        if isinstance(answer, Unknown):
            raise CancelUnanswered(order_id)
        if isinstance(answer, NotCanceled):
            raise OrderNotOpen(order_id)
        return await _book_end(context, order.intent.condition_id, order_id)


async def _end_order(context: TradingContext, state: RestingOrder, reason: str) -> OrderUpdate:
    """End an order as the venue would have, which tells nobody so. Raises OrderNotOpen."""
    resting = _resting_of(context)
    async with resting.turn(state.condition_id):
        if not resting.cancel(state.order_id, reason):
            raise OrderNotOpen(state.order_id)
        return await _book_end(context, state.condition_id, state.order_id)


async def _book_end(context: TradingContext, condition_id: str, order_id: str) -> OrderUpdate:
    """Book all that has ended in a market, and return what became of one order."""
    updates = _resting_of(context).sweep(condition_id)
    for update in updates:
        await book_update(context, update)
    return next(update for update in updates if update.order.intent.order_id == order_id)


async def cancel_stranded(context: TradingContext) -> list[OrderUpdate]:
    """Cancel what rests in markets that take no orders any more, and of portfolios that trade no more.

    The venue clears a closed market's book, and any at the start of its game, and may not tell so; a portfolio that is
    paused or archived must not go on trading by what it left behind. An order that cannot be cancelled keeps no other
    from it; the first error is raised at the end: then restore.
    """
    states = list(_resting_of(context).states().values())
    if not states:
        return []
    rules = await context.market_data.rules(sorted({state.condition_id for state in states}))
    active = {portfolio.portfolio_id for portfolio in await context.store.portfolios(PortfolioStatus.ACTIVE)}
    ended, now_ms = [], round(context.clock.now().timestamp() * 1000)
    errors: list[Exception] = []
    for state in states:
        end = _silent_end(state, rules.get(state.condition_id), now_ms)
        if end is None and state.portfolio_id in active:
            continue
        try:
            ended.append(await _end_order(context, state, end.text if end else PORTFOLIO_NOT_ACTIVE))
        except OrderNotOpen:
            # Filled, or cancelled by hand, since we looked.
            continue
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # raised below
            errors.append(error)
    if errors:
        raise errors[0]
    return ended


def _silent_end(state: RestingOrder, rules: TradingRules | None, now_ms: int) -> OrderEnd | None:
    """What has ended an order at the venue by now, as far as its market's rules tell it."""
    if rules is None or not rules.accepting_orders:
        return OrderEnd.MARKET_CLOSED
    return OrderEnd.GAME_START if state.joined_ms < rules.game_start_ms <= now_ms else None


async def mend(context: TradingContext) -> bool:
    """Restore when the store knows of an order that is not here: its booking was taken for failed, and was not."""
    here = _resting_of(context).states()
    lost = any(state.order_id not in here for _, state in await context.store.resting_orders())
    if lost:
        await restore(context)
    return lost


async def restore(context: TradingContext) -> int:
    """Take over what rests from the store, with a gap before now; returns how many orders. Raises VenueUnavailable."""
    kept = await context.store.resting_orders()
    await _resting_of(context).restore(kept)
    return len(kept)


def _resting_of(context: TradingContext) -> RestingVenue:
    if context.resting is None:
        raise NothingRests
    return context.resting


def _check(form: LimitForm) -> None:
    if form.order_type not in (OrderType.GTC, OrderType.GTD):
        raise InvalidRequest("order_type", "must be GTC or GTD: only these rest")
    if not 0 < form.price_micro < MICRO:
        raise InvalidRequest("price", "must lie between 0 and 1")
    if not 0 < form.size_micro <= MICRO_MAX:
        raise InvalidRequest("size", "must be above zero")


def _signal(context: TradingContext, form: LimitForm, market: Market) -> Signal:
    outcome = next((one for one in market.outcomes if form.outcome in (one.token_id, one.name)), None)
    if outcome is None:
        names = ", ".join(one.name for one in market.outcomes)
        raise InvalidRequest("outcome", f"must be one of {names}, or a token id of this market")
    return Signal(
        signal_id=context.ids.new("signal"),
        cycle_id=BY_HAND,
        portfolio_id=form.portfolio_id,
        strategy=BY_HAND,
        market_id=market.market_id,
        condition_id=market.condition_id,
        token_id=outcome.token_id,
        market_question=market.question,
        outcome=outcome.name,
        side=form.side,
        score_micro=MICRO,
        catalogue_price_micro=outcome.price_micro,
        price_micro=form.price_micro,
        size_micro=form.size_micro,
        group_id="",
        reason="a limit order placed by hand",
        time=context.clock.now(),
    )
