"""The double-entry ledger: every cent and every share moves from one account to another, and is never changed after.

One transfer is one debit, one credit and one positive amount of one asset, so the books balance by construction
(after TigerBeetle's shape). Cash is the sum of CASH and RESERVED; corrections are new transfers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from polymarket_kit.model import Side
from prescient.domain.order import Fill

USD = "USD"

CASH = "cash"
RESERVED = "reserved"
SHARES = "shares"
# The other side of each transfer: what the portfolio does not own.
CAPITAL = "capital"
VENUE = "venue"
FEES = "fees"
ACCOUNTS = (CASH, RESERVED, SHARES, CAPITAL, VENUE, FEES)
OWN_ACCOUNTS = frozenset({CASH, RESERVED, SHARES})


@dataclass(frozen=True, slots=True)
class Transfer:
    """Moves ``amount_micro`` of ``asset`` (USD or a token id) from ``debit`` to ``credit``.

    ``transfer_id`` is made from what happened, so that booking the same thing twice is refused by the store.
    """

    transfer_id: str
    portfolio_id: int
    group_id: str
    kind: str
    asset: str
    debit: str
    credit: str
    amount_micro: int
    time: datetime

    def __post_init__(self) -> None:
        if self.amount_micro <= 0 or self.debit == self.credit:
            raise ValueError(f"transfer {self.transfer_id} moves nothing")
        if self.debit not in ACCOUNTS or self.credit not in ACCOUNTS:
            raise ValueError(f"transfer {self.transfer_id} names an unknown account")


def opening(portfolio_id: int, amount_micro: int, time: datetime) -> list[Transfer]:
    """Book the initial balance."""
    assert amount_micro > 0
    group = f"open:{portfolio_id}"
    return [Transfer(f"{group}:capital", portfolio_id, group, "opening", USD, CAPITAL, CASH, amount_micro, time)]


def reservation(portfolio_id: int, order_id: str, amount_micro: int, time: datetime) -> list[Transfer]:
    """Set cash aside for an order that is on its way."""
    assert amount_micro >= 0
    group = f"reserve:{order_id}"
    return _moves(group, portfolio_id, "reserve", time, [("hold", USD, CASH, RESERVED, amount_micro)])


def release(portfolio_id: int, order_id: str, amount_micro: int, time: datetime, part: str = "") -> list[Transfer]:
    """Give a reservation back; fills are then paid from cash in the same transaction.

    ``part`` names a part of it that comes free while the order rests on; without it, it is the end of the reservation.
    """
    assert amount_micro >= 0
    group = f"release:{order_id}" + (f":{part}" if part else "")
    return _moves(group, portfolio_id, "release", time, [("free", USD, RESERVED, CASH, amount_micro)])


def fills(
    portfolio_id: int,
    order_id: str,
    token_id: str,
    side: Side,
    matched: Iterable[Fill],
    time: datetime,
    first_number: int = 0,
) -> list[Transfer]:
    """Book the fills of one order: money one way, shares the other, fees apart.

    ``first_number`` is how many fills the order had before: each has a number, so that it is booked once.
    """
    transfers: list[Transfer] = []
    for number, fill in enumerate(matched, first_number):
        assert fill.size_micro > 0 and fill.cost_micro >= 0 and fill.fee_micro >= 0
        group = f"fill:{order_id}:{number}"
        money, shares = (CASH, VENUE), (VENUE, SHARES)
        if side is Side.SELL:
            money, shares = (VENUE, CASH), (SHARES, VENUE)
        transfers += _moves(
            group,
            portfolio_id,
            side.value.lower(),
            time,
            [
                ("money", USD, *money, fill.cost_micro),
                ("fee", USD, CASH, FEES, fill.fee_micro),
                ("shares", token_id, *shares, fill.size_micro),
            ],
        )
    assert all(transfer.amount_micro > 0 for transfer in transfers)
    return transfers


def reversal(
    portfolio_id: int, trade_id: str, token_id: str, side: Side, amounts: tuple[int, int, int], time: datetime
) -> list[Transfer]:
    """Take back what the fills of a failed trade moved. ``amounts``: its shares, dollars and fee in micro-units."""
    size, cost, fee = amounts
    assert size > 0 and cost >= 0 and fee >= 0
    money, shares = (VENUE, CASH), (SHARES, VENUE)
    if side is Side.SELL:
        money, shares = (CASH, VENUE), (VENUE, SHARES)
    legs = [("money", USD, *money, cost), ("fee", USD, FEES, CASH, fee), ("shares", token_id, *shares, size)]
    transfers = _moves(f"reverse:{trade_id}", portfolio_id, "reversal", time, legs)
    assert transfers[-1].amount_micro == size
    return transfers


def settlement(
    portfolio_id: int,
    condition_id: str,
    token_id: str,
    size_micro: int,
    payout_micro: int,
    time: datetime,
    number: int = 1,
) -> list[Transfer]:
    """Book a final resolution: the shares go, the payout comes. Its id allows it once per portfolio, token and number.

    ``number`` is above 1 only for shares whose purchase was booked after an earlier payout.
    """
    assert size_micro > 0 and payout_micro >= 0 and number > 0
    group = f"settle:{portfolio_id}:{token_id}" + (f":{number}" if number > 1 else "")
    return _moves(
        group,
        portfolio_id,
        "settlement",
        time,
        [("shares", token_id, SHARES, VENUE, size_micro), ("money", USD, VENUE, CASH, payout_micro)],
    )


def swapped(
    portfolio_id: int,
    name: str,
    kind: str,
    given: Iterable[tuple[str, int]],
    gained: Iterable[tuple[str, int]],
    time: datetime,
) -> list[Transfer]:
    """Book shares that turn into dollars and other shares: (token or USD, amount in micro) each way.

    ``name`` is unique to what happened (``merge:...``, ``convert:...``), so that it is booked once.
    """
    out = [(f"out:{asset}", asset, CASH if asset == USD else SHARES, VENUE, amount) for asset, amount in given]
    back = [(f"in:{asset}", asset, VENUE, CASH if asset == USD else SHARES, amount) for asset, amount in gained]
    return _moves(name, portfolio_id, kind, time, [*out, *back])


def _moves(
    group: str, portfolio_id: int, kind: str, time: datetime, legs: list[tuple[str, str, str, str, int]]
) -> list[Transfer]:
    return [
        Transfer(f"{group}:{leg}", portfolio_id, group, kind, asset, debit, credit, amount, time)
        for leg, asset, debit, credit, amount in legs
        if amount > 0
    ]


def balances(transfers: Iterable[Transfer]) -> dict[tuple[int, str, str], int]:
    """Return the balance of each (portfolio, account, asset): credits minus debits. Their sum per asset is zero."""
    result: dict[tuple[int, str, str], int] = defaultdict(int)
    for transfer in transfers:
        result[transfer.portfolio_id, transfer.debit, transfer.asset] -= transfer.amount_micro
        result[transfer.portfolio_id, transfer.credit, transfer.asset] += transfer.amount_micro
    return dict(result)
