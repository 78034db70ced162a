"""The practice exchange's engine: orders and cancels in, answers and events out. Pure: time is an argument.

What is verified elsewhere (signatures, keys, rate limits) is taken as done. What the venue does not document and is
assumed here is listed in docs/matching.md.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from polymarket_kit import rejections
from polymarket_kit.model import FeeSchedule, Level, OrderType, Payout, Side
from polymarket_kit.order_ends import OrderEnd
from polymarket_kit.rejections import Rejection
from practice_exchange.engine import clearing, lifecycle, positions
from practice_exchange.engine.accounts import Account
from practice_exchange.engine.core import (
    EXPIRY,
    LIVE,
    NEVER_MS,
    SETTLEMENT,
    Core,
    Due,
    forget,
    forget_trading_among,
    take_off,
)
from practice_exchange.engine.events import DelayOver, Event, MarketStage
from practice_exchange.engine.markets import Market, MarketSpec
from practice_exchange.engine.orders import (
    CancelReport,
    ExchangeRules,
    Mode,
    Order,
    OrderRequest,
    OrderState,
    Placed,
    Restriction,
)
from practice_exchange.engine.placing import place_limit, place_market, run_delayed, take
from practice_exchange.engine.settlement import SettlementPolicy, Trade
from practice_exchange.engine.unified import token_levels

CLOSED_STAGES = (MarketStage.CLOSED, MarketStage.RESOLVED)
GTC, GTD = OrderType.GTC, OrderType.GTD
CANCELED, EXPIRED = OrderState.CANCELED, OrderState(OrderEnd.EXPIRY.status)
# Named once: looking a member up in its class costs as much as the rest of a line.
NORMAL, UNRESTRICTED = Mode.NORMAL, Restriction.NONE
# Orders of one DELETE /orders.
CANCELS_MAX = 1_000


class Exchange:
    """One venue: many markets, each with one book for both tokens.

    Moments are milliseconds since 1970 and must not go back. Whatever came due before a message happens before it, at
    its own moment. ``settlement_policy`` decides for each trade how it settles; it must be deterministic for the run to be.
    """

    __slots__ = ("core",)

    def __init__(
        self,
        rules: ExchangeRules | None = None,
        settlement_policy: SettlementPolicy | None = None,
        core: Core | None = None,
    ) -> None:
        self.core = core or Core(rules or ExchangeRules(), settlement_policy)

    # Orders

    def place(self, request: OrderRequest, now_ms: int) -> Placed | Rejection:
        """Take or refuse an order. A rejection has changed nothing but time."""
        core = self.core
        if now_ms >= core.next_due_ms:
            self.advance(now_ms)
        if core.mode is not NORMAL:
            refusal = lifecycle.refuse_order(core, request.post_only, now_ms)
            if refusal is not None:
                return refusal
        listed = core.tokens.get(request.token_id)
        if listed is None:
            return rejections.MARKET_NOT_FOUND
        market, token_index = listed
        if not market.is_open:
            return rejections.MARKET_CLOSED if market.state.stage in CLOSED_STAGES else rejections.NOT_READY
        order_id = request.order_id
        if order_id in core.orders or (core.spent_ids and order_id in core.spent_ids):
            return rejections.duplicated(order_id)
        account = core.accounts.get(request.account_id)
        if account is None:
            account = core.account(request.account_id)
        if account.restriction is not UNRESTRICTED:
            refusal = _refuse_restricted(account, request)
            if refusal is not None:
                return refusal
        order_type = request.order_type
        if order_type is GTC or order_type is GTD:
            return place_limit(core, market, token_index, account, request, now_ms)
        return place_market(core, market, token_index, account, request, now_ms)

    def cancel(self, account_id: str, order_id: str, now_ms: int) -> CancelReport | Rejection:
        """Cancel one order of an account."""
        core = self.core
        if now_ms >= core.next_due_ms:
            self.advance(now_ms)
        if core.mode is not NORMAL:
            refusal = lifecycle.refuse_cancel(core)
            if refusal is not None:
                return refusal
        order = core.orders.get(order_id)
        if order is not None and order.status is LIVE and order.account_id == account_id:
            take_off(core, order, CANCELED, now_ms)
            return CancelReport((order_id,))
        return CancelReport((), ((order_id, _why_not(order, account_id)),))

    def cancel_many(self, account_id: str, order_ids: Iterable[str], now_ms: int) -> CancelReport | Rejection:
        """Cancel several orders by id; an id named twice counts once. The caller bounds the list (``CANCELS_MAX``)."""
        canceled: list[str] = []
        not_canceled: list[tuple[str, str]] = []
        for order_id in dict.fromkeys(order_ids):
            report = self.cancel(account_id, order_id, now_ms)
            if isinstance(report, Rejection):
                return report
            canceled += report.canceled
            not_canceled += report.not_canceled
        return CancelReport(tuple(canceled), tuple(not_canceled))

    def cancel_all(self, account_id: str, now_ms: int, owner: str = "") -> CancelReport | Rejection:
        """Cancel all open orders of an account, or those that one API key posted (also when its heartbeat stops)."""
        account = self.core.account(account_id)
        self.advance(now_ms)
        found = [order.order_id for order in account.all_open() if not owner or order.owner == owner]
        return self.cancel_many(account_id, found, now_ms)

    def cancel_market(
        self, account_id: str, now_ms: int, condition_id: str = "", token_id: str = ""
    ) -> CancelReport | Rejection:
        """Cancel an account's open orders of a market, of a token, or of both named together."""
        account = self.core.account(account_id)
        self.advance(now_ms)
        found = [
            order.order_id
            for order in account.all_open()
            if (not condition_id or order.condition_id == condition_id) and (not token_id or order.token_id == token_id)
        ]
        return self.cancel_many(account_id, found if condition_id or token_id else [], now_ms)

    # Time

    @property
    def next_due_ms(self) -> int | None:
        """The next moment at which something happens by itself, or None."""
        return None if self.core.next_due_ms == NEVER_MS else self.core.next_due_ms

    def advance(self, now_ms: int) -> None:
        """Process everything that is due by now, in order of time: expiries, delays, settlement, game starts, modes."""
        core = self.core
        while core.next_due_ms <= now_ms:
            due_ms, what, subject = core.pop_due()
            if what is SETTLEMENT:
                clearing.settle(core, int(subject), due_ms)
            elif what is EXPIRY:
                order = core.orders.get(str(subject))
                if order is not None and order.status is LIVE:
                    take_off(core, order, EXPIRED, due_ms)
            elif what is Due.DELAYED_ORDER:
                answer = run_delayed(core, str(subject), due_ms)
                core.events.append(DelayOver(str(subject), answer, due_ms))
            elif what is Due.GAME_START:
                lifecycle.start_game(core, str(subject), due_ms)
            else:
                lifecycle.mode_over(core, str(subject), due_ms)

    def drain_events(self) -> list[Event]:
        """Return what happened since the last call, in order."""
        events, self.core.events = self.core.events, []
        return events

    def prune(self, before_ms: int, ended_max: int) -> None:
        """Drop what ended before a moment, and the oldest orders where more than ``ended_max`` have ended."""
        core = self.core
        if len(core.closed) > ended_max:
            before_ms = max(before_ms, core.orders[core.closed[-ended_max]].closed_ms)
        self.forget(before_ms)

    def forget(self, before_ms: int) -> None:
        """Drop orders and trades that ended before a moment; their ids stay taken, so that no order comes twice."""
        forget(self.core, before_ms)

    def forget_trading_among(self, account_ids: tuple[str, ...]) -> None:
        """Drop the ended orders of these accounts and the trades that they settled among themselves."""
        forget_trading_among(self.core, account_ids)

    # The world's own orders

    def insert(self, order: Order, now_ms: int) -> None:
        """Match an order that skips the checks users face; what is left of it rests if it may."""
        core = self.core
        assert order.order_id not in core.orders
        assert order.remaining_micro > 0
        core.orders[order.order_id] = order
        account = core.accounts[order.account_id]
        take(core, core.markets[order.condition_id], account, order, account.collateral, now_ms)

    def withdraw_order(self, order: Order, now_ms: int) -> None:
        """Remove a resting order and forget it at once; nobody can ask for it again."""
        core = self.core
        take_off(core, order, CANCELED, now_ms)
        ended_id = core.closed.pop()
        assert ended_id == order.order_id
        del core.orders[ended_id]

    def end_uncovered(self, order: Order, now_ms: int) -> None:
        """Cancel a resting order because its account can no longer settle it."""
        take_off(self.core, order, OrderState.CANCELED_NOT_ENOUGH_BALANCE, now_ms)

    # Reading

    def order(self, order_id: str) -> Order | None:
        return self.core.orders.get(order_id)

    def open_orders(self, account_id: str) -> list[Order]:
        """An account's resting and delayed orders, oldest first."""
        account = self.core.accounts.get(account_id)
        return account.all_open() if account is not None else []

    def trade(self, trade_id: int) -> Trade | None:
        return self.core.trades.get(trade_id)

    def account(self, account_id: str) -> Account:
        """An account, opened if there is none."""
        return self.core.account(account_id)

    def find_account(self, account_id: str) -> Account | None:
        return self.core.accounts.get(account_id)

    def accounts(self) -> list[Account]:
        """Every account there is, in the order in which they were opened."""
        return list(self.core.accounts.values())

    def condition_ids(self) -> list[str]:
        """The markets listed, in order."""
        return list(self.core.markets)

    def find_market(self, condition_id: str) -> Market | None:
        return self.core.markets.get(condition_id)

    def listed(self, token_id: str) -> tuple[Market, int]:
        """The market of a token and the token's index in it. Raises KeyError."""
        return self.core.tokens[token_id]

    def market(self, condition_id: str) -> Market:
        return self.core.markets[condition_id]

    def levels(self, token_id: str) -> tuple[list[Level], list[Level]]:
        """A token's bids and asks, best first, mirrored from the market's one book."""
        market, token_index = self.core.tokens[token_id]
        return token_levels(market.ladders, token_index)

    # Markets and modes

    def list_market(self, spec: MarketSpec) -> Market:
        return lifecycle.list_market(self.core, spec)

    def open_market(self, condition_id: str, now_ms: int) -> None:
        self.advance(now_ms)
        lifecycle.open_market(self.core, condition_id, now_ms)

    def suspend_market(self, condition_id: str, now_ms: int) -> None:
        self.advance(now_ms)
        lifecycle.suspend_market(self.core, condition_id, now_ms)

    def close_market(self, condition_id: str, now_ms: int) -> None:
        self.advance(now_ms)
        lifecycle.close_market(self.core, condition_id, now_ms)

    def resolve_market(self, payout: Payout, now_ms: int) -> None:
        self.advance(now_ms)
        lifecycle.resolve_market(self.core, payout, now_ms)

    def change_tick(self, condition_id: str, tick_micro: int, now_ms: int) -> None:
        self.advance(now_ms)
        lifecycle.change_tick(self.core, condition_id, tick_micro, now_ms)

    def change_terms(
        self, condition_id: str, now_ms: int, *, fees: FeeSchedule | None = None, minimum_size_micro: int | None = None
    ) -> None:
        self.advance(now_ms)
        lifecycle.change_terms(self.core, condition_id, now_ms, fees=fees, minimum_size_micro=minimum_size_micro)

    def set_mode(self, mode: Mode, now_ms: int, until_ms: int = 0) -> None:
        self.advance(now_ms)
        lifecycle.set_mode(self.core, mode, now_ms, until_ms)

    def settle_by(self, policy: SettlementPolicy | None) -> None:
        """Set the policy by which trades settle from now on; None is the default."""
        self.core.settlement_policy = policy

    @property
    def expires_early_ms(self) -> int:
        """How long before its stated expiration an order expires."""
        return self.core.rules.expires_early_ms

    def expire_early(self, early_ms: int) -> None:
        """Change how long before their stated expiration new orders expire."""
        self.core.rules = msgspec.structs.replace(self.core.rules, expires_early_ms=early_ms)

    def continue_from(self, other: Exchange) -> None:
        """Take over another engine's whole state, but keep this one's settlement policy."""
        other.core.settlement_policy = self.core.settlement_policy
        self.core = other.core

    @property
    def mode(self) -> Mode:
        return self.core.mode

    @property
    def mode_until_ms(self) -> int:
        """When the present mode ends by itself, or 0."""
        return self.core.mode_until_ms

    def refuse_request(self, is_order: bool, now_ms: int) -> Rejection | None:
        """The mode's refusal of a whole order or cancel request; the post-only window judges order by order."""
        mode = self.core.mode
        if mode is NORMAL or mode is Mode.POST_ONLY:
            return None
        if is_order:
            return lifecycle.refuse_order(self.core, post_only=False, now_ms=now_ms)
        return lifecycle.refuse_cancel(self.core)

    # Accounts

    def deposit(self, account_id: str, amount_micro: int) -> None:
        positions.deposit(self.core, account_id, amount_micro)

    def withdraw(self, account_id: str, amount_micro: int, now_ms: int) -> Rejection | None:
        self.advance(now_ms)
        return positions.withdraw(self.core, account_id, amount_micro, now_ms)

    def transfer(self, source_id: str, target_id: str, asset: str, amount_micro: int, now_ms: int) -> Rejection | None:
        self.advance(now_ms)
        return positions.transfer(self.core, source_id, target_id, asset, amount_micro, now_ms)

    def approve(self, account_id: str, asset: str, amount_micro: int | None, now_ms: int) -> None:
        self.advance(now_ms)
        positions.approve(self.core, account_id, asset, amount_micro, now_ms)

    def split(self, account_id: str, condition_id: str, amount_micro: int, now_ms: int) -> Rejection | None:
        self.advance(now_ms)
        return positions.split(self.core, account_id, condition_id, amount_micro, now_ms)

    def merge(self, account_id: str, condition_id: str, amount_micro: int, now_ms: int) -> Rejection | None:
        self.advance(now_ms)
        return positions.merge(self.core, account_id, condition_id, amount_micro, now_ms)

    def redeem(self, account_id: str, condition_id: str, now_ms: int) -> int | Rejection:
        self.advance(now_ms)
        return positions.redeem(self.core, account_id, condition_id)

    def convert(
        self, account_id: str, event_id: str, condition_ids: list[str], amount_micro: int, now_ms: int
    ) -> Rejection | None:
        self.advance(now_ms)
        return positions.convert(self.core, account_id, event_id, condition_ids, amount_micro, now_ms)

    def pay_rebates(self, condition_id: str, now_ms: int) -> dict[str, int]:
        self.advance(now_ms)
        return clearing.pay_rebates(self.core, condition_id)


def _refuse_restricted(account: Account, request: OrderRequest) -> Rejection | None:
    """A rejections.banned address does nothing; one in closed-only mode may sell what it has (assumed)."""
    if account.restriction is Restriction.BANNED:
        return rejections.banned(account.account_id)
    return rejections.closed_only(account.account_id) if request.side is Side.BUY else None


def _why_not(order: Order | None, account_id: str) -> str:
    if order is None or order.account_id != account_id:
        return rejections.NOT_FOUND
    if order.status is OrderState.MATCHED:
        return rejections.ALREADY_MATCHED
    return rejections.STILL_DELAYED if order.status is OrderState.DELAYED else rejections.NOT_FOUND
