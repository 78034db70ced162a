"""Faults that last until they are cleared, applied to the engine, the authenticator and the accounts."""

from __future__ import annotations

import hashlib

import msgspec

from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.engine.orders import Restriction
from practice_exchange.engine.settlement import SMOOTH, SettlementPlan, Trade
from practice_exchange.faults.kinds import Fault
from practice_exchange.faults.registry import Faults
from practice_exchange.venue.balances import BalanceState
from practice_exchange.world.timestamps import SECOND_MS

SETTLEMENT = ("failed_settlement", "retrying", "slow_settlement")
RESTRICTIONS = {"banned": Restriction.BANNED, "closed_only": Restriction.CLOSED_ONLY}
_SHARE = 2**64


class _Kept(msgspec.Struct):
    faults: bytes
    balances: BalanceState | None
    restricted: list[str]


class FaultConditions:
    """Applies persistent faults to the trading side. Random choices follow from the seed and the trade's number."""

    def __init__(self, trading: TradingSide, faults: Faults, seed: int) -> None:
        self._trading = trading
        self._faults = faults
        self._seed = seed
        self._restricted: list[str] = []
        self._plain_early_ms = trading.venue_engine.engine.expires_early_ms

    def apply(self) -> None:
        """Apply the persistent faults after any was added or cleared."""
        faults, trading = self._faults, self._trading
        engine = trading.venue_engine.engine
        engine.settle_by(self._settlement_policy if any(faults.active(kind) for kind in SETTLEMENT) else None)
        early_ms = self._plain_early_ms + int(_seconds(faults.active("gtd_early")) * SECOND_MS)
        if engine.expires_early_ms != early_ms:
            engine.expire_early(early_ms)
        trading.authenticator.skew_s = int(_seconds(faults.active("clock_skew")))
        self._freeze(faults.active("stale_balance"))
        self._restrict()

    def _freeze(self, fault: Fault | None) -> None:
        balances, venue_engine = self._trading.balances, self._trading.venue_engine
        if fault is None:
            balances.thaw()
        elif not balances.frozen:
            world = (venue_engine.house, venue_engine.crowd)
            accounts = [each for each in venue_engine.engine.accounts() if each.account_id not in world]
            balances.freeze(accounts, fault.number("seconds"))

    def _restrict(self) -> None:
        engine = self._trading.venue_engine.engine
        for account_id in self._restricted:
            engine.account(account_id).restriction = Restriction.NONE
        self._restricted = []
        for kind, restriction in RESTRICTIONS.items():
            for fault in self._faults.all_active(kind):
                named = fault.words("address")
                for account_id in [named] if named else [wallet.funder for wallet in self._trading.wallets]:
                    engine.account(account_id).restriction = restriction
                    self._restricted.append(account_id)

    def _settlement_policy(self, trade: Trade) -> SettlementPlan:
        """How a trade settles: one number from 0 to 1 per trade decides, the same one for the same seed."""
        venue_engine = self._trading.venue_engine
        world = (venue_engine.house, venue_engine.crowd)
        if trade.account_id in world and all(maker.account_id in world for maker in trade.makers):
            return SMOOTH
        digest = hashlib.sha256(f"{self._seed}/fate/{trade.trade_id}".encode()).digest()
        fails, retries = (int.from_bytes(part, "big") / _SHARE for part in (digest[:8], digest[8:16]))
        slow, failing = self._faults.active("slow_settlement"), self._faults.active("failed_settlement")
        wait_ms = SMOOTH.mined_after_ms if slow is None else int(slow.number("seconds") * SECOND_MS)
        if failing is not None and fails < failing.number("rate"):
            return SettlementPlan(wait_ms, retries=int(failing.number("retries")), fails=True)
        retrying = self._faults.active("retrying")
        if retrying is not None and retries < retrying.number("rate"):
            return SettlementPlan(wait_ms, retries=int(retrying.number("retries")))
        return SettlementPlan(wait_ms)

    # What a checkpoint keeps

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(
            _Kept(self._faults.dump_state(), self._trading.balances.dump_state(), self._restricted)
        )

    def load_state(self, kept: bytes) -> None:
        """Restore dumped state. Raises msgspec.MsgspecError for anything else."""
        state = msgspec.msgpack.decode(kept, type=_Kept)
        self._faults.load_state(state.faults)
        self._trading.balances.load_state(state.balances)
        self._restricted = state.restricted
        self.apply()


def _seconds(fault: Fault | None) -> float:
    return 0.0 if fault is None else fault.number("seconds")
