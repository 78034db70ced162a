"""The bridge: drives the practice exchange's engine with a flow, and says where it and the reference differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

from polymarket_kit.model import FeeSchedule, Level, OrderType
from polymarket_kit.model import Side as EngineSide
from polymarket_kit.rejections import ALREADY_MATCHED, FOK_KILLED, Rejection
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.engine.events import OrderChange, OrderEvent, TradeEvent
from practice_exchange.engine.markets import MarketSpec
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import CancelReport, OrderRequest, Placed
from practice_exchange.engine.settlement import SettlementPlan, Trade, TradeStatus
from tests.exchange.second_opinion import reasons
from tests.exchange.second_opinion.flow import (
    MICRO,
    NO,
    USD,
    YES,
    Advance,
    Cancel,
    ChangeTick,
    Close,
    Deposit,
    Fill,
    Flow,
    Leg,
    Market,
    Merge,
    Operation,
    Outcome,
    PlaceOrder,
    Side,
    Split,
    Wallet,
    Withdraw,
)
from tests.exchange.second_opinion.venue import Venue

CONDITION = "condition"
# Makes the shares that are deposited and takes those that are withdrawn: the engine knows no shares without dollars.
BANK = "bank"
ASSETS = {USD: COLLATERAL, YES: YES, NO: NO}
CODES = {
    "market_closed": reasons.CLOSED,
    "duplicated": reasons.DUPLICATE,
    "invalid_order": reasons.PAYLOAD,
    "invalid_expiration": reasons.EXPIRATION,
    "price_off_grid": reasons.TICK,
    "size_too_small": reasons.SIZE,
    "below_minimum": reasons.NOTIONAL,
    "post_only_crosses": reasons.CROSSES,
    "not_enough_balance": reasons.BALANCE,
    "balance_exceeded": reasons.BALANCE,
}


def at_once(_: Trade) -> SettlementPlan:
    """Settlement without waiting, as the reference has it."""
    return SettlementPlan(mined_after_ms=0, confirmed_after_ms=0)


class Engine:
    """The practice exchange with one market, spoken to in the neutral words."""

    def __init__(self, market: Market) -> None:
        self.now_ms = market.start_ms
        self.exchange = Exchange(settlement_policy=at_once)
        fees = FeeSchedule(rate_micro=int(market.fee_rate * MICRO), exponent=market.fee_exponent)
        tick_micro = int(market.tick * MICRO)
        self.exchange.list_market(MarketSpec(CONDITION, (YES, NO), tick_micro=tick_micro, fees=fees))
        self.accounts: set[str] = set()

    def apply(self, operation: Operation) -> Outcome:
        """Do one operation, let it settle, and tell what came of it."""
        account = getattr(operation, "account", None)
        if account is not None and not isinstance(operation, Cancel):
            self.accounts.add(account)
        refused = self.do(operation)
        self.exchange.advance(self.now_ms)
        fills, removed = self.happened(bool(refused))
        resting = [order for account in self.accounts for order in self.exchange.open_orders(account)]
        return Outcome(
            reasons=refused,
            fills=fills,
            removed=removed,
            wallets={account: self.wallet(account) for account in self.accounts},
            resting={order.order_id: order.remaining_micro for order in resting},
            books={token: self.book(token) for token in (YES, NO)},
        )

    def do(self, operation: Operation) -> frozenset[str]:
        """Pass an operation on; the ground of a refusal, if any."""
        match operation:
            case PlaceOrder():
                answer = self.exchange.place(request_of(operation), self.now_ms)
                return frozenset() if isinstance(answer, Placed) else refusal_of(answer)
            case Cancel(account, order_id):
                return cancel_refusal(self.exchange.cancel(account, order_id, self.now_ms))
            case Advance(milliseconds):
                self.now_ms += milliseconds
            case ChangeTick(tick):
                self.exchange.change_tick(CONDITION, int(tick * MICRO), self.now_ms)
            case Close():
                self.exchange.close_market(CONDITION, self.now_ms)
            case Deposit(account, asset, amount):
                self.deposit(account, asset, amount)
            case Withdraw(account, asset, amount):
                return refusal_of(self.exchange.transfer(account, BANK, ASSETS[asset], amount, self.now_ms))
            case Split(account, amount):
                return refusal_of(self.exchange.split(account, CONDITION, amount, self.now_ms))
            case Merge(account, amount):
                return refusal_of(self.exchange.merge(account, CONDITION, amount, self.now_ms))
        return frozenset()

    def deposit(self, account: str, asset: str, amount: int) -> None:
        """Put dollars in, or shares by way of the bank."""
        if asset == USD:
            self.exchange.deposit(account, amount)
        elif amount:
            self.exchange.deposit(BANK, amount)
            assert self.exchange.split(BANK, CONDITION, amount, self.now_ms) is None
            assert self.exchange.transfer(BANK, account, asset, amount, self.now_ms) is None

    def happened(self, refused: bool) -> tuple[tuple[Fill, ...], frozenset[str]]:
        """The trades made, and the orders that left untraded, since the last operation."""
        fills, removed = [], set()
        for event in self.exchange.drain_events():
            if isinstance(event, TradeEvent) and event.status is TradeStatus.MATCHED:
                fills.append(fill_of(event.trade))
            elif isinstance(event, OrderEvent) and event.change is OrderChange.CANCELLATION and not refused:
                removed.add(event.order.order_id)
        return tuple(fills), frozenset(removed)

    def wallet(self, account: str) -> Wallet:
        """An account as an outcome tells it; nothing may be left waiting for settlement."""
        found = self.exchange.account(account)
        holdings = [found.holding(ASSETS[asset]) for asset in (USD, YES, NO)]
        assert not any(holding.matched_micro for holding in holdings)
        amounts = [holding.balance_micro for holding in holdings]
        return Wallet(*amounts, *(holding.active_micro for holding in holdings))

    def book(self, token: str) -> tuple[Side, Side]:
        """A token's bids and asks."""
        bids, asks = self.exchange.levels(token)
        return side_of(bids), side_of(asks)


