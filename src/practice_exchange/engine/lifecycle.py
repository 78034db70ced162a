"""The lifecycle of markets and of the exchange: listing, opening, tick changes, game start, close, resolution, modes."""

from __future__ import annotations

from polymarket_kit.model import FeeSchedule, Payout
from polymarket_kit.order_ends import OrderEnd
from polymarket_kit.rejections import CANCEL_ONLY, DISABLED, RESTARTING, Rejection, post_only_mode
from polymarket_kit.rules import TICKS_MICRO
from polymarket_kit.values import MICRO
from practice_exchange.engine.core import Core, Due, end_delayed, take_off
from practice_exchange.engine.events import MarketChanged, MarketStage, TickChanged
from practice_exchange.engine.markets import Market, MarketSpec, MarketState, state_of
from practice_exchange.engine.orders import POINT_MICRO, Mode, OrderState
from practice_exchange.engine.positions import redeem_vault

GAME_START, MARKET_CLOSED = OrderState(OrderEnd.GAME_START.status), OrderState(OrderEnd.MARKET_CLOSED.status)
RESOLUTION, NEW_TICK = OrderState(OrderEnd.RESOLUTION.status), OrderState(OrderEnd.NEW_TICK.status)


def list_market(core: Core, spec: MarketSpec) -> Market:
    """Add a market. Raises ValueError when its condition or one of its tokens is already listed."""
    if spec.condition_id in core.markets or any(token_id in core.tokens for token_id in spec.token_ids):
        raise ValueError(f"market {spec.condition_id} or one of its tokens is already listed; give it ids of its own")
    market = put_market(core, state_of(spec))
    if spec.game_start_ms > 0:
        core.schedule(spec.game_start_ms, Due.GAME_START, spec.condition_id)
    return market


def put_market(core: Core, state: MarketState) -> Market:
    """Make a market's live form, with an empty book."""
    market = Market(state, core.rules.taker_delay_ms)
    core.markets[market.condition_id] = market
    for index, token_id in enumerate(market.token_ids):
        core.tokens[token_id] = (market, index)
    return market


def _clear(core: Core, market: Market, status: OrderState, now_ms: int, reason: str = "") -> None:
    """Remove every resting order from a book."""
    for ladder in market.ladders:
        for order in list(ladder.orders()):
            take_off(core, order, status, now_ms, reason)


def _end_waiting(core: Core, market: Market, status: OrderState, now_ms: int) -> None:
    """End the orders that wait out a delay in a market that takes no more."""
    for account in core.accounts.values():
        for order in account.all_open():
            if order.condition_id == market.condition_id and order.status is OrderState.DELAYED:
                end_delayed(core, order, status, now_ms)


def _to_stage(core: Core, market: Market, stage: MarketStage, now_ms: int) -> None:
    market.state.stage = stage
    market.refresh()
    core.events.append(MarketChanged(market.condition_id, stage, now_ms, payouts_micro=market.state.payouts_micro))


def open_market(core: Core, condition_id: str, now_ms: int) -> None:
    """Open a waiting market for orders."""
    market = core.markets[condition_id]
    if market.state.stage is not MarketStage.WAITING:
        raise ValueError(f"market {condition_id} is {market.state.stage.value}; only a waiting one can be opened")
    _to_stage(core, market, MarketStage.OPEN, now_ms)


def suspend_market(core: Core, condition_id: str, now_ms: int) -> None:
    """Take no new orders for now; what rests stays and can be cancelled."""
    market = core.markets[condition_id]
    if market.state.stage is not MarketStage.OPEN:
        raise ValueError(f"market {condition_id} is {market.state.stage.value}; only an open one can be suspended")
    _to_stage(core, market, MarketStage.WAITING, now_ms)


def close_market(core: Core, condition_id: str, now_ms: int, status: OrderState = MARKET_CLOSED) -> None:
    """End trading: the book is cleared and gone, shares stay until resolution. Closing twice changes nothing."""
    market = core.markets[condition_id]
    if market.state.stage in (MarketStage.CLOSED, MarketStage.RESOLVED):
        return
    _clear(core, market, status, now_ms)
    _end_waiting(core, market, status, now_ms)
    _to_stage(core, market, MarketStage.CLOSED, now_ms)


