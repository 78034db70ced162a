"""The venue's cached balances, which may be stale: what a client is shown, and what its orders are checked against."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from polymarket_kit.model import Side
from polymarket_kit.rejections import Rejection, balance_too_small
from practice_exchange.engine.accounts import COLLATERAL, Account
from practice_exchange.engine.orders import OrderRequest


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """A balance as it was at a moment of this machine's time."""

    amount_micro: int
    taken_s: float


class BalanceState(msgspec.Struct):
    """What a checkpoint keeps of the cache."""

    lag_s: float
    frozen_s: float
    kept: dict[str, dict[str, Remembered]]


class BalanceCache:
    """Balances as of up to ``lag_s`` seconds ago. Without a lag it tells the truth and costs nothing."""

    def __init__(self, machine_s: Callable[[], float]) -> None:
        self._machine_s = machine_s
        self._state: BalanceState | None = None

    def freeze(self, accounts: Iterable[Account], lag_s: float) -> None:
        """Remember what these accounts have now; nothing newer is known until it is asked for or ``lag_s`` have passed."""
        now_s = self._machine_s()
        kept: dict[str, dict[str, Remembered]] = {}
        for account in accounts:
            held = {token_id: Remembered(each.balance_micro, now_s) for token_id, each in account.shares.items()}
            kept[account.account_id] = {COLLATERAL: Remembered(account.collateral.balance_micro, now_s), **held}
        self._state = BalanceState(lag_s, now_s, kept)

    def thaw(self) -> None:
        """Show true balances again."""
        self._state = None

    @property
    def frozen(self) -> bool:
        return self._state is not None

    def shown_micro(self, account: Account, asset: str) -> int:
        """What the venue believes that an account has of ``COLLATERAL`` or of a token."""
        holding = account.collateral if asset == COLLATERAL else account.shares.get(asset)
        true_micro = holding.balance_micro if holding is not None else 0
        state = self._state
        if state is None:
            return true_micro
        now_s, known = self._machine_s(), state.kept.get(account.account_id)
        if known is None:
            # An account from after the freeze: it begins to be remembered now.
            known = state.kept[account.account_id] = {COLLATERAL: Remembered(account.collateral.balance_micro, now_s)}
        # Shares that came since are not known of.
        entry = known.get(asset) or Remembered(0, state.frozen_s)
        if now_s - entry.taken_s > state.lag_s:
            entry = Remembered(true_micro, now_s)
        known[asset] = entry
        return entry.amount_micro

    def update(self, account: Account, asset: str) -> None:
        """Look at the chain, as a client has asked for."""
        if self._state is not None:
            holding = account.holding(asset)
            known = self._state.kept.setdefault(account.account_id, {})
            known[asset] = Remembered(holding.balance_micro, self._machine_s())

    def refuse(self, account: Account, request: OrderRequest) -> Rejection | None:
        """The refusal of an order that the remembered balance does not cover, or None."""
        if self._state is None:
            return None
        asset = COLLATERAL if request.side is Side.BUY else request.token_id
        believed_micro = self.shown_micro(account, asset)
        needed_micro = request.maker_amount_micro
        return balance_too_small(believed_micro, 0, 0, needed_micro) if needed_micro > believed_micro else None

    def dump_state(self) -> BalanceState | None:
        return self._state

    def load_state(self, state: BalanceState | None) -> None:
        self._state = state
