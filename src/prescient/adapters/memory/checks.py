"""The bounds that PostgreSQL's tables have, so that a simulation finds a wrong figure where a running system would."""

from __future__ import annotations

from polymarket_kit.values import MICRO
from prescient.domain.errors import InvariantBroken
from prescient.domain.order import ApprovedOrder, Fill, Trade
from prescient.domain.portfolio import Mark, Position
from prescient.domain.resting import RestingOrder
from prescient.domain.signal import Signal


def check_signal(signal: Signal) -> None:
    _price("score", signal.score_micro, signal.signal_id)
    _price("price", signal.price_micro, signal.signal_id)
    _price("catalogue price", signal.catalogue_price_micro, signal.signal_id)
    _amounts(signal.signal_id, size=signal.size_micro)


def check_order(order: ApprovedOrder) -> None:
    intent = order.intent
    _price("limit price", intent.limit_price_micro, intent.order_id)
    _amounts(
        intent.order_id,
        amount=intent.amount_micro,
        size=intent.size_micro,
        reserved_cash=order.reserved_cash_micro,
        reserved_shares=order.reserved_shares_micro,
    )


def check_resting(state: RestingOrder, order_id: str) -> None:
    if state.order_id != order_id or state.filled_micro > state.size_micro:
        raise InvariantBroken(f"the place in the queue is not that of order {order_id}; nothing was booked")
    _amounts(
        order_id,
        filled=state.filled_micro,
        ahead=state.ahead_micro,
        shown=state.shown_micro,
        held_cash=state.held_cash_micro,
    )


def check_trade(trade: Trade) -> None:
    _match("price", trade.price_micro, trade.size_micro, trade.amount_micro, trade.fee_micro, trade.trade_id)
    for fill in trade.fills:
        check_fill(fill, trade.trade_id)


def check_fill(fill: Fill, name: str) -> None:
    _match("fill price", fill.price_micro, fill.size_micro, fill.cost_micro, fill.fee_micro, name)


def check_mark(mark: Mark) -> None:
    _price("mark price", mark.price_micro, mark.token_id)
    _amounts(mark.token_id, mark_value=mark.value_micro)


def check_position(position: Position, portfolio_id: int, shares_micro: int) -> None:
    """Refuse a position of another portfolio, out of bounds, or with other shares than the ledger has after booking."""
    if position.portfolio_id != portfolio_id:
        raise InvariantBroken(f"position in {position.token_id} is not of portfolio {portfolio_id}; nothing was booked")
    _price("mark price", position.mark_price_micro, position.token_id)
    _amounts(
        position.token_id, size=position.size_micro, cost=position.cost_micro, mark_value=position.mark_value_micro
    )
    if position.size_micro != shares_micro:
        raise InvariantBroken(
            f"position in {position.token_id} has {position.size_micro} micro-shares, the ledger {shares_micro}; "
            "nothing was booked"
        )


def _match(what: str, price: int, size: int, amount: int, fee: int, name: str) -> None:
    _price(what, price, name)
    _amounts(name, amount=amount, fee=fee)
    if size <= 0:
        raise InvariantBroken(f"{name}: size must be above zero; nothing was booked")


def _price(what: str, price_micro: int | None, name: str) -> None:
    if price_micro is not None and not 0 <= price_micro <= MICRO:
        raise InvariantBroken(f"{name}: {what} must lie from 0 to 1; nothing was written")


def _amounts(name: str, **amounts: int) -> None:
    for what, amount in amounts.items():
        if amount < 0:
            raise InvariantBroken(f"{name}: {what} must not be below zero; nothing was written")
