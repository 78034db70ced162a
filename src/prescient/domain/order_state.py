"""What is known of an order, as facts, and the state that follows from them: the same from any order of arrival.

Stands below booking and the store: a booking brings facts, the store keeps them, and ``orders.status`` is what they say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from prescient.domain.errors import InvariantBroken
from prescient.domain.order import (
    TERMINAL_STATUSES,
    Accepted,
    ApprovedOrder,
    OrderIntent,
    OrderStatus,
    Rejected,
    Submission,
    Unknown,
    Wire,
)


class FactKind(StrEnum):
    DRAFTED = "drafted"
    APPROVED = "approved"
    REFUSED = "refused"
    SUBMITTED = "submitted"
    UNANSWERED = "unanswered"
    ACKNOWLEDGED = "acknowledged"
    MATCHED = "matched"
    # The venue says that nothing of the order is left; an order in dollars does not tell so by its size.
    COMPLETED = "completed"
    RETRYING = "retrying"
    MINED = "mined"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


ENDINGS = {
    OrderStatus.CANCELED: FactKind.CANCELED,
    OrderStatus.EXPIRED: FactKind.EXPIRED,
    OrderStatus.REJECTED: FactKind.REJECTED,
    OrderStatus.FILLED: FactKind.COMPLETED,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known of an order. The same thing told twice has the same id, whenever it was told.

    ``fill_id`` is that of the fill it is about, or empty. Amounts in micro-units: those of a match, or (``size_micro``
    of a draft) the shares that the order asks for, zero where it names dollars. ``text`` is a reason, an order hash or,
    of a match, the venue's name of it.
    """

    kind: FactKind
    order_id: str
    time: datetime
    fill_id: str = ""
    price_micro: int = 0
    size_micro: int = 0
    cost_micro: int = 0
    fee_micro: int = 0
    text: str = ""

    @property
    def fact_id(self) -> str:
        """The fact's name among those of its order."""
        return f"{self.kind.value}:{self.fill_id}" if self.fill_id else self.kind.value

    @property
    def match_id(self) -> str:
        """The venue's name of a match, as in ``matches_of``."""
        return self.text or self.fill_id

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        return self.price_micro, self.size_micro, self.cost_micro, self.fee_micro


@dataclass(frozen=True, slots=True)
class Amounts:
    """What some fills of an order come to, in micro-shares and micro-dollars."""

    size_micro: int = 0
    cost_micro: int = 0
    fee_micro: int = 0

    def plus(self, fact: Fact) -> Amounts:
        return Amounts(
            self.size_micro + fact.size_micro, self.cost_micro + fact.cost_micro, self.fee_micro + fact.fee_micro
        )


@dataclass(frozen=True, slots=True)
class OrderState:
    """What an order's facts say. ``matched`` is ``pending``, ``mined``, ``confirmed`` and ``reversed`` together.

    ``pending``: matched, and the chain has not said anything final. ``mined`` may be sold again and spent.
    ``disputed`` names fills that are told both confirmed and failed; they stay pending until somebody has looked.
    """

    status: OrderStatus
    matched: Amounts = Amounts()
    pending: Amounts = Amounts()
    mined: Amounts = Amounts()
    confirmed: Amounts = Amounts()
    reversed: Amounts = Amounts()
    cancel_requested: bool = False
    disputed: tuple[str, ...] = ()

    @property
    def filled_micro(self) -> int:
        """The shares that the order truly moved: all that matched and was not reversed."""
        return self.matched.size_micro - self.reversed.size_micro


def state_of(facts: Iterable[Fact]) -> OrderState:
    """Fold the set of an order's facts: duplicates, another order of arrival and late facts change nothing.

    Raises InvariantBroken when one fact is told with two different contents, or facts of several orders are mixed.
    """
    known: dict[tuple[FactKind, str], Fact] = {}
    told: dict[str, set[FactKind]] = {}
    for fact in facts:
        first = known.setdefault((fact.kind, fact.fill_id), fact)
        if first.order_id != fact.order_id or first.numbers != fact.numbers:
            raise InvariantBroken(f"order {fact.order_id}: {fact.fact_id} has conflicting contents")
        told.setdefault(fact.fill_id, set()).add(fact.kind)
    kinds = told.pop("", set())
    sums = dict.fromkeys(("pending", "mined", "confirmed", "reversed"), Amounts())
    matched = Amounts()
    for (kind, fill), fact in known.items():
        if fact.order_id != first.order_id:
            raise InvariantBroken("facts of several orders do not make one state")
        if kind is FactKind.MATCHED:
            matched = matched.plus(fact)
            where = _settled(told[fill])
            sums[where] = sums[where].plus(fact)
    return OrderState(
        status=_status(kinds, matched.size_micro, known.get((FactKind.DRAFTED, ""))),
        matched=matched,
        cancel_requested=FactKind.CANCEL_REQUESTED in kinds,
        disputed=tuple(sorted(fill for fill, said in told.items() if {FactKind.CONFIRMED, FactKind.FAILED} <= said)),
        **sums,
    )


def _settled(said: set[FactKind]) -> str:
    """Where one fill stands by all that was said of it."""
    if FactKind.FAILED in said:
        return "pending" if FactKind.CONFIRMED in said else "reversed"
    if FactKind.CONFIRMED in said:
        return "confirmed"
    return "mined" if FactKind.MINED in said else "pending"


