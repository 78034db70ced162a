"""What each strategy buys and why it passes; a strategy in a user's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from polymarket_kit.errors import InvalidRequest
from polymarket_kit.model import Level, Side
from polymarket_kit.values import MICRO
from prescient.adapters.strategy_files import StrategyFileError, load_strategies
from prescient.domain.market import OrderBook, PricePoint
from prescient.domain.signal import MarketView, Pass, Proposal
from prescient.strategies import BUILT_IN
from prescient.strategies.majority import Majority
from prescient.strategies.momentum import Momentum, upward_probability
from prescient.trading.strategy_config import complete
from tests.fakes import binary_market


def book(token: str, bid: int, ask: int, last: int | None = None) -> OrderBook:
    return OrderBook(token, "0xc1", (Level(bid, 10**9),), (Level(ask, 10**9),), 0, 10_000, 5 * MICRO, last)


def view(price: int = 550_000, **changes: object) -> MarketView:
    market = binary_market(1, price_micro=price)
    books = {"11": book("11", 540_000, 560_000, 520_000), "12": book("12", 440_000, 460_000, 480_000)}
    return MarketView(market, books, **changes)  # type: ignore[arg-type]  # any field of the view


def test_majority_buys_the_likelier_outcome() -> None:
    proposals = Majority().decide(view(), {})
    assert not isinstance(proposals, Pass)
    (proposal,) = proposals
    assert (proposal.token_id, proposal.side, proposal.reference_price_micro) == ("11", Side.BUY, 560_000)
    assert proposal.score_micro == MICRO


def test_majority_score_counts_witnesses() -> None:
    proposals = Majority().decide(view(price=450_000), {})
    assert isinstance(proposals, list)
    # Catalogue says NO 0.55; its book's midpoint and last trade say below 50 %.
    assert proposals[0].token_id == "12"
    assert proposals[0].score_micro == MICRO // 3


def test_majority_passes_on_an_even_market() -> None:
    assert Majority().decide(view(price=500_000), {}) == Pass("no_majority", "0.5")


def history(*prices: int) -> tuple[PricePoint, ...]:
    return tuple(PricePoint(hour * 3600, price) for hour, price in enumerate(prices))


def test_momentum_follows_the_drift() -> None:
    rising = history(*[500_000 + hour * 2_000 + (hour % 3) * 1_000 for hour in range(24)])
    falling = tuple(PricePoint(point.time_s, MICRO - point.price_micro) for point in rising)
    config = complete(Momentum(), {})
    proposals = Momentum().decide(view(history={"11": rising, "12": falling}), config)
    assert isinstance(proposals, list)
    assert proposals[0].token_id == "11"
    assert proposals[0].score_micro > 750_000
    assert upward_probability(rising) == pytest.approx(1 - upward_probability(falling))


def test_momentum_says_when_it_knows_too_little() -> None:
    config = complete(Momentum(), {})
    assert Momentum().decide(view(history={"11": history(500_000, 510_000)}), config) == Pass(
        "history_short", "2", "min_history_points"
    )
    flat = history(*[500_000] * 24)
    assert Momentum().decide(view(history={"11": flat, "12": flat}), config) == Pass("no_upward_drift", "0.5000")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"min_confidence": float("nan")}, "strategy_config.min_confidence"),
        ({"min_confidence": 2}, "strategy_config.min_confidence"),
        ({"min_confidence": "0.5"}, "strategy_config.min_confidence"),
        ({"min_confidence": True}, "strategy_config.min_confidence"),
        ({"trade_size_usd": -1}, "strategy_config.trade_size_usd"),
        ({"trade_size_usd": 1e300}, "strategy_config.trade_size_usd"),
        ({"market_types": "politics"}, "strategy_config.market_types"),
        ({"market_types": ["a\x00b"]}, "strategy_config.market_types"),
        ({"max_trades_per_cycle": 1.5}, "strategy_config.max_trades_per_cycle"),
        ({"secret_key": "x"}, "strategy_config"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name_and_never_echoed(config: dict[str, object], field: str) -> None:
    for strategy in BUILT_IN:
        with pytest.raises(InvalidRequest) as caught:
            complete(strategy, config)
        assert caught.value.field == field
        assert "1e+300" not in str(caught.value)
        assert "secret_key" not in str(caught.value)


OWN_STRATEGY = """
from prescient.domain.market import Side
from prescient.domain.signal import Pass, Proposal


class Cheapest:
    name = "cheapest"
    description = "Buys the cheaper outcome."
    parameters = ()
    history_hours = 0

    def decide(self, view, config):
        asks = [(book.asks[0].price_micro, token) for token, book in view.books.items() if book.asks]
        if not asks:
            return Pass("no_ask")
        price, token = min(asks)
        return [Proposal(token, Side.BUY, 1_000_000, price, "cheapest ask")]


STRATEGY = Cheapest()
"""


def test_a_user_writes_a_strategy_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "cheapest.py"
    path.write_text(OWN_STRATEGY, encoding="utf-8")
    (strategy,) = load_strategies(str(path))
    proposals = strategy.decide(view(), complete(strategy, {}))
    assert proposals == [Proposal("12", Side.BUY, MICRO, 460_000, "cheapest ask")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "does not exist"),
        ("x = 1", "defines no STRATEGY"),
        ("import nowhere_at_all", "does not load"),
        ("STRATEGY = 1", "lacks name"),
    ],
)
def test_a_strategy_file_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, complaint: str) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(StrategyFileError, match=complaint):
        load_strategies(str(path))


OLD_PATHS = """
from prescient.domain.market import Side
from prescient.domain.signal import MarketView, Pass, Proposal
from prescient.domain.values import MICRO
from prescient.ports import Parameter


class Old:
    name, description, parameters, history_hours = "old", "imports as it did before", (Parameter("x", "number", 1, ""),), 0

    def decide(self, view: MarketView, config: dict) -> list[Proposal] | Pass:
        return Pass("never", str(MICRO), Side.BUY.value)


STRATEGY = Old()
"""


def test_a_file_with_old_paths_loads_and_is_told_the_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.py"
    path.write_text(OLD_PATHS)
    (strategy,) = load_strategies(str(path))
    assert strategy.decide(view(), {}) == Pass("never", "1000000", "BUY")
    assert "from prescient.strategy import MarketView, Pass, Proposal" in capsys.readouterr().out


def test_a_name_that_is_not_public_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "deep.py"
    path.write_text("from prescient.adapters.ids import SystemIds\n")
    with pytest.raises(StrategyFileError, match=r"line 1: SystemIds cannot be imported .* prescient\.strategy"):
        load_strategies(str(path))
