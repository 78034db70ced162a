"""How a trade settles: matched, mined, confirmed, or failed and undone; only mined shares and proceeds may move again.

Stands beside the ledger: a booking begins a settlement, the settling round carries it on, and the store keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from polymarket_kit.model import Side
from prescient.domain.errors import InvariantBroken
from prescient.domain.ledger import Transfer, reversal
from prescient.domain.order import Trade
from prescient.domain.order_state import Fact, FactKind, fill_id
from prescient.domain.portfolio import Position


class SettlementState(StrEnum):
    MATCHED = "matched"
    MINED = "mined"
    CONFIRMED = "confirmed"
    FAILED = "failed"


UNDER_WAY = frozenset({SettlementState.MATCHED, SettlementState.MINED})
# What the chain has said when a trade's settlement has come that far.
TOLD = {
    SettlementState.MATCHED: (),
    SettlementState.MINED: (FactKind.MINED,),
    SettlementState.CONFIRMED: (FactKind.MINED, FactKind.CONFIRMED),
    SettlementState.FAILED: (FactKind.RETRYING, FactKind.FAILED),
}


@dataclass(frozen=True, slots=True)
class TradeSettlement:
    """One trade on its way to the chain; all its fills settle or fail together. Amounts in micro-units.

    ``first_number`` and ``fill_count`` name its fills among the order's. ``cost_basis_micro`` and ``mark_value_micro`` are
    what it added to its position's cost and mark (BUY) or took from them (SELL). ``mines_at``: when it is mined, or, of one
    that ``fails``, when it is given up.
    """

    trade_id: str
    order_id: str
    portfolio_id: int
    token_id: str
    side: Side
    first_number: int
    fill_count: int
    size_micro: int
    cost_micro: int
    fee_micro: int
    cost_basis_micro: int
    mark_value_micro: int
    matched_at: datetime
    mines_at: datetime
    confirms_at: datetime
    fails: bool = False
    state: SettlementState = SettlementState.MATCHED
    settled_at: datetime | None = None

    @property
    def proceeds_micro(self) -> int:
        """What a SELL brings after its fee; it may be spent once the trade is mined."""
        return self.cost_micro - self.fee_micro

    def next_at(self) -> datetime | None:
        """When its next step is due; None at the end."""
        if self.state is SettlementState.MATCHED:
            return self.mines_at
        return self.confirms_at if self.state is SettlementState.MINED else None

    def at(self, now: datetime) -> TradeSettlement:
        """Return the settlement as it stands at a moment, any number of steps on."""
        state = self.state
        if state is SettlementState.MATCHED and self.mines_at <= now:
            state = SettlementState.FAILED if self.fails else SettlementState.MINED
        if state is SettlementState.MINED and self.confirms_at <= now:
            state = SettlementState.CONFIRMED
        return self if state is self.state else replace(self, state=state, settled_at=now)

    def facts(self) -> tuple[Fact, ...]:
        """What is known of the order's fills by this settlement."""
        numbers = range(self.first_number, self.first_number + self.fill_count)
        time = self.settled_at or self.matched_at
        return tuple(
            Fact(kind, self.order_id, time, fill_id(self.order_id, number))
            for number in numbers
            for kind in TOLD[self.state]
        )