def _status(kinds: set[FactKind], matched_micro: int, draft: Fact | None) -> OrderStatus:
    """What matched counts before all else; then the end of the order; then how far it has come.

    A fill that the chain reverses does not bring its order back: the venue puts nothing back on the book.
    """
    wanted_micro = draft.size_micro if draft is not None else 0
    if matched_micro and (FactKind.COMPLETED in kinds or 0 < wanted_micro <= matched_micro):
        return OrderStatus.FILLED
    if FactKind.EXPIRED in kinds and FactKind.CANCELED not in kinds:
        return OrderStatus.EXPIRED
    if FactKind.CANCELED in kinds or (matched_micro and FactKind.REJECTED in kinds):
        return OrderStatus.CANCELED
    if matched_micro:
        return OrderStatus.PARTIALLY_FILLED
    for kind, status in _REACHED:
        if kind in kinds:
            return status
    return OrderStatus.DRAFT


# Without a match and without an end at the venue: the first of these that is known.
_REACHED = (
    (FactKind.REJECTED, OrderStatus.REJECTED),
    (FactKind.REFUSED, OrderStatus.REFUSED),
    (FactKind.ACKNOWLEDGED, OrderStatus.OPEN),
    (FactKind.UNANSWERED, OrderStatus.UNKNOWN),
    (FactKind.SUBMITTED, OrderStatus.SUBMITTED),
    (FactKind.APPROVED, OrderStatus.APPROVED),
)


def booked_state(order_id: str, status: OrderStatus, kept: Iterable[Fact], told: Iterable[Fact]) -> OrderState:
    """The state of an order after a booking that tells these facts; ``kept`` are those that the store has.

    Raises InvariantBroken when nothing is told, or the order has a final status and no new fill is told: what is
    booked stays booked, and only a fill that really happened comes after the end.
    """
    kept, told = tuple(kept), tuple(told)
    if not told:
        raise InvariantBroken(f"order {order_id}: a booking that tells nothing; nothing was booked")
    state = state_of([*kept, *told])
    if status in TERMINAL_STATUSES:
        known = {fact.fact_id for fact in kept}
        filled = any(fact.kind is FactKind.MATCHED and fact.fact_id not in known for fact in told)
        if not filled or status in (OrderStatus.FILLED, OrderStatus.REFUSED):
            raise InvariantBroken(f"order {order_id} is {status} already; nothing was booked again")
    return state


def drafted(intent: OrderIntent, time: datetime) -> Fact:
    """An order was drafted: what it asks for."""
    return Fact(
        FactKind.DRAFTED,
        intent.order_id,
        time,
        price_micro=intent.limit_price_micro,
        size_micro=intent.size_micro,
        cost_micro=intent.amount_micro,
    )


def approved(order: ApprovedOrder, time: datetime) -> tuple[Fact, ...]:
    """The draft passed the gate and is reserved: both facts of one commit."""
    passed = Fact(
        FactKind.APPROVED,
        order.intent.order_id,
        time,
        size_micro=order.reserved_shares_micro,
        cost_micro=order.reserved_cash_micro,
    )
    return drafted(order.intent, time), passed


def refused(intent: OrderIntent, reason: str, time: datetime) -> tuple[Fact, ...]:
    """The draft did not pass the gate: it is kept, and nothing is sent."""
    return drafted(intent, time), Fact(FactKind.REFUSED, intent.order_id, time, text=reason)


def submitted(order_id: str, wire: Wire, time: datetime) -> Fact:
    """What is sent for the order is committed: from now on it may be at the venue."""
    return Fact(FactKind.SUBMITTED, order_id, time, text=wire.order_hash.hex())


def fill_id(order_id: str, number: int) -> str:
    """The name of an order's fill, counted from zero over the order's whole life; the ledger counts alike."""
    assert number >= 0
    return f"{order_id}:{number}"


def matches_of(facts: Iterable[Fact]) -> dict[str, Fact]:
    """The matches among an order's facts, by the venue's names of them."""
    return {fact.match_id: fact for fact in facts if fact.kind is FactKind.MATCHED}


def answered(order_id: str, answer: Submission, time: datetime, first_number: int = 0) -> tuple[Fact, ...]:
    """What an answer of the venue tells. ``first_number`` is how many of the order's fills were told before."""
    if isinstance(answer, Unknown):
        return (Fact(FactKind.UNANSWERED, order_id, time, text=answer.reason),)
    if isinstance(answer, Rejected):
        return (Fact(FactKind.REJECTED, order_id, time, text=answer.code),)
    facts = [
        Fact(
            FactKind.MATCHED,
            order_id,
            answer.time,
            fill_id(order_id, number),
            fill.price_micro,
            fill.size_micro,
            fill.cost_micro,
            fill.fee_micro,
            fill.match_id,
        )
        for number, fill in enumerate(answer.fills, first_number)
    ]
    return (*facts, *_end_or_rest(order_id, answer, time))


def _end_or_rest(order_id: str, answer: Accepted, time: datetime) -> tuple[Fact, ...]:
    kind = ENDINGS.get(answer.status)
    if kind is not None:
        return (Fact(kind, order_id, time, text=answer.reason),)
    return (Fact(FactKind.ACKNOWLEDGED, order_id, time),)
