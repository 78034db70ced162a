"""`prescient portfolio ...`: independent portfolios, created, looked at, changed, paused and archived; never deleted."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from prescient.cli.context import USAGE, CommandFailed, running_services
from prescient.cli.output import print_json, print_pairs, print_table
from prescient.service_table import PAPER_TRADING

app = typer.Typer(help="Create, list, show, change, pause and archive portfolios.", no_args_is_help=True)

SERVICE = PAPER_TRADING.name
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]
PortfolioId = Annotated[int, typer.Argument(help="The portfolio's number.", min=1)]
Name = Annotated[str | None, typer.Option(help="Its name, up to 100 characters.")]
Description = Annotated[str | None, typer.Option(help="What it is for.")]
Strategy = Annotated[str | None, typer.Option(help="majority, momentum, complete_set, or one of your own.")]
Schedule = Annotated[
    str | None,
    typer.Option(help="When it trades by itself: 'every 60m', 'every 2h', or five cron fields in UTC; '' never."),
]
Config = Annotated[
    list[str] | None,
    typer.Option(
        "--config", "-c", help="KEY=VALUE of the strategy's configuration, such as trade_size_usd=50; repeatable."
    ),
]
COLUMNS = ("id", "name", "status", "strategy", "balance", "invested", "P&L", "value", "schedule")


@app.command("list")
def list_portfolios(
    status: Annotated[str | None, typer.Option(help="Only those that are active, paused or archived.")] = None,
    as_json: AsJson = False,
) -> None:
    """List all portfolios with their balances."""
    answer = running_services().get(SERVICE, "/portfolios/list", status=status)
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            item["portfolio_id"],
            item["name"],
            item["status"],
            item["strategy_type"],
            item["current_balance"],
            item["total_invested"],
            item["total_profit_loss"],
            item["total_value"],
            item["schedule"],
        )
        for item in answer["portfolios"]
    ]
    print_table(
        "Portfolios",
        COLUMNS,
        rows,
        empty="None yet. Create one: prescient portfolio create NAME",
        spare=("invested", "strategy", "P&L"),
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Its name, up to 100 characters.")],
    balance: Annotated[float, typer.Option(help="Dollars to start with.")] = 10_000,
    strategy: Strategy = None,
    description: Description = None,
    schedule: Schedule = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Create a portfolio with its own capital, strategy and configuration."""
    body = _given(
        name=name,
        initial_balance=balance,
        strategy_type=strategy,
        description=description,
        schedule=_checked(schedule),
        strategy_config=_config(config),
    )
    _show(running_services().ask("POST", SERVICE, "/portfolios/create", body=body), as_json, "Created")


@app.command()
def show(portfolio_id: PortfolioId, as_json: AsJson = False) -> None:
    """Show one portfolio."""
    _show(running_services().get(SERVICE, f"/portfolios/{portfolio_id}"), as_json, "Portfolio")


@app.command()
def update(
    portfolio_id: PortfolioId,
    name: Name = None,
    description: Description = None,
    strategy: Strategy = None,
    schedule: Schedule = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Change a portfolio; what is not named stays. --config adds to the present configuration of the same strategy."""
    services = running_services()
    wanted = _config(config)
    if wanted is not None and strategy is None:
        wanted = {**services.get(SERVICE, f"/portfolios/{portfolio_id}")["strategy_config"], **wanted}
    body = _given(
        name=name,
        description=description,
        strategy_type=strategy,
        schedule=_checked(schedule),
        strategy_config=wanted,
    )
    if not body:
        raise CommandFailed("Nothing to change: name at least one option (prescient portfolio update --help).", USAGE)
    _show(services.ask("PATCH", SERVICE, f"/portfolios/{portfolio_id}", body=body), as_json, "Changed")


@app.command()
def pause(portfolio_id: PortfolioId, as_json: AsJson = False) -> None:
    """Stop a portfolio from trading until it is resumed; its positions are still priced and settled."""
    _set_status(portfolio_id, "paused", as_json, "Paused")


@app.command()
def resume(portfolio_id: PortfolioId, as_json: AsJson = False) -> None:
    """Let a paused portfolio trade again."""
    _set_status(portfolio_id, "active", as_json, "Resumed")


@app.command()
def archive(
    portfolio_id: PortfolioId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; an archived portfolio stays archived.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a portfolio from trading for good; its history stays readable."""
    if not yes:
        typer.confirm(f"Archive portfolio {portfolio_id} for good?", abort=True)
    answer = running_services().ask("DELETE", SERVICE, f"/portfolios/{portfolio_id}")
    _show(answer, as_json, "Archived")


def _set_status(portfolio_id: int, status: str, as_json: bool, title: str) -> None:
    answer = running_services().ask("PATCH", SERVICE, f"/portfolios/{portfolio_id}", body={"status": status})
    _show(answer, as_json, title)


def _show(answer: dict[str, Any], as_json: bool, title: str) -> None:
    if as_json:
        print_json(answer)
        return
    pairs = [(name, value) for name, value in answer.items() if name != "positions"]
    print_pairs(f"{title}: portfolio {answer['portfolio_id']}", pairs)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _checked(schedule: str | None) -> str | None:
    if schedule is None:
        return None
    from prescient.worker.schedules import check_schedule

    return check_schedule(schedule)


def _config(pairs: list[str] | None) -> dict[str, Any] | None:
    """Read KEY=VALUE pairs; a value that is JSON (a number, true, a list) is taken as such, else as text."""
    if not pairs:
        return None
    config: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise CommandFailed("--config takes KEY=VALUE, such as trade_size_usd=50", USAGE)
        try:
            config[name] = json.loads(text)
        except ValueError:
            config[name] = text.split(",") if "," in text else text
    return config
