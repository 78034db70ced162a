"""A small trading floor for the engine's tests: people with money, and orders written in dollars and shares."""

from __future__ import annotations

from decimal import Decimal

from polymarket_kit.model import NO_FEES, FeeSchedule, OrderType, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.values import MICRO, parse_micro
from practice_exchange.engine.accounts import Account, Holding
from practice_exchange.engine.events import Event
from practice_exchange.engine.markets import MarketSpec
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import ExchangeRules, Order, OrderRequest, OrderState, Placed
from practice_exchange.engine.settlement import SettlementPolicy, TradeStatus

NOW_MS = 1_790_000_000_000
MARKET, YES, NO = "m", "yes", "no"
SPORTS = FeeSchedule(rate_micro=50_000, rebate_rate_micro=150_000)

Number = str | int | Decimal


class EngineHarness:
    """One exchange with one market and a clock that the test moves."""

    def __init__(
        self,
        fees: FeeSchedule = NO_FEES,
        tick: Number = "0.01",
        settlement_policy: SettlementPolicy | None = None,
        rules: ExchangeRules | None = None,
        **terms: int | bool | str,
    ) -> None:
        self.exchange = Exchange(rules, settlement_policy)
        self.exchange.list_market(MarketSpec(MARKET, (YES, NO), tick_micro=parse_micro(tick), fees=fees, **terms))  # type: ignore[arg-type]  # terms are the spec's other fields
        self.now_ms = NOW_MS
        self.number = 0

    def fund(self, *names: str, dollars: Number = 1_000, sets: Number = 1_000) -> None:
        """Give people dollars, and complete sets of the market beside them."""
        for name in names:
            self.exchange.deposit(name, parse_micro(dollars) + parse_micro(sets))
            if parse_micro(sets):
                assert self.exchange.split(name, MARKET, parse_micro(sets), self.now_ms) is None

    def request(
        self,
        name: str,
        side: Side,
        price: Number,
        size: Number,
        token: str = YES,
        order_type: OrderType = OrderType.GTC,
        order_id: str = "",
        owner: str = "",
        expiration_s: int = 0,
        post_only: bool = False,
    ) -> OrderRequest:
        """A limit order's amounts from price and size; every order gets an id of its own."""
        self.number += 1
        shares = parse_micro(size)
        dollars = shares * parse_micro(price) // MICRO
        made, taken = (dollars, shares) if side is Side.BUY else (shares, dollars)
        return OrderRequest(
            order_id or f"o{self.number}",
            name,
            owner or f"key-{name}",
            token,
            side,
            order_type,
            made,
            taken,
            expiration_s,
            post_only,
        )

    def market_request(
        self,
        name: str,
        side: Side,
        made: Number,
        taken: Number,
        token: str = YES,
        order_type: OrderType = OrderType.FAK,
    ) -> OrderRequest:
        """A market order by its two signed amounts."""
        self.number += 1
        return OrderRequest(
            f"o{self.number}", name, f"key-{name}", token, side, order_type, parse_micro(made), parse_micro(taken)
        )

    def place(self, request: OrderRequest) -> Placed | Rejection:
        return self.exchange.place(request, self.now_ms)

    def buy(self, name: str, price: Number, size: Number, token: str = YES, **more: object) -> Placed:
        return self.taken(self.request(name, Side.BUY, price, size, token, **more))  # type: ignore[arg-type]  # passed through

    def sell(self, name: str, price: Number, size: Number, token: str = YES, **more: object) -> Placed:
        return self.taken(self.request(name, Side.SELL, price, size, token, **more))  # type: ignore[arg-type]  # passed through

    def taken(self, request: OrderRequest) -> Placed:
        """Place an order that the exchange must take."""
        answer = self.place(request)
        assert isinstance(answer, Placed), answer
        return answer

    def refused(self, request: OrderRequest) -> Rejection:
        """Place an order that the exchange must refuse; it must leave no trace."""
        before = (self.book(), self.exchange.open_orders(request.account_id), self.exchange.core.trade_counter)
        answer = self.place(request)
        assert isinstance(answer, Rejection), answer
        assert (self.book(), self.exchange.open_orders(request.account_id), self.exchange.core.trade_counter) == before
        return answer

    def wait(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.exchange.advance(self.now_ms)

    def settle(self) -> None:
        """Wait until nothing is due any more but what lies hours ahead."""
        self.wait(60_000)

    def order(self, placed: Placed) -> Order:
        order = self.exchange.order(placed.order_id)
        assert order is not None
        return order

    def state(self, placed: Placed) -> OrderState:
        return self.order(placed).status

    def account(self, name: str) -> Account:
        return self.exchange.account(name)

    def dollars(self, name: str) -> Holding:
        return self.account(name).collateral

    def shares(self, name: str, token: str = YES) -> Holding:
        return self.account(name).holding(token)

    def book(self, token: str = YES) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """A token's (price in cents, whole shares), bids and asks, best first."""
        bids, asks = self.exchange.levels(token)
        return (
            [(level.price_micro // 10_000, level.size_micro // MICRO) for level in bids],
            [(level.price_micro // 10_000, level.size_micro // MICRO) for level in asks],
        )

    def events(self) -> list[Event]:
        return self.exchange.drain_events()


def check_books(exchange: Exchange) -> None:
    """Every identity that must hold at any moment, or an AssertionError."""
    core = exchange.core
    reserved: dict[int, int] = {}
    matched: dict[int, int] = {}
    for order in core.orders.values():
        if order.status in (OrderState.LIVE, OrderState.DELAYED):
            key = id(core.reserved_holding(order))
            reserved[key] = reserved.get(key, 0) + order.reserved_micro
        else:
            assert order.reserved_micro == 0
    for trade in core.trades.values():
        if trade.status in (TradeStatus.MATCHED, TradeStatus.RETRYING):
            owed = [
                (trade.account_id, trade.side, trade.token_id, trade.cost_micro + trade.fee_micro, trade.size_micro)
            ]
            owed += [(m.account_id, m.side, m.token_id, m.cost_micro, m.size_micro) for m in trade.makers]
            for account_id, side, token_id, cost, size in owed:
                account = core.accounts[account_id]
                holding = account.collateral if side is Side.BUY else account.holding(token_id)
                matched[id(holding)] = matched.get(id(holding), 0) + (cost if side is Side.BUY else size)
    for account in core.accounts.values():
        for holding in (account.collateral, *account.shares.values()):
            assert holding.balance_micro >= 0
            assert holding.active_micro == reserved.get(id(holding), 0)
            assert holding.matched_micro == matched.get(id(holding), 0)
    _check_ladders(exchange)


def _check_ladders(exchange: Exchange) -> None:
    for market in exchange.core.markets.values():
        first, second = market.ladders
        if first.points and second.points:
            assert first.points[-1] + second.points[-1] < 10_000, "the book is crossed"
        for ladder in market.ladders:
            assert ladder.points == sorted(ladder.levels)
            for points, level in ladder.levels.items():
                resting = [order for order in level.queue if order.status is OrderState.LIVE]
                assert level.count == len(resting) > 0
                assert level.size_micro == sum(order.size_micro - order.matched_micro for order in resting) > 0
                assert all(order.points == points for order in resting)
                assert [order.sequence for order in resting] == sorted(order.sequence for order in resting)


def wealth(exchange: Exchange) -> int:
    """All dollars that there are: in accounts, behind shares, in vaults, and in the venue's own pots."""
    core = exchange.core
    held = sum(account.collateral.balance_micro for account in (*core.accounts.values(), *core.vaults.values()))
    locked = sum(market.state.locked_micro for market in core.markets.values())
    return held + locked + core.fees_micro + core.rounding_micro


def outstanding(exchange: Exchange, token_id: str) -> int:
    """All shares of a token, wherever they are."""
    core = exchange.core
    return sum(
        account.shares[token_id].balance_micro
        for account in (*core.accounts.values(), *core.vaults.values())
        if token_id in account.shares
    )
