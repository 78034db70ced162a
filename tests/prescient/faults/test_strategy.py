"""A strategy that raises or talks nonsense costs the markets it fails on, and says so; the cycle and the others go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from polymarket_kit.model import Side
from polymarket_kit.values import MICRO
from prescient.adapters.strategy_files import StrategyFileError, load_strategies
from prescient.administration.portfolios import PortfolioForm, create_portfolio
from prescient.domain.cycle import CycleReport, CycleRequest, CycleStatus
from prescient.domain.signal import MarketView, Pass, Proposal, Step
from prescient.ports.context import TradingContext
from prescient.ports.strategy import Parameter
from prescient.reports.explain import explain
from prescient.steps.local import LocalCycleSteps
from prescient.trading.cycle import start_cycle
from tests.fakes import StaticMarketData, binary_market, context_over

BAD_MARKET = "m2"


@dataclass
class Faulty:
    """Buys the first outcome of every market, but does something else on the bad one."""

    instead: Any
    name: str = "faulty"
    description: str = "Fails on one market"
    parameters: tuple[Parameter, ...] = ()
    history_hours: int = 0

    def decide(self, view: MarketView, config: dict[str, Any]) -> Sequence[Proposal] | Pass:
        token = view.market.outcomes[0].token_id
        good = Proposal(token, Side.BUY, MICRO, view.books[token].asks[0].price_micro, "always")
        if view.market.market_id != BAD_MARKET:
            return [good]
        answer: Sequence[Proposal] | Pass = self.instead(good)
        return answer


def raises(_: Proposal) -> Any:
    raise ZeroDivisionError("division by zero\x00\nin a strategy")


def without_end(good: Proposal) -> Any:
    return without_end(good)


NONSENSE = {
    "raises": raises,
    "recursion": without_end,
    "nothing": lambda good: None,
    "empty": lambda good: [],
    "text": lambda good: "buy",
    "one, not in a list": lambda good: good,
    "generator": lambda good: (each for each in [good]),
    "dict": lambda good: {good.token_id: good},
    "other objects": lambda good: [(good.token_id, "BUY")],
    "too many": lambda good: [good] * 21,
    "unknown token": lambda good: [replace(good, token_id="12345")],
    "token of another market": lambda good: [replace(good, token_id="11")],
    "token is no text": lambda good: [replace(good, token_id=["21"])],
    "side": lambda good: [replace(good, side="HOLD")],
    "negative score": lambda good: [replace(good, score_micro=-1)],
    "score above 1": lambda good: [replace(good, score_micro=MICRO + 1)],
    "score as a fraction": lambda good: [replace(good, score_micro=0.9)],
    "score is NaN": lambda good: [replace(good, score_micro=float("nan"))],
    "score is True": lambda good: [replace(good, score_micro=True)],
    "price 2.0": lambda good: [replace(good, reference_price_micro=2 * MICRO)],
    "price 1": lambda good: [replace(good, reference_price_micro=MICRO)],
    "price 0": lambda good: [replace(good, reference_price_micro=0)],
    "price of nothing": lambda good: [replace(good, reference_price_micro=None)],
    "negative size": lambda good: [replace(good, size_micro=-5)],
    "sale of nothing": lambda good: [replace(good, side=Side.SELL)],
    "endless size": lambda good: [replace(good, size_micro=10**30)],
    "one good, one bad": lambda good: [good, replace(good, score_micro=-1)],
    "reason with NUL": lambda good: [replace(good, reason="a\x00b")],
    "reason is no text": lambda good: [replace(good, reason=None)],
    "pass without a code": lambda good: Pass(""),
    "pass with a number": lambda good: Pass("code", 5),  # type: ignore[arg-type]  # the fault under test
    "pass with NUL": lambda good: Pass("co\x00de"),
}


def context_with(instead: Any) -> TradingContext:
    data = StaticMarketData()
    for number in (1, 2, 3):
        data.add(binary_market(number), [("0.54", "3000")], [("0.55", "5000")])
    context = context_over(data)
    context.strategies["faulty"] = Faulty(instead)
    return context


async def run(context: TradingContext) -> CycleReport:
    request = CycleRequest(context.ids.new("cycle"), ())
    return await start_cycle(context.store, LocalCycleSteps(context), context.clock, request)


@pytest.mark.parametrize("instead", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_costs_one_market(instead: Any) -> None:
    context = context_with(instead)
    first = await create_portfolio(context, PortfolioForm("Faulty", 1_000 * MICRO, "faulty"))
    second = await create_portfolio(context, PortfolioForm("Sound", 1_000 * MICRO, "majority"))

    with structlog.testing.capture_logs() as logs:
        report = await run(context)

    assert report.status is CycleStatus.COMPLETED
    assert report.total(Step.DECIDE).dropped == {"strategy_error": 1}
    assert len(await context.store.trades(first.portfolio_id, 10)) == 2
    assert len(await context.store.trades(second.portfolio_id, 10)) == 3
    (line,) = [entry for entry in logs if entry["event"] == "strategy_error"]
    assert (line["log_level"], line["strategy"], line["market_id"]) == ("error", "faulty", BAD_MARKET)
    rows = await context.store.decisions(subject_id=BAD_MARKET, portfolio_id=first.portfolio_id)
    (decision,) = [row for _, _, row in rows if row.step is Step.DECIDE]
    assert (decision.code, decision.setting, decision.number) == ("strategy_error", "strategy_type", line["reason"])
    assert decision.number.isprintable()


async def test_explain_says_that_the_strategy_failed() -> None:
    context = context_with(raises)
    portfolio = await create_portfolio(context, PortfolioForm("Faulty", 1_000 * MICRO, "faulty"))
    await run(context)
    found = await explain(context, market=BAD_MARKET, portfolio_id=portfolio.portfolio_id)
    assert found.message == (
        "Stopped at step decide: the strategy itself failed: "
        "ZeroDivisionError: division by zero??in a strategy (strategy_type)."
    )


async def test_a_fault_on_every_market_is_logged_once() -> None:
    data = StaticMarketData()
    for number in range(1, 40):
        data.add(replace(binary_market(number), market_id=BAD_MARKET + str(number)), [("0.54", "9")], [("0.55", "9")])
    context = context_over(data)

    class Always(Faulty):
        def decide(self, view: MarketView, config: dict[str, Any]) -> Sequence[Proposal] | Pass:
            raise KeyError("missing")

    context.strategies["faulty"] = Always(None)
    await create_portfolio(context, PortfolioForm("Faulty", 1_000 * MICRO, "faulty"))
    with structlog.testing.capture_logs() as logs:
        report = await run(context)
    assert report.total(Step.DECIDE).dropped == {"strategy_error": 39}
    assert sum(entry["event"] == "strategy_error" for entry in logs) == 1


@pytest.mark.parametrize("fault", ["gone", "other parameters"])
async def test_a_strategy_that_is_gone_or_changed_stops_its_own_portfolio_alone(fault: str) -> None:
    context = context_with(lambda good: [good])
    knob = Parameter("knob", "number", 1, "A knob", 0, 10)
    context.strategies["faulty"] = Faulty(lambda good: [good], parameters=(knob,))
    form = PortfolioForm("Faulty", 1_000 * MICRO, "faulty", strategy_config={"knob": 5})
    first = await create_portfolio(context, form)
    second = await create_portfolio(context, PortfolioForm("Sound", 1_000 * MICRO, "majority"))
    del context.strategies["faulty"]
    if fault == "other parameters":
        context.strategies["faulty"] = Faulty(lambda good: [good])

    report = await run(context)

    assert report.status is CycleStatus.COMPLETED
    assert report.total(Step.DECIDE).dropped == {"strategy_error": 3}
    assert await context.store.trades(first.portfolio_id, 10) == []
    assert len(await context.store.trades(second.portfolio_id, 10)) == 3
    # Marked and written down like every other portfolio.
    assert len(await context.store.history(first.portfolio_id, 5)) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("history_hours, parameters = '24', ()", "history_hours must be a whole number"),
        ("history_hours, parameters = -1, ()", "history_hours must be a whole number"),
        ("history_hours, parameters = 0, None", "parameters must be a tuple of Parameter"),
        ("history_hours, parameters = 0, ('knob',)", "parameters must be a tuple of Parameter"),
    ],
)
def test_a_file_whose_attributes_make_no_sense_does_not_load(tmp_path: Path, body: str, message: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        f"class Mine:\n    name = description = 'mine'\n    {body}\n"
        "    def decide(self, view, config): ...\nSTRATEGY = Mine()\n"
    )
    with pytest.raises(StrategyFileError, match=message):
        load_strategies(str(file))
