"""The engine against the second opinion: the same flows, and after every operation the same market."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings

from tests.exchange.second_opinion import reasons
from tests.exchange.second_opinion.bridge import CODES, differences, first_difference
from tests.exchange.second_opinion.campaign import run
from tests.exchange.second_opinion.flow import DIRECT, FAK, FOK, GTC, GTD, MERGE, MINT, Flow, Outcome, Wallet
from tests.exchange.second_opinion.flows import flows

FLOWS = 400
TRIED = [
    *(f"refused {reason}" for reason in reasons.VENUE_WORDS),
    *(f"legs {kind}" for kind in (DIRECT, MINT, MERGE)),
    *(f"filled {order_type}" for order_type in (GTC, GTD, FOK, FAK)),
    *(f"removed by {name}" for name in ("Advance", "Cancel", "ChangeTick", "Close", "Merge", "PlaceOrder", "Withdraw")),
    "several prices",
]


@pytest.mark.fidelity(
    "Fills, fees, refusals, balances and books are those of a second matcher, written from the venue's documents alone",
    area="Matching",
    evidence="specification",
    source="a second reading by another author",
)
@pytest.mark.slow
def test_both_agree_on_flows_that_try_everything() -> None:
    report = run(range(FLOWS))
    assert not report.differences
    assert [name for name in TRIED if not report.counts[name]] == []


@settings(max_examples=100, derandomize=True, deadline=None)
@given(flows())
def test_both_agree_on_what_hypothesis_draws(flow: Flow) -> None:
    assert first_difference(flow, Counter()) == ""


@pytest.mark.fidelity(
    "A second reading of the rules knows every refusal of an order",
    area="Rejections",
    evidence="specification",
    source="a second reading by another author",
)
def test_every_refusal_of_an_order_has_a_counterpart() -> None:
    shared = {*CODES.values(), reasons.PRECISION_LIMIT, reasons.PRECISION_MARKET}
    shared |= {reasons.FOK_KILLED, reasons.FAK_KILLED}
    assert shared | {reasons.ALREADY_MATCHED, reasons.NOT_FOUND} == set(reasons.VENUE_WORDS)


@pytest.mark.parametrize(
    "changed",
    [
        {"reasons": frozenset({reasons.TICK})},
        {"removed": frozenset({"o1"})},
        {"wallets": {"ann": Wallet(cash=1)}},
        {"resting": {"o1": 1}},
        {"books": {"YES": ((), ())}},
    ],
)
def test_whatever_differs_is_told(changed: dict[str, object]) -> None:
    """Each part of an outcome is compared by itself."""
    assert differences(Outcome(), Outcome()) == []
    assert len(differences(Outcome(), replace(Outcome(), **changed))) == 1  # type: ignore[arg-type]  # fields by name


def test_a_refusal_may_name_any_ground_that_applies() -> None:
    both = Outcome(reasons=frozenset({reasons.TICK, reasons.BALANCE}))
    assert differences(both, Outcome(reasons=frozenset({reasons.BALANCE}))) == []
    assert differences(both, Outcome(reasons=frozenset({reasons.SIZE}))) != []
    assert differences(both, Outcome()) != []
