"""An order's state is what its facts say: whatever their order, however often they are told, however late they come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from prescient.domain.errors import InvariantBroken
from prescient.domain.order import OrderStatus
from prescient.domain.order_state import Amounts, Fact, FactKind, OrderState, fill_id, state_of

START = datetime(2026, 6, 1, tzinfo=UTC)
ORDER = "order:1"
SEED = 20_260_601
HISTORIES, TELLINGS = 2_000, 50
SHARE = 1_000_000


@dataclass
class History:
    """One order's life as it truly went, and the state that a reader of the whole life would give it."""

    facts: list[Fact]
    status: OrderStatus
    confirmed: int = 0
    reversed: int = 0
    matched: int = 0


def fact(kind: FactKind, fill: int | None = None, size: int = 0, cost: int = 0) -> Fact:
    name = "" if fill is None else fill_id(ORDER, fill)
    return Fact(kind, ORDER, START, name, size_micro=size, cost_micro=cost, fee_micro=cost // 100)


def lived(random: Random) -> History:
    """A valid life: drafted, perhaps refused; sent, perhaps unanswered; matched in parts, settled or not; ended or open."""
    wanted = random.choice((0, 5 * SHARE))
    facts = [fact(FactKind.DRAFTED, size=wanted, cost=0 if wanted else 3 * SHARE)]
    if random.random() < 0.1:
        return History([*facts, fact(FactKind.REFUSED)], OrderStatus.REFUSED)
    facts.append(fact(FactKind.APPROVED))
    if random.random() < 0.05:
        return History(facts, OrderStatus.APPROVED)
    facts.append(fact(FactKind.SUBMITTED))
    unanswered = random.random() < 0.3
    facts += [fact(FactKind.UNANSWERED)] if unanswered else []
    fate = random.choice(
        ("silence", "rejected", "rests", "waits", "canceled", "expired", "whole", "cut", "filled after cancel")
    )
    if fate == "silence":
        return History(facts, OrderStatus.UNKNOWN if unanswered else OrderStatus.SUBMITTED)
    if fate == "rejected":
        return History([*facts, fact(FactKind.REJECTED)], OrderStatus.REJECTED)
    facts += [fact(FactKind.ACKNOWLEDGED)] if fate in ("rests", "waits") or random.random() < 0.5 else []
    facts += [fact(FactKind.CANCEL_REQUESTED)] if fate in ("canceled", "filled after cancel") else []
    history = History(facts, OrderStatus.OPEN)
    matches(history, random, whole=fate in ("whole", "filled after cancel"), some=fate not in ("canceled", "waits"))
    if fate in ("rests", "waits"):
        history.status = OrderStatus.PARTIALLY_FILLED if history.matched else OrderStatus.OPEN
        return history
    endings = {"canceled": FactKind.CANCELED, "expired": FactKind.EXPIRED, "cut": FactKind.CANCELED}
    history.facts.append(fact(endings.get(fate, FactKind.COMPLETED)))
    if fate == "filled after cancel":
        history.facts.append(fact(FactKind.CANCELED))
    history.status = OrderStatus(endings[fate].value.upper()) if fate in endings else OrderStatus.FILLED
    return history


def matches(history: History, random: Random, *, whole: bool, some: bool) -> None:
    """Add one to five fills, each settled as far as it is; fewer than all shares unless ``whole``."""
    if not some:
        return
    count = 5 if whole else random.randrange(1, 5)
    for number in range(count):
        history.facts.append(fact(FactKind.MATCHED, number, SHARE, SHARE // 2 + number))
        history.matched += SHARE
        steps = random.choice(("", "m", "mc", "rmc", "rf", "rmrmc", "mf"))
        kinds = {"m": FactKind.MINED, "c": FactKind.CONFIRMED, "r": FactKind.RETRYING, "f": FactKind.FAILED}
        history.facts += [fact(kinds[step], number) for step in steps]
        history.confirmed += SHARE * steps.endswith("c")
        history.reversed += SHARE * steps.endswith("f")


def told(random: Random, facts: list[Fact], later: list[Fact]) -> list[Fact]:
    """The same facts in another order, some told once more at another time."""
    again = [*facts, *random.sample(later, k=random.randrange(len(later)))]
    random.shuffle(again)
    return again


def once_more(facts: list[Fact]) -> list[Fact]:
    return [replace(one, time=one.time + timedelta(seconds=number + 1)) for number, one in enumerate(facts)]


def test_a_hundred_thousand_tellings_of_two_thousand_lives_give_one_state_each() -> None:
    random = Random(SEED)
    seen: set[OrderStatus] = set()
    for _ in range(HISTORIES):
        history = lived(random)
        state = state_of(history.facts)
        assert state.status is history.status, history
        assert (state.matched.size_micro, state.confirmed.size_micro, state.reversed.size_micro) == (
            history.matched,
            history.confirmed,
            history.reversed,
        ), history
        parts = (state.pending, state.mined, state.confirmed, state.reversed)
        assert sum(part.cost_micro for part in parts) == state.matched.cost_micro
        later = once_more(history.facts)
        for _ in range(TELLINGS):
            assert state_of(told(random, history.facts, later)) == state, f"seed {SEED}: {history}"
        seen.add(state.status)
    assert seen == set(OrderStatus) - {OrderStatus.DRAFT}


def test_late_facts_lead_to_the_state_of_all_of_them() -> None:
    """Whatever has come so far, folding the rest in gives the state of the whole, and a final status stays final."""
    random = Random(SEED + 1)
    for _ in range(300):
        history = lived(random)
        sequence = told(random, history.facts, once_more(history.facts))
        final: OrderStatus | None = None
        for count in range(1, len(sequence) + 1):
            now = state_of(sequence[:count])
            if final in (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.FILLED):
                assert now.status in (final, OrderStatus.FILLED, OrderStatus.CANCELED), sequence[:count]
            final = now.status
        assert state_of(sequence) == state_of(history.facts)


def test_a_fill_after_the_cancel_counts() -> None:
    canceled = [fact(FactKind.DRAFTED, size=2 * SHARE), fact(FactKind.APPROVED), fact(FactKind.CANCELED)]
    assert state_of(canceled) == OrderState(OrderStatus.CANCELED)
    part = state_of([*canceled, fact(FactKind.MATCHED, 0, SHARE, 600_000)])
    assert (part.status, part.filled_micro) == (OrderStatus.CANCELED, SHARE)
    whole = state_of([*canceled, fact(FactKind.MATCHED, 0, SHARE, 1), fact(FactKind.MATCHED, 1, SHARE, 1)])
    assert (whole.status, whole.filled_micro) == (OrderStatus.FILLED, 2 * SHARE)


@pytest.mark.parametrize(
    ("truth", "status"),
    [
        (fact(FactKind.MATCHED, 0, SHARE, 1), OrderStatus.PARTIALLY_FILLED),
        (fact(FactKind.ACKNOWLEDGED), OrderStatus.OPEN),
        (fact(FactKind.CANCELED), OrderStatus.CANCELED),
        (fact(FactKind.EXPIRED), OrderStatus.EXPIRED),
        (fact(FactKind.REJECTED), OrderStatus.REJECTED),
    ],
)
def test_unknown_ends_with_the_first_fact_that_tells_the_truth(truth: Fact, status: OrderStatus) -> None:
    sent = [fact(FactKind.DRAFTED), fact(FactKind.APPROVED), fact(FactKind.SUBMITTED), fact(FactKind.UNANSWERED)]
    assert state_of(sent).status is OrderStatus.UNKNOWN
    assert state_of([*sent, truth]).status is status
    assert state_of([truth, *sent]).status is status


def test_a_fill_told_confirmed_and_failed_is_disputed_and_stays_pending() -> None:
    match = fact(FactKind.MATCHED, 0, SHARE, 500_000)
    state = state_of([match, fact(FactKind.FAILED, 0), fact(FactKind.CONFIRMED, 0)])
    assert state.disputed == (fill_id(ORDER, 0),)
    assert state.pending == Amounts(SHARE, 500_000, 5_000)
    assert state.confirmed == state.reversed == Amounts()


def test_a_settlement_told_before_its_match_waits_for_it() -> None:
    early = state_of([fact(FactKind.MINED, 0)])
    assert (early.status, early.mined) == (OrderStatus.DRAFT, Amounts())
    assert state_of([fact(FactKind.MINED, 0), fact(FactKind.MATCHED, 0, SHARE, 1)]).mined.size_micro == SHARE


def test_one_fact_told_in_two_ways_is_refused() -> None:
    one, other = fact(FactKind.MATCHED, 0, SHARE, 1), fact(FactKind.MATCHED, 0, SHARE, 2)
    for facts in ([one, other], [other, one]):
        with pytest.raises(InvariantBroken):
            state_of(facts)
    with pytest.raises(InvariantBroken):
        state_of([fact(FactKind.DRAFTED), replace(fact(FactKind.APPROVED), order_id="order:2")])
