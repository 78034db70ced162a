"""Tries out a batch of calls before any is applied, so that a batch is applied whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from polymarket_kit.signing.contracts import ADAPTERS, SHARES
from polymarket_kit.values import MICRO
from practice_exchange.chain import calldata
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.engine.events import MarketStage
from practice_exchange.venue.approvals import Approvals
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.world.state import EventState, MarketState
from practice_exchange.world.world import WorldView

# Reasons as the contracts give them where these are public; others are assumed.
ALLOWANCE = "execution reverted: ERC20: insufficient allowance"
NO_DOLLARS = "execution reverted: ERC20: transfer amount exceeds balance"
NO_SHARES = "execution reverted: SafeMath: subtraction overflow"
NO_OPERATOR = "execution reverted: ERC1155: need operator approval for 3rd party transfers."
NO_CONDITION = "execution reverted: condition not prepared yet"
NO_RESULT = "execution reverted: result for condition not received yet"
WRONG_ADAPTER = "execution reverted: this adapter is not the one of this market"
NO_CONVERSION = "execution reverted: these positions cannot be converted"
NOTHING = "execution reverted: the amount must be above zero"


class Draft:
    """Balances and approvals of one sender as they will be, over those of the exchange. Raises calldata.CallRefused on a revert."""

    def __init__(self, world: WorldView, venue_engine: VenueEngine, approvals: Approvals, sender: str) -> None:
        self._register = world.register
        self._venue_engine = venue_engine
        self._approvals = approvals
        self._sender = sender
        self._balances: dict[str, int] = {}
        self._allowances: dict[str, int] = {}
        self._operators: dict[tuple[str, str], bool] = {}

    def run(self, calls: Sequence[calldata.Call]) -> list[calldata.Action]:
        """Return what the calls do, in order."""
        actions = [calldata.read_call(call) for call in calls]
        for action in actions:
            self._try(action)
        return actions

    def _try(self, action: calldata.Action) -> None:
        if isinstance(action, calldata.Approve):
            self._allowances[action.spender.lower()] = action.amount
        elif isinstance(action, calldata.ApproveAll):
            self._operators[(action.token.lower(), action.operator.lower())] = action.approved
        elif isinstance(action, calldata.TransferDollars):
            self._take(COLLATERAL, action.amount_micro, NO_DOLLARS)
        elif isinstance(action, calldata.Split):
            self._split(action)
        elif isinstance(action, calldata.Merge):
            market = self._market(action.condition_id, action.adapter)
            self._operated(action.adapter)
            for token_id in market.token_ids:
                self._take(token_id, action.amount_micro, NO_SHARES)
            self._give(COLLATERAL, action.amount_micro)
        elif isinstance(action, calldata.Redeem):
            self._redeem(action)
        else:
            self._convert(action)

    def _split(self, action: calldata.Split) -> None:
        market = self._market(action.condition_id, action.adapter)
        spender = action.adapter.lower()
        allowance = self._allowances.get(spender, self._approvals.allowance(self._sender, spender))
        if allowance < action.amount_micro:
            raise calldata.CallRefused(ALLOWANCE)
        self._allowances[spender] = allowance
        self._take(COLLATERAL, action.amount_micro, NO_DOLLARS)
        for token_id in market.token_ids:
            self._give(token_id, action.amount_micro)

    def _redeem(self, action: calldata.Redeem) -> None:
        market = self._market(action.condition_id, action.adapter)
        self._operated(action.adapter)
        if self._venue_engine.engine.market(action.condition_id).state.stage is not MarketStage.RESOLVED:
            raise calldata.CallRefused(NO_RESULT)
        for token_id, payout_micro in zip(market.token_ids, market.payouts_micro, strict=True):
            self._give(COLLATERAL, self._balance(token_id) * payout_micro // MICRO)
            self._balances[token_id] = 0

    def _convert(self, action: calldata.Convert) -> None:
        event, chosen = conversion(self._register.events, action)
        if event is None or not chosen:
            raise calldata.CallRefused(NO_CONVERSION)
        self._operated(action.adapter)
        for market in event.markets:
            self._venue_engine.enter(market)
        members = [self._venue_engine.engine.market(market.condition_id).state for market in event.markets]
        if any(state.stage is MarketStage.RESOLVED for state in members):
            raise calldata.CallRefused(NO_CONVERSION)
        for market in event.markets:
            if market in chosen:
                self._take(market.token_ids[1], action.amount_micro, NO_SHARES)
            else:
                self._give(market.token_ids[0], action.amount_micro)
        self._give(COLLATERAL, (len(chosen) - 1) * action.amount_micro)

    def _market(self, condition_id: str, adapter: str) -> MarketState:
        """A market that may be split, merged and redeemed through this adapter; it enters the engine if need be."""
        market = self._venue_engine.find(condition_id)
        if market is None:
            raise calldata.CallRefused(NO_CONDITION)
        if ADAPTERS[market.negative_risk] != adapter:
            raise calldata.CallRefused(WRONG_ADAPTER)
        self._venue_engine.enter(market)
        return market

    def _operated(self, operator: str) -> None:
        pair = (SHARES.lower(), operator.lower())
        if not self._operators.get(pair, self._approvals.is_operator(self._sender, SHARES, operator)):
            raise calldata.CallRefused(NO_OPERATOR)

    def _balance(self, asset: str) -> int:
        known = self._balances.get(asset)
        return known if known is not None else balance_of(self._venue_engine, self._sender, asset)

    def _take(self, asset: str, amount_micro: int, reason: str) -> None:
        if amount_micro == 0:
            raise calldata.CallRefused(NOTHING)
        left_micro = self._balance(asset) - amount_micro
        if left_micro < 0:
            raise calldata.CallRefused(reason)
        self._balances[asset] = left_micro

    def _give(self, asset: str, amount_micro: int) -> None:
        self._balances[asset] = self._balance(asset) + amount_micro


def balance_of(venue_engine: VenueEngine, account_id: str, asset: str) -> int:
    """What an account has of dollars (COLLATERAL) or of a token, whatever its orders promise; asking makes no account."""
    account = venue_engine.engine.find_account(account_id)
    if account is None:
        return 0
    held = account.collateral if asset == COLLATERAL else account.shares.get(asset)
    return 0 if held is None else held.balance_micro


def conversion(events: dict[int, EventState], action: calldata.Convert) -> tuple[EventState | None, list[MarketState]]:
    """The negative-risk event of a conversion and its questions whose NO is given up; none where the index set is off.

    The number of a question in its event is the last byte of its id, as on the venue.
    """
    event = next((each for each in events.values() if each.negative_risk_market_id == action.market_id), None)
    if event is None:
        return None, []
    numbered = {int(market.question_id[-2:], 16): market for market in event.markets}
    asked = [number for number in range(256) if action.index_set >> number & 1]
    if action.index_set >> 256 or any(number not in numbered for number in asked):
        return event, []
    return event, [numbered[number] for number in asked]