@dataclass(frozen=True, slots=True)
class SettlementModel:
    """How long a paper trade takes to the chain (the practice exchange's plan), and which share of trades fail there.

    Of a real venue neither is known before; both are assumptions, and the trade record names them. Whether a trade fails
    is decided by its id, so that every process decides alike.
    """

    mined_after_s: float = 2.0
    confirmed_after_s: float = 4.0
    retry_after_s: float = 3.0
    failed_share: float = 0.0

    def __post_init__(self) -> None:
        if min(self.mined_after_s, self.confirmed_after_s, self.retry_after_s) < 0 or not 0 <= self.failed_share <= 1:
            raise ValueError("waits are from zero up, and a share lies from 0 to 1")

    def entry(self) -> tuple[str, str]:
        """The assumption as it stands in the trade record."""
        failing = f", {self.failed_share:g} of trades fail" if self.failed_share else ""
        return "settlement", f"{round(self.mined_after_s * 1000)} ms to mined{failing}, assumed"

    def fails(self, trade_id: str) -> bool:
        return int.from_bytes(sha256(trade_id.encode()).digest()[:8]) < self.failed_share * 2**64

    def begin(self, trade: Trade, before: Position, after: Position, first_number: int) -> TradeSettlement:
        """Return the settlement that a booked trade begins; where nothing is waited for, it is settled at once."""
        assert trade.size_micro > 0 and trade.fills
        fails = self.fails(trade.trade_id)
        mines_at = trade.time + timedelta(seconds=self.mined_after_s + (self.retry_after_s if fails else 0.0))
        direct = self.mined_after_s == 0 and not fails
        confirms_at = mines_at if direct else mines_at + timedelta(seconds=self.confirmed_after_s)
        begun = TradeSettlement(
            trade_id=trade.trade_id,
            order_id=trade.order_id,
            portfolio_id=trade.portfolio_id,
            token_id=trade.token_id,
            side=trade.side,
            first_number=first_number,
            fill_count=len(trade.fills),
            size_micro=trade.size_micro,
            cost_micro=trade.amount_micro,
            fee_micro=trade.fee_micro,
            cost_basis_micro=abs(after.cost_micro - before.cost_micro),
            mark_value_micro=abs(after.mark_value_micro - before.mark_value_micro),
            matched_at=trade.time,
            mines_at=mines_at,
            confirms_at=confirms_at,
            fails=fails,
        )
        return begun.at(trade.time) if direct else begun


ASSUMED_SETTLEMENT = SettlementModel()


@dataclass(frozen=True, slots=True)
class Reversal:
    """All that undoes one failed trade, committed as one transaction or not at all."""

    settlement: TradeSettlement
    transfers: tuple[Transfer, ...]
    before: Position
    after: Position


def undo(settlement: TradeSettlement, position: Position, now: datetime) -> Reversal:
    """Return what undoes a failed trade on its position as it stands now: as though the trade had never been.

    Exact, because what is not mined is neither sold nor merged nor counted in the cost of what is. Only a mark that was
    made since is shared out by shares. Raises InvariantBroken when the shares of a BUY are not there.
    """
    assert settlement.state is SettlementState.FAILED and settlement.token_id == position.token_id
    marked = position.mark_time is not None and position.mark_time > settlement.matched_at
    undone = _unbought if settlement.side is Side.BUY else _unsold
    after = undone(settlement, position, now, marked=marked)
    sign = 1 if settlement.side is Side.BUY else -1
    moved = after.cost_micro - position.cost_micro - (after.realized_pnl_micro - position.realized_pnl_micro)
    assert moved == -sign * settlement.cost_micro - settlement.fee_micro
    transfers = reversal(
        settlement.portfolio_id,
        settlement.trade_id,
        settlement.token_id,
        settlement.side,
        (settlement.size_micro, settlement.cost_micro, settlement.fee_micro),
        now,
    )
    return Reversal(settlement, tuple(transfers), position, after)


def _unbought(settlement: TradeSettlement, position: Position, now: datetime, *, marked: bool) -> Position:
    left = position.size_micro - settlement.size_micro
    cost = position.cost_micro - settlement.cost_basis_micro
    if left < 0 or cost < 0 or (left == 0 and cost > 0):
        raise InvariantBroken(f"trade {settlement.trade_id} failed, and its shares are not held any more")
    mark = position.mark_value_micro - settlement.mark_value_micro
    if marked:
        mark = position.mark_value_micro * left // position.size_micro
    return replace(
        position,
        size_micro=left,
        cost_micro=cost,
        mark_value_micro=max(mark, 0) if left else 0,
        closed_at=None if left else position.closed_at or now,
        status="open" if left else "closed",
    )


def _unsold(settlement: TradeSettlement, position: Position, now: datetime, *, marked: bool) -> Position:
    assert now >= settlement.matched_at
    size = position.size_micro + settlement.size_micro
    mark = position.mark_value_micro + settlement.mark_value_micro
    if marked and position.size_micro:
        mark = position.mark_value_micro * size // position.size_micro
    profit = settlement.proceeds_micro - settlement.cost_basis_micro
    return replace(
        position,
        size_micro=size,
        cost_micro=position.cost_micro + settlement.cost_basis_micro,
        realized_pnl_micro=position.realized_pnl_micro - profit,
        mark_value_micro=mark,
        closed_at=None,
        status="open",
    )
