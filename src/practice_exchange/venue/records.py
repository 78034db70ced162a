"""The activity of each account, in order: trades once they are mined, and everything done on the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import msgspec

from polymarket_kit.model import Side
from practice_exchange.engine.events import Event, TradeEvent
from practice_exchange.engine.settlement import MakerFill, Trade, TradeStatus


class Kind(StrEnum):
    """The kinds of activity that happen here; the venue has more (rewards, yields, rebates)."""

    TRADE = "TRADE"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REDEEM = "REDEEM"
    CONVERSION = "CONVERSION"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row of an account's activity. Amounts are micro; ``side``, ``token_id`` and ``price_micro`` are empty where none apply.

    ``shares`` are the changes of the account's positions that belong to it, as (token, micro shares, micro-dollars of cost
    or proceeds); ``fee_micro`` is a taker's fee on a BUY.
    """

    account_id: str
    kind: Kind
    time_ms: int
    transaction_hash: str
    usdc_micro: int
    size_micro: int = 0
    condition_id: str = ""
    token_id: str = ""
    side: str = ""
    price_micro: int = 0
    fee_micro: int = 0
    is_taker: bool = False
    shares: list[tuple[str, int, int]] = []


class Records:
    """Every record by account, oldest first. ``listeners`` are called with each one as it is added."""

    def __init__(self, outsiders: Iterable[str], transaction_hash: Callable[[int], str]) -> None:
        """``outsiders`` are accounts whose trades are of no interest: the world's own traders."""
        self.state: dict[str, list[Record]] = {}
        self.listeners: list[Callable[[Record], None]] = []
        self._outsiders = frozenset(outsiders)
        self._transaction_hash = transaction_hash

    def of(self, account_id: str) -> list[Record]:
        """An account's records, oldest first."""
        return self.state.get(account_id, [])

    def add(self, record: Record) -> None:
        self.state.setdefault(record.account_id, []).append(record)
        for listener in self.listeners:
            listener(record)

    def on_events(self, events: Sequence[Event]) -> None:
        """Record the trades that were mined: only then are they on the chain, where the venue reads them."""
        for event in events:
            if not isinstance(event, TradeEvent) or event.status is not TradeStatus.MINED:
                continue
            for record in self._of_trade(event.trade, event.time_ms):
                if record.account_id not in self._outsiders:
                    self.add(record)

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    def load_state(self, kept: bytes) -> None:
        self.state = msgspec.msgpack.decode(kept, type=dict[str, list[Record]])

    def _of_trade(self, trade: Trade, time_ms: int) -> Iterable[Record]:
        named = self._transaction_hash(trade.trade_id)
        parties: tuple[Trade | MakerFill, ...] = (trade, *trade.makers)
        return [_fill(trade, party, time_ms, named) for party in parties]


def _fill(trade: Trade, party: Trade | MakerFill, time_ms: int, transaction_hash: str) -> Record:
    """What the taker, or one of the makers, did in a trade. Only the taker pays a fee."""
    is_taker, size_micro, cost_micro = party is trade, party.size_micro, party.cost_micro
    return Record(
        party.account_id,
        Kind.TRADE,
        time_ms,
        transaction_hash,
        cost_micro,
        size_micro,
        trade.condition_id,
        party.token_id,
        party.side.value,
        party.price_micro,
        trade.fee_micro if is_taker else 0,
        is_taker,
        [(party.token_id, size_micro if party.side is Side.BUY else -size_micro, cost_micro)],
    )
