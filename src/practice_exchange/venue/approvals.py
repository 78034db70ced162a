"""Token approvals of each wallet, contract by contract, as on the chain; orders are checked against them."""

from __future__ import annotations

import msgspec

from polymarket_kit.model import Side
from polymarket_kit.rejections import Rejection, allowance_too_small
from polymarket_kit.signing.contracts import APPROVALS, DOLLARS, EXCHANGE_ADDRESSES, SHARES
from practice_exchange.engine.accounts import COLLATERAL, UNLIMITED_MICRO
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import Order, OrderState
from practice_exchange.venue.venue_engine import VenueEngine

# An allowance of at least this many dollars is never used up here.
ENDLESS_MICRO = 2**62
NONE_GIVEN = "0"


class ApprovalsState(msgspec.Struct):
    """``allowances`` are dollars in micro by owner and spender, as decimals, for they have 256 bits; ``operators`` are
    pairs of owner and ``token/operator``. Addresses are lower case.
    """

    allowances: dict[str, dict[str, str]] = {}
    operators: dict[str, set[str]] = {}


class Approvals:
    """Allowances of dollars and operators of shares. Who never approved anything has approved nothing.

    Assumed: an allowance is not used up by trading.
    """

    def __init__(self, venue_engine: VenueEngine) -> None:
        self.state = ApprovalsState()
        self._venue_engine = venue_engine

    def allowance(self, owner: str, spender: str) -> int:
        """How many micro-dollars ``spender`` may take from ``owner``: 0 to 2**256-1."""
        return int(self.state.allowances.get(owner.lower(), {}).get(spender.lower(), NONE_GIVEN))

    def is_operator(self, owner: str, token: str, operator: str) -> bool:
        """Whether ``operator`` may move all shares of ``owner``."""
        return f"{token}/{operator}".lower() in self.state.operators.get(owner.lower(), ())

    def grant_all(self, owner: str) -> None:
        """Grant every approval that the venue's client asks for."""
        for approval in APPROVALS:
            if approval.standard == "ERC20":
                self.approve(owner, approval.spender, UNLIMITED_MICRO)
            else:
                self.set_operator(owner, approval.token, approval.spender, True)

    def approve(self, owner: str, spender: str, amount_micro: int) -> None:
        """Set an allowance; orders that it no longer covers are cancelled."""
        self.state.allowances.setdefault(owner.lower(), {})[spender.lower()] = str(amount_micro)
        if spender.lower() not in EXCHANGE_ADDRESSES:
            return
        largest = max(self.allowance(owner, exchange) for exchange in EXCHANGE_ADDRESSES)
        limit = None if largest >= ENDLESS_MICRO else largest
        engine, now_ms = self._venue_engine.engine, self._venue_engine.now_ms
        if engine.account(owner).collateral.allowance_micro != limit:
            engine.approve(owner, COLLATERAL, limit, now_ms)
        if amount_micro == 0:
            self._cancel(engine, owner, spender, Side.BUY)

    def set_operator(self, owner: str, token: str, operator: str, approved: bool) -> None:
        """Set whether an operator may move shares; offers that relied on it are cancelled."""
        operators = self.state.operators.setdefault(owner.lower(), set())
        pair = f"{token}/{operator}".lower()
        if approved:
            operators.add(pair)
            return
        operators.discard(pair)
        if token.lower() == SHARES.lower() and operator.lower() in EXCHANGE_ADDRESSES:
            self._cancel(self._venue_engine.engine, owner, operator, Side.SELL)

    def refuse(self, owner: str, exchange: str, side: Side, amount_micro: int) -> Rejection | None:
        """The venue's refusal of an order of somebody who has not approved this exchange contract at all, or None."""
        given = self.state.allowances.get(owner.lower(), {}).get(exchange.lower(), NONE_GIVEN)
        approved = given != NONE_GIVEN if side is Side.BUY else self.is_operator(owner, SHARES, exchange)
        return None if approved else allowance_too_small(0, 0, 0, amount_micro)

    def usable_micro(self, owner: str, asset: str, exchange: str) -> int:
        """The allowance that ``/balance-allowance`` shows for an asset (COLLATERAL or a token id) and a contract."""
        account = self._venue_engine.engine.account(owner)
        held = account.collateral if asset == COLLATERAL else account.shares.get(asset)
        limit = UNLIMITED_MICRO if held is None or held.allowance_micro is None else held.allowance_micro
        if asset == COLLATERAL:
            own = self.allowance(owner, exchange)
        else:
            own = UNLIMITED_MICRO if self.is_operator(owner, SHARES, exchange) else 0
        return min(own, limit)

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    def load_state(self, kept: bytes) -> None:
        self.state = msgspec.msgpack.decode(kept, type=ApprovalsState)

    def _cancel(self, engine: Exchange, owner: str, exchange: str, side: Side) -> None:
        """Cancel the resting orders that this contract can no longer settle."""
        for order in engine.open_orders(owner):
            if order.status is OrderState.LIVE and order.side is side and self._settles(order, exchange):
                engine.end_uncovered(order, self._venue_engine.now_ms)

    def _settles(self, order: Order, exchange: str) -> bool:
        negative_risk = self._venue_engine.market_of(order.condition_id).negative_risk
        return EXCHANGE_ADDRESSES[int(negative_risk)] == exchange.lower()


def approval_rows(approvals: Approvals, owner: str) -> list[dict[str, object]]:
    """Every approval that the venue tracks, given or not, as its Data API shows it. All of dollars are for any amount."""
    rows: list[dict[str, object]] = []
    for name, feature, token, spender, standard in APPROVALS:
        row: dict[str, object] = {"id": name, "feature": feature, "token": token, "spender": spender}
        if token == DOLLARS:
            approved = approvals.allowance(owner, spender) >= ENDLESS_MICRO
            row |= {"standard": standard, "amount": "max", "approved": approved}
        else:
            row |= {"standard": standard, "approved": approvals.is_operator(owner, token, spender)}
        rows.append(row)
    return rows