def resolve_market(core: Core, payout: Payout, now_ms: int) -> None:
    """Make a resolution final: 1/0 or 0.5/0.5. Raises ValueError for other tokens, other payouts, or a second result.

    A negative-risk market pays 1/0, and only one market of its event pays its first outcome.
    """
    market = core.markets[payout.condition_id]
    state = market.state
    if payout.token_ids != market.token_ids:
        raise ValueError(f"payout names other tokens than market {payout.condition_id} has, or in another order")
    payouts = payout.payouts_micro
    if state.stage is MarketStage.RESOLVED:
        if payouts != state.payouts_micro:
            raise ValueError(f"market {payout.condition_id} is already resolved otherwise; a resolution is final")
        return
    if payouts not in ((MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2)):
        raise ValueError(f"market {payout.condition_id} can pay 1/0, 0/1 or 0.5/0.5")
    event_id = state.spec.event_id
    if event_id and payouts[0]:
        others = (other.state for other in core.markets.values() if other.state.spec.event_id == event_id)
        if payouts[1] or any(other.payouts_micro and other.payouts_micro[0] for other in others):
            raise ValueError(f"negative-risk event {event_id} has exactly one winner, which pays one dollar")
    close_market(core, payout.condition_id, now_ms, RESOLUTION)
    state.payouts_micro = payouts
    _to_stage(core, market, MarketStage.RESOLVED, now_ms)
    redeem_vault(core, payout.condition_id)


def start_game(core: Core, condition_id: str, now_ms: int) -> None:
    """Clear the book at the start of a game; the market goes on."""
    market = core.markets[condition_id]
    if market.state.stage in (MarketStage.CLOSED, MarketStage.RESOLVED):
        return
    _clear(core, market, GAME_START, now_ms)
    core.events.append(MarketChanged(condition_id, market.state.stage, now_ms, cleared=True))


def change_tick(core: Core, condition_id: str, tick_micro: int, now_ms: int) -> None:
    """Change a market's grid; resting orders that are off the new one are cancelled (assumed)."""
    if tick_micro not in TICKS_MICRO:
        raise ValueError(f"tick_micro: {tick_micro} is none of the venue's ticks {TICKS_MICRO}")
    market = core.markets[condition_id]
    old_micro = market.state.tick_micro
    if old_micro == tick_micro:
        return
    market.state.tick_micro = tick_micro
    market.refresh()
    core.events.append(TickChanged(condition_id, old_micro, tick_micro, now_ms))
    for ladder in market.ladders:
        for order in [order for order in ladder.orders() if order.price_micro // POINT_MICRO not in market.grid]:
            take_off(core, order, NEW_TICK, now_ms, OrderEnd.NEW_TICK.text)


def change_terms(
    core: Core,
    condition_id: str,
    now_ms: int,
    *,
    fees: FeeSchedule | None = None,
    minimum_size_micro: int | None = None,
) -> None:
    """Change a market's fees or minimum size; they hold from the next order on, resting orders stay."""
    market = core.markets[condition_id]
    if fees is not None:
        market.state.fees = fees
    if minimum_size_micro is not None:
        market.state.minimum_size_micro = minimum_size_micro
    market.refresh()
    core.events.append(MarketChanged(condition_id, market.state.stage, now_ms))


def set_mode(core: Core, mode: Mode, now_ms: int, until_ms: int = 0) -> None:
    """Set what the exchange takes. A restart ends at ``until_ms``, then comes the post-only window; others stay."""
    core.mode = mode
    core.mode_until_ms = until_ms
    if mode is Mode.POST_ONLY and until_ms == 0:
        core.mode_until_ms = now_ms + core.rules.post_only_window_ms
    if core.mode_until_ms:
        core.schedule(core.mode_until_ms, Due.MODE, mode.value)


def mode_over(core: Core, mode: str, now_ms: int) -> None:
    """Go on to what follows a mode, unless another was set since."""
    if core.mode.value != mode or core.mode_until_ms > now_ms:
        return
    if core.mode is Mode.RESTARTING:
        set_mode(core, Mode.POST_ONLY, now_ms)
        return
    core.mode = Mode.NORMAL
    core.mode_until_ms = 0


def refuse_order(core: Core, post_only: bool, now_ms: int) -> Rejection | None:
    """What the present mode says to a new order."""
    if core.mode is Mode.NORMAL or (core.mode is Mode.POST_ONLY and post_only):
        return None
    if core.mode is Mode.RESTARTING:
        return RESTARTING
    if core.mode is Mode.POST_ONLY:
        return post_only_mode(-(-(core.mode_until_ms - now_ms) // 1000))
    return CANCEL_ONLY if core.mode is Mode.CANCEL_ONLY else DISABLED


def refuse_cancel(core: Core) -> Rejection | None:
    """What the present mode says to a cancel."""
    if core.mode is Mode.RESTARTING:
        return RESTARTING
    return DISABLED if core.mode is Mode.DISABLED else None
