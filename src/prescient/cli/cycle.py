"""`prescient cycle run|list|show`: the trading cycle with a bar for each step, and the cycles that ran."""

from __future__ import annotations

import secrets
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_kit.errors import PrescientError
from prescient.cli.context import FAILURE, running_services
from prescient.cli.output import moment, print_json, print_pairs, print_table, put
from prescient.service_table import CYCLE_TIMEOUT_S

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from prescient.cli.services import Services

app = typer.Typer(help="Run trading cycles and look at those that ran.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]
POLL_S = 0.3
Dollars = Annotated[float | None, typer.Option(min=0, help="In dollars.")]
Ratio = Annotated[float | None, typer.Option(min=0, max=1, help="From 0 to 1.")]


@app.command()
def run(
    portfolio: Annotated[
        int | None, typer.Option("--portfolio", "-p", min=1, help="Only this one; else all active.")
    ] = None,
    event_min_liquidity: Dollars = None,
    event_min_volume: Dollars = None,
    min_liquidity: Dollars = None,
    min_volume: Dollars = None,
    min_market_conviction: Ratio = None,
    max_market_conviction: Ratio = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key runs the same cycle once.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run one trading cycle now. Filters that are not named have the defaults of the service."""
    query = {
        "portfolio_id": portfolio,
        "event_min_liquidity": event_min_liquidity,
        "event_min_volume": event_min_volume,
        "min_liquidity": min_liquidity,
        "min_volume": min_volume,
        "min_market_conviction": min_market_conviction,
        "max_market_conviction": max_market_conviction,
    }
    asking = _Asking(running_services(), query, key or f"cli-{secrets.token_hex(8)}")
    asking.start()
    if as_json or not sys.stderr.isatty():
        asking.join()
    else:
        _watch(asking)
    answer = asking.answer()
    if as_json:
        print_json(answer)
    else:
        _show(answer)
    if answer.get("status") != "completed":
        raise typer.Exit(FAILURE)


@app.command("list")
def list_cycles(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20, as_json: AsJson = False
) -> None:
    """List the cycles that ran, newest first."""
    answer = running_services().get("controller", "/trading/cycles", limit=limit)
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            item["cycle_id"],
            moment(item.get("started_at")),
            item["status"],
            item["execution_summary"]["signals"],
            item["execution_summary"]["trades_executed"],
            item["message"],
        )
        for item in answer["cycles"]
    ]
    columns = ("cycle", "started (UTC)", "status", "signals", "trades", "message")
    spare = ("signals", "trades")
    print_table("Cycles", columns, rows, empty="None yet. Run one: prescient cycle run", spare=spare)


@app.command()
def show(
    cycle_id: Annotated[str, typer.Argument(help="The cycle's id, as `prescient cycle list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show one cycle's funnel: what each step let pass, and why it dropped the rest."""
    answer = running_services().get("controller", f"/trading/cycles/{cycle_id}")
    if as_json:
        print_json(answer)
    else:
        _show(answer)


class _Asking(threading.Thread):
    """Requests the cycle while the main thread shows its progress."""

    def __init__(self, services: Services, query: dict[str, Any], key: str) -> None:
        super().__init__(daemon=True)
        self._services = services
        self._key = key
        self._query = query
        self._answer: dict[str, Any] = {}
        self._error: PrescientError | None = None

    def run(self) -> None:
        path = "run-full-cycle" if self._query["portfolio_id"] is None else "run-portfolio-cycle"
        try:
            self._answer = self._services.ask(
                "POST",
                "controller",
                f"/trading/{path}",
                query=self._query,
                key=self._key,
                timeout_s=CYCLE_TIMEOUT_S,
            )
        except PrescientError as error:
            self._error = error

    def answer(self) -> dict[str, Any]:
        """Return the service's answer. Raises the error that it answered with."""
        if self._error is not None:
            raise self._error
        return self._answer

    def steps_done(self) -> list[dict[str, Any]]:
        """Return the steps that our cycle has finished; empty until it is found."""
        try:
            cycles = self._services.get("controller", "/trading/cycles", limit=5)["cycles"]
        except PrescientError:
            # The bar is only for show; the request itself reports what is wrong.
            return []
        return next((list(item["steps"]) for item in cycles if item["idempotency_key"] == self._key), [])


def _watch(asking: _Asking) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from prescient.reports.cycles import STEP_NAMES

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = [
            progress.add_task(f"{number} {name}", total=None, counts="", start=False, visible=number == 1)
            for number, name in STEP_NAMES.values()
        ]
        progress.start_task(tasks[0])
        while asking.is_alive():
            _advance(progress, tasks, asking.steps_done())
            asking.join(POLL_S)


def _advance(progress: Progress, tasks: list[TaskID], steps: list[dict[str, Any]]) -> None:
    for step in steps:
        number = step["step"]
        progress.update(tasks[number - 1], total=1, completed=1, visible=True, counts=f"{step['in']} -> {step['out']}")
        if number < len(tasks):
            progress.start_task(tasks[number])
            progress.update(tasks[number], visible=True)


def _show(answer: dict[str, Any]) -> None:
    rows = [
        (step["step"], step["name"], step["in"], step["out"], step["seconds"], _drops(step)) for step in answer["steps"]
    ]
    print_table(
        f"Cycle {answer['cycle_id']}: {answer['status']}", ("step", "name", "in", "out", "seconds", "dropped"), rows
    )
    portfolios = [
        (
            item["portfolio_id"],
            item["signals"],
            item["trades_executed"],
            item["amount"],
            item["fees"],
            item["total_value"],
        )
        for item in answer["portfolios"]
    ]
    print_table("By portfolio", ("portfolio", "signals", "trades", "amount", "fees", "value"), portfolios)
    summary = answer.get("execution_summary", {})
    print_pairs("Execution", [(name.replace("_", " "), _plain(value)) for name, value in summary.items()])
    put(answer["message"])


def _drops(step: dict[str, Any]) -> str:
    settings = step.get("settings", {})
    counted = sorted(step["dropped"].items(), key=lambda item: -item[1])
    return ", ".join(
        f"{code} {count}" + (f" ({settings[code]})" if code in settings else "") for code, count in counted
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    return value
