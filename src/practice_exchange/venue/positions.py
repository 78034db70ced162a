"""What an account holds and what it paid: shares, average price and profit of each token, from its records alone.

The rules are those of the venue's public profit-and-loss index: sales realise against the average price, which they leave
as it is; a split buys both outcomes at half a dollar each and a merge sells them so; a redemption sells at the payout;
a conversion gives NO up at its average price, and the YES that come of it cost what is left.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from practice_exchange.venue.records import Kind, Record, Records


class Position(msgspec.Struct):
    """One token of one account, amounts in micro. ``cost_micro`` is what the shares still held cost without fees,
    ``fees_micro`` the fees paid on them; ``price_micro`` is the average price, kept when nothing is held any more.
    """

    account_id: str
    condition_id: str
    token_id: str
    size_micro: int = 0
    cost_micro: int = 0
    fees_micro: int = 0
    price_micro: int = 0
    bought_micro: int = 0
    spent_micro: int = 0
    realized_micro: int = 0
    first_ms: int = 0
    last_ms: int = 0

    def buy(self, size_micro: int, cost_micro: int, fee_micro: int) -> None:
        self.size_micro += size_micro
        self.cost_micro += cost_micro
        self.fees_micro += fee_micro
        self.bought_micro += size_micro
        self.spent_micro += cost_micro
        if self.size_micro:
            self.price_micro = self.cost_micro * MICRO // self.size_micro

    def sell(self, size_micro: int, proceeds_micro: int) -> None:
        """Shares beyond what is known here (there are none) would realise nothing."""
        known_micro = min(size_micro, self.size_micro)
        if known_micro == 0:
            return
        cost_micro = self.cost_micro * known_micro // self.size_micro
        self.fees_micro -= self.fees_micro * known_micro // self.size_micro
        self.realized_micro += proceeds_micro * known_micro // size_micro - cost_micro
        self.size_micro -= known_micro
        self.cost_micro -= cost_micro


class Positions:
    """Every position by account and token, kept in step with the records.

    ``condition_of`` finds the market of a token.
    """

    def __init__(self, records: Records, condition_of: Callable[[str], str]) -> None:
        self._records = records
        self._condition_of = condition_of
        self._positions: dict[str, dict[str, Position]] = {}
        records.listeners.append(self.follow)

    def of(self, account_id: str) -> list[Position]:
        """An account's positions, those that are over included, oldest first."""
        return list(self._positions.get(account_id, {}).values())

    def everybody(self) -> list[Position]:
        return [position for held in self._positions.values() for position in held.values()]

    def rebuild(self) -> None:
        """Compute everything anew from the records, after they were read back."""
        self._positions.clear()
        for records in self._records.state.values():
            for record in records:
                self.follow(record)

    def follow(self, record: Record) -> None:
        """Apply one more record."""
        if record.kind is Kind.CONVERSION:
            self._convert(record)
            return
        for token_id, size_micro, dollars_micro in record.shares:
            position = self._position(record, token_id)
            if size_micro > 0:
                fee_micro = record.fee_micro if record.side == Side.BUY.value else 0
                position.buy(size_micro, dollars_micro, fee_micro)
            elif size_micro < 0:
                position.sell(-size_micro, dollars_micro)

    def _convert(self, record: Record) -> None:
        """NO given up at its average price; what that is worth beyond the dollars paid out buys the YES in equal parts.

        Where the dollars are worth more than was given, the rest is realised at once.
        """
        given = [self._position(record, token_id) for token_id, size_micro, _ in record.shares if size_micro < 0]
        gained = [token_id for token_id, size_micro, _ in record.shares if size_micro > 0]
        cost_micro = 0
        for position in given:
            before_micro = position.cost_micro
            position.sell(record.size_micro, position.price_micro * record.size_micro // MICRO)
            cost_micro += before_micro - position.cost_micro
        rest_micro = cost_micro - record.usdc_micro
        if rest_micro < 0 or not gained:
            given[0].realized_micro -= rest_micro
            rest_micro = 0
        for token_id in gained:
            self._position(record, token_id).buy(record.size_micro, rest_micro // len(gained), 0)

    def _position(self, record: Record, token_id: str) -> Position:
        held = self._positions.setdefault(record.account_id, {})
        position = held.get(token_id)
        if position is None:
            condition_id = self._condition_of(token_id)
            position = held[token_id] = Position(record.account_id, condition_id, token_id, first_ms=record.time_ms)
        position.last_ms = record.time_ms
        return position
