"""Orders by hand (port 8003): place and cancel limit orders, merge and convert sets of shares."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from polymarket_kit.model import OrderType, Side
from polymarket_kit.values import micro_to_number
from prescient.api.dependencies import TheContext
from prescient.api.errors import documented
from prescient.api.inputs import DollarsMicro, Form, Id, PortfolioId, PortfolioIdText, RatioMicro, Word
from prescient.api.portfolio_responses import TradeAnswer
from prescient.api.responses import Answer, dollars
from prescient.api.strict_routes import StrictRoute, changes, reads
from prescient.domain.order import ApprovedOrder, Refused, Unresolved
from prescient.domain.resting import RestingOrder
from prescient.trading.positions.merge import Swapped, convert_no_shares, merge_sets
from prescient.trading.resting import LimitForm, cancel_order, place_limit

router = APIRouter(route_class=StrictRoute, tags=["orders"])

OrderId = Annotated[Id, Path(description="As `POST /paper-trading/orders` answered it")]


class OrderForm(Form):
    portfolio_id: PortfolioId
    market: Id = Field(description="Market id, condition id or slug")
    outcome: Word = Field(description="The outcome's name, such as Yes, or its token id")
    side: Literal["BUY", "SELL"] = "BUY"
    price: RatioMicro = Field(description="The limit, on the market's grid")
    size: DollarsMicro = Field(description="Shares, with at most two decimals")
    order_type: Literal["GTC", "GTD"] = "GTC"
    post_only: bool = Field(False, description="Refused rather than matched at once")
    expiration: datetime | None = Field(
        None, description="GTD only: it leaves the book 60 s before, and must lie at least 3 minutes ahead"
    )


class RestingAnswer(Answer):
    order_id: str
    portfolio_id: int
    condition_id: str
    token_id: str
    side: str
    order_type: str
    post_only: bool
    price: float
    size: float = Field(description="Shares")
    filled: float = Field(description="Shares filled so far")
    queue_ahead: float = Field(description="Shares that stand before it at most, when it was last kept")
    reserved: float = Field(description="Dollars set aside for it; a SELL sets its shares aside")
    in_gap: bool = Field(description="Nothing fills until the whole book was seen again")
    expires: datetime | None

    @classmethod
    def of(cls, order: ApprovedOrder, state: RestingOrder) -> RestingAnswer:
        expires = datetime.fromtimestamp(state.expires_ms / 1000, UTC) if state.expires_ms else None
        return cls(
            order_id=state.order_id,
            portfolio_id=state.portfolio_id,
            condition_id=state.condition_id,
            token_id=state.token_id,
            side=state.side.value,
            order_type=order.intent.order_type.value,
            post_only=order.intent.post_only,
            price=micro_to_number(state.price_micro),
            size=micro_to_number(state.size_micro),
            filled=micro_to_number(state.filled_micro),
            queue_ahead=micro_to_number(state.ahead_micro),
            reserved=dollars(state.held_cash_micro),
            in_gap=state.in_gap,
            expires=expires,
        )


class PlacedAnswer(Answer):
    accepted: bool
    order_id: str = Field(description="Empty if it was refused")
    status: str = Field(description="OPEN, PARTIALLY_FILLED, FILLED, REFUSED, or UNKNOWN: it may be placed")
    code: str = Field(description="Why it was refused or is not known; empty if it was accepted")
    reason: str
    trade: TradeAnswer | None = Field(description="What matched at once, as a taker")
    resting: float = Field(description="Shares that rest")


class OrdersQuery(Form):
    portfolio_id: PortfolioIdText | None = Field(None, description="Without it: all portfolios")


class OrdersAnswer(Answer):
    orders: list[RestingAnswer] = Field(description="Oldest first")
    count: int


class CanceledAnswer(Answer):
    order_id: str
    status: str
    filled: float = Field(description="Shares that were filled before")


class MergeForm(Form):
    portfolio_id: PortfolioId
    condition_id: Id
    size: DollarsMicro | None = Field(None, description="Sets to merge; all that are free without it")


class ConvertForm(Form):
    portfolio_id: PortfolioId
    condition_ids: list[Id] = Field(description="Markets of one negative-risk event", min_length=1, max_length=200)
    size: DollarsMicro | None = Field(None, description="NO shares of each; all that are free of every one without it")


class SwappedAnswer(Answer):
    portfolio_id: int
    size: float = Field(description="Shares of each that were given up")
    paid: float = Field(description="Dollars that came for them")
    given: list[str] = Field(description="Token ids")
    gained: list[str] = Field(description="Token ids of which as many shares came")

    @classmethod
    def of(cls, swapped: Swapped) -> SwappedAnswer:
        return cls(
            portfolio_id=swapped.portfolio_id,
            size=micro_to_number(swapped.size_micro),
            paid=dollars(swapped.paid_micro),
            given=list(swapped.given),
            gained=list(swapped.gained),
        )


@router.post("/paper-trading/orders", responses=documented(404, 409, 502))
@changes
async def place(context: TheContext, form: OrderForm) -> PlacedAnswer:
    """Place a limit order. What crosses the book matches at once, as a taker; the remainder rests in the market's queue."""
    placed = await place_limit(
        context,
        LimitForm(
            form.portfolio_id,
            form.market,
            form.outcome,
            Side(form.side),
            form.price,
            form.size,
            OrderType(form.order_type),
            form.post_only,
            round(form.expiration.timestamp()) if form.expiration else 0,
        ),
    )
    if isinstance(placed, Unresolved):
        # Neither accepted nor refused: what is reserved stays so until the venue has said what became of it.
        return PlacedAnswer(
            accepted=False,
            order_id=placed.order_id,
            status="UNKNOWN",
            code=placed.code,
            reason=placed.reason,
            trade=None,
            resting=0,
        )
    if isinstance(placed, Refused):
        return PlacedAnswer(
            accepted=False, order_id="", status="REFUSED", code=placed.code, reason=placed.reason, trade=None, resting=0
        )
    return PlacedAnswer(
        accepted=True,
        order_id=placed.order_id,
        status=placed.status.value,
        code="",
        reason="",
        trade=TradeAnswer.of(placed.trade) if placed.trade else None,
        resting=micro_to_number(placed.resting.left_micro) if placed.resting else 0,
    )


