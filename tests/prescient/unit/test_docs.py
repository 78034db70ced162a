"""Documents that cannot rot: the example strategy runs, and every shared setting is listed with its default."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from prescient.adapters.strategy_files import load_strategies
from prescient.api.inputs import parse_json
from prescient.api.portfolios import CreateForm
from prescient.cli.services import Services
from prescient.domain.signal import Pass
from prescient.trading.strategy_config import COMMON, complete
from tests.prescient.unit.test_strategies import view

REPOSITORY = Path(__file__).resolve().parents[3]
STRATEGIES = REPOSITORY / "docs" / "strategies.md"


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


def test_the_readmes_python_line_makes_a_portfolio(monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.S)
    assert code
    asked: list[Any] = []

    def ask(_services: Services, *place: str, body: Any) -> dict[str, Any]:
        asked.append((*place, CreateForm.model_validate(parse_json(json.dumps(body).encode()))))
        return {"portfolio_id": 2}

    monkeypatch.setattr(Services, "ask", ask)
    exec(code.group(1), {})
    assert [place[:3] for place in asked] == [("POST", "paper-trading", "/portfolios/create")]
    assert asked[0][3].strategy_type == "momentum"


def test_a_window_that_failed_stays_open_with_its_message() -> None:
    content, stop = ((REPOSITORY / f"{name}_servers.bat").read_bytes() for name in ("start", "stop"))
    for text in (content, stop):
        assert text.count(b"\n") == text.count(b"\r\n"), "labels and blocks need Windows' line ends"
    assert stop.splitlines()[-2].endswith(b"timeout /t 30"), "it ends by itself: a program may have started it"
    lines = [line.strip() for line in content.decode().splitlines()]
    ends = [number for number, line in enumerate(lines) if line.startswith("exit /b")]
    assert len(ends) == 3
    assert all(lines[number - 1].endswith("pause") for number in ends)
