"""Converts the engine's orders and trades to the venue's messages: decimals as text, whole seconds, outcome names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from uuid import UUID

from polymarket_kit.messages.order_messages import MakerOrderMessage, OpenOrderMessage, SendOrderAnswer, TradeMessage
from polymarket_kit.rejections import Rejection
from polymarket_kit.values import MICRO, micro_to_text
from practice_exchange.engine.orders import Order, Placed
from practice_exchange.engine.settlement import MakerFill, Trade
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import SECOND_MS


class Renderer:
    """Writes messages; ``market_of`` finds the world's market of a condition. Ids are the same for the same seed."""

    def __init__(self, seed: int, market_of: Callable[[str], MarketState]) -> None:
        self._seed = seed
        self._market_of = market_of

    def trade_id(self, number: int) -> str:
        """The venue's form of a trade's id: a UUID."""
        return str(UUID(bytes=hashlib.sha256(f"{self._seed}/trade/{number}".encode()).digest()[:16], version=4))

    def transaction_hash(self, number: int) -> str:
        return "0x" + hashlib.sha256(f"{self._seed}/transaction/{number}".encode()).hexdigest()

    def placed(self, placed: Placed) -> SendOrderAnswer:
        """What a posted order became. Amounts are what matched at once, empty when nothing did."""
        return SendOrderAnswer(
            order_id=placed.order_id,
            status=placed.status.value.lower(),
            making_amount=micro_to_text(placed.making_micro) if placed.trade_ids else "",
            taking_amount=micro_to_text(placed.taking_micro) if placed.trade_ids else "",
            trade_ids=[self.trade_id(number) for number in placed.trade_ids],
            success=True,
        )

    def order(self, order: Order) -> OpenOrderMessage:
        return OpenOrderMessage(
            id=order.order_id,
            status=order.status.value,
            owner=order.owner,
            maker_address=order.account_id,
            market=order.condition_id,
            asset_id=order.token_id,
            side=order.side,
            original_size=micro_to_text(order.size_micro),
            size_matched=micro_to_text(order.matched_micro),
            price=micro_to_text(order.price_micro),
            outcome=self._outcome(order.condition_id, order.token_id),
            expiration=str(order.expiration_s),
            order_type=order.order_type.value,
            associate_trades=[self.trade_id(number) for number in order.trade_ids or ()],
            created_at=order.created_ms // SECOND_MS,
        )

    def trade(self, trade: Trade, accounts: tuple[str, ...]) -> TradeMessage:
        """A trade as one of these accounts sees it. Its transaction's hash is there from the match on (assumed)."""
        fees = "1000" if self._market_of(trade.condition_id).fees.kind else "0"
        return TradeMessage(
            id=self.trade_id(trade.trade_id),
            taker_order_id=trade.taker_order_id,
            market=trade.condition_id,
            asset_id=trade.token_id,
            side=trade.side,
            size=micro_to_text(trade.size_micro),
            fee_rate_bps=fees,
            price=micro_to_text(trade.price_micro),
            status=f"TRADE_STATUS_{trade.status.value}",
            match_time=str(trade.matched_ms // SECOND_MS),
            last_update=str(trade.updated_ms // SECOND_MS),
            outcome=self._outcome(trade.condition_id, trade.token_id),
            owner=trade.owner,
            maker_address=trade.account_id,
            transaction_hash=self.transaction_hash(trade.trade_id),
            maker_orders=[self._maker(trade.condition_id, maker) for maker in trade.makers],
            trader_side="TAKER" if trade.account_id in accounts else "MAKER",
        )

    def _maker(self, condition_id: str, maker: MakerFill) -> MakerOrderMessage:
        market = self._market_of(condition_id)
        return MakerOrderMessage(
            order_id=maker.order_id,
            owner=maker.owner,
            maker_address=maker.account_id,
            matched_amount=micro_to_text(maker.size_micro),
            price=micro_to_text(maker.price_micro),
            asset_id=maker.token_id,
            outcome=self._outcome(condition_id, maker.token_id),
            outcome_index=market.token_ids.index(maker.token_id),
            side=maker.side,
        )

    def _outcome(self, condition_id: str, token_id: str) -> str:
        market = self._market_of(condition_id)
        return market.outcomes[market.token_ids.index(token_id)]


def refused(rejection: Rejection) -> Answer:
    """A refusal in the venue's words; after a restart with the time until all orders are taken again."""
    if not rejection.retry_after_s:
        return json_answer({"error": rejection.text}, rejection.status)
    content = {"error": rejection.text, "code": rejection.code, "retry_after_seconds": rejection.retry_after_s}
    answer = json_answer(content, rejection.status)
    answer.headers["Retry-After"] = str(rejection.retry_after_s)
    return answer


def scores(order: Order, market: MarketState) -> bool:
    """Whether a resting order earns liquidity rewards now: large enough and close enough to the midpoint."""
    middle = market.book.midpoint_micro
    price = order.price_micro if order.token_id == market.token_ids[0] else MICRO - order.price_micro
    rewards = market.rewards
    near = abs(price - middle) <= rewards.maximum_spread * MICRO / 100
    return bool(rewards.daily_rate) and near and order.remaining_micro >= rewards.minimum_size * MICRO
