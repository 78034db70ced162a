"""Documents that cannot rot: the example strategy runs, and every shared setting is listed with its default."""

from __future__ import annotations

import re
from pathlib import Path

from prescient.adapters.strategy_files import load_strategies
from prescient.domain.signal import Pass
from prescient.trading.strategy_config import COMMON, complete
from tests.unit.test_strategies import view

STRATEGIES = Path(__file__).resolve().parents[2] / "docs" / "strategies.md"


def test_the_example_strategy_runs_as_printed(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", STRATEGIES.read_text(encoding="utf-8"), re.S)
    assert code
    path = tmp_path / "cheapest.py"
    path.write_text(code.group(1), encoding="utf-8")
    (strategy,) = load_strategies(str(path))
    assert strategy.decide(view(), complete(strategy, {})) == Pass("too_dear", "0.46", "strategy_config.price_max")
    assert not isinstance(strategy.decide(view(), complete(strategy, {"price_max": 0.5})), Pass)


def test_every_shared_key_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", STRATEGIES.read_text(encoding="utf-8"), re.M))
    assert rows == {
        parameter.name: {"[]": "all", "False": "false"}.get(str(parameter.default), str(parameter.default))
        for parameter in COMMON
    }