@router.get("/paper-trading/orders", responses=documented(404))
@reads
async def orders(context: TheContext, query: Annotated[OrdersQuery, Query()]) -> OrdersAnswer:
    """Resting orders, with their position in the queue."""
    if query.portfolio_id is not None:
        await context.store.portfolio(query.portfolio_id)
    kept = await context.store.resting_orders()
    wanted = [pair for pair in kept if query.portfolio_id in (None, pair[1].portfolio_id)]
    return OrdersAnswer(orders=[RestingAnswer.of(*pair) for pair in wanted], count=len(wanted))


@router.delete("/paper-trading/orders/{order_id}", responses=documented(404, 409, 502))
@changes
async def cancel(context: TheContext, order_id: OrderId) -> CanceledAnswer:
    """Cancel a resting order; what is reserved for it is released."""
    update = await cancel_order(context, order_id)
    filled = micro_to_number(update.resting.filled_micro)
    return CanceledAnswer(order_id=order_id, status=update.status.value, filled=filled)


@router.post("/paper-trading/merge", responses=documented(404, 409))
@changes
async def merge(context: TheContext, form: MergeForm) -> SwappedAnswer:
    """Merge complete sets of a market into a dollar each. The price updater does this automatically too."""
    return SwappedAnswer.of(await merge_sets(context, form.portfolio_id, form.condition_id, form.size))


@router.post("/paper-trading/convert", responses=documented(404, 409, 502))
@changes
async def convert(context: TheContext, form: ConvertForm) -> SwappedAnswer:
    """Convert NO shares of some markets of a negative-risk event into YES of its others, and a dollar for all but one."""
    return SwappedAnswer.of(await convert_no_shares(context, form.portfolio_id, form.condition_ids, form.size))