def side_of(levels: list[Level]) -> Side:
    """One side of a book in neutral words."""
    return tuple((Fraction(level.price_micro, MICRO), level.size_micro) for level in levels)


def request_of(place: PlaceOrder) -> OrderRequest:
    """An order as the engine takes it."""
    return OrderRequest(
        place.order_id,
        place.account,
        "key",
        place.token,
        EngineSide(place.side),
        OrderType(place.order_type),
        place.maker_amount,
        place.taker_amount,
        place.expiration,
        place.post_only,
    )


def refusal_of(answer: Rejection | None) -> frozenset[str]:
    """The reference's code of a refusal."""
    if answer is None:
        return frozenset()
    if answer.code == "amount_precision":
        return frozenset({reasons.PRECISION_MARKET if "market" in answer.text else reasons.PRECISION_LIMIT})
    if answer.code == "not_filled":
        return frozenset({reasons.FOK_KILLED if answer.text == FOK_KILLED else reasons.FAK_KILLED})
    return frozenset({CODES[answer.code]})


def cancel_refusal(report: CancelReport | Rejection) -> frozenset[str]:
    """The reference's code of a cancel that did not happen."""
    if isinstance(report, Rejection):
        return refusal_of(report)
    words = [why for _, why in report.not_canceled]
    return frozenset(reasons.ALREADY_MATCHED if why == ALREADY_MATCHED else reasons.NOT_FOUND for why in words)


def fill_of(trade: Trade) -> Fill:
    """A trade in neutral words."""
    legs = tuple(Leg(maker.order_id, maker.size_micro, maker.kind.value) for maker in trade.makers)
    price = Fraction(trade.price_micro, MICRO)
    return Fill(trade.taker_order_id, price, trade.size_micro, trade.fee_micro, legs)


def differences(reference: Outcome, engine: Outcome) -> list[str]:
    """What the two sides do not agree on, one line each."""
    found = []
    if reference.accepted != engine.accepted or not engine.reasons <= reference.reasons:
        found.append(f"refusals: reference {sorted(reference.reasons)}, engine {sorted(engine.reasons)}")
    for name in ("fills", "removed", "wallets", "resting", "books"):
        ours, theirs = getattr(reference, name), getattr(engine, name)
        if ours != theirs:
            found.append(f"{name}: reference {ours}, engine {theirs}")
    return found


def tally(counts: Counter[str], operation: Operation, outcome: Outcome) -> None:
    """Count what an operation turned out to be, so that a run shows what it has tried."""
    name = type(operation).__name__
    counts["operations"] += 1
    if isinstance(operation, PlaceOrder):
        counts[f"orders {'taken' if outcome.accepted else 'refused'}"] += 1
        if outcome.fills:
            counts[f"filled {operation.order_type}"] += 1
    for fill in outcome.fills:
        counts["fills"] += 1
        counts.update(f"legs {leg.kind}" for leg in fill.legs)
    counts.update(f"refused {reason}" for reason in outcome.reasons)
    if len(outcome.fills) > 1:
        counts["several prices"] += 1
    if outcome.removed:
        counts[f"removed by {name}"] += 1


def first_difference(flow: Flow, counts: Counter[str]) -> str:
    """Run a flow on both sides; the first operation on which they differ and how, or nothing."""
    venue, engine = Venue(flow.market), Engine(flow.market)
    for number, operation in enumerate(flow.operations):
        reference, answer = venue.apply(operation), engine.apply(operation)
        if reference != answer:
            found = differences(reference, answer)
            if found:
                return "\n".join([f"operation {number}: {operation}", *found])
        tally(counts, operation, answer)
    return ""


def shortened(flow: Flow) -> Flow:
    """The flow without the operations that its difference does not need."""
    number = len(flow.operations) - 1
    while number >= 0:
        shorter = replace(flow, operations=flow.operations[:number] + flow.operations[number + 1 :])
        if first_difference(shorter, Counter()):
            flow = shorter
        number -= 1
    return flow
