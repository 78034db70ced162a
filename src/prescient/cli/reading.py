"""`prescient trades`, `positions`, `performance` and `explain`: what happened, what is held, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from prescient.cli.context import running_services
from prescient.cli.output import moment, price, print_json, print_pairs, print_table

AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]
Portfolio = Annotated[int | None, typer.Option("--portfolio", "-p", help="Only this portfolio.", min=1)]
BALANCES = (
    "status",
    "strategy_type",
    "current_balance",
    "available_balance",
    "total_invested",
    "realized_pnl",
    "unrealized_pnl",
    "total_profit_loss",
    "total_value",
)


def add_to(app: typer.Typer) -> None:
    app.command()(trades)
    app.command()(positions)
    app.command()(performance)
    app.command()(explain)


def trades(
    portfolio: Portfolio = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List trades, newest first."""
    answer = running_services().get(
        "paper-trading", "/paper-trading/trades-history", portfolio_id=portfolio, limit=limit
    )
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            moment(item["timestamp"]),
            item["portfolio_id"],
            item["action"],
            item["outcome"],
            item["market_question"],
            item["size"],
            price(item["entry_price"]),
            item["amount"],
            item["fee"],
            item["status"],
        )
        for item in answer["trades"]
    ]
    columns = ("time (UTC)", "portfolio", "action", "outcome", "market", "shares", "price", "amount", "fee", "status")
    spare = ("status", "fee", "portfolio", "action")
    print_table("Trades", columns, rows, empty="No trades yet. Run a cycle: prescient cycle run", spare=spare)


def positions(
    portfolio: Portfolio = None,
    closed: Annotated[bool, typer.Option("--closed", help="Show what was paid out or sold instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a portfolio's balances and open positions (without --portfolio: the lowest active one)."""
    if closed:
        _closed_positions(portfolio, as_json)
        return
    answer = running_services().get("paper-trading", "/paper-trading/portfolio", portfolio_id=portfolio)
    if as_json:
        print_json(answer)
        return
    pairs = [(name.replace("_", " "), answer.get(name)) for name in BALANCES]
    print_pairs(f"Portfolio {answer['portfolio_id']}: {answer['name']}", pairs)
    rows = [
        (
            item["outcome"],
            item["market_question"],
            item["size"],
            item["settling_size"] or "",
            price(item["entry_price"]),
            price(item["current_price"]),
            item["cost"],
            item["current_value"],
            item["unrealized_pnl"],
        )
        for item in answer["positions"]
    ]
    columns = ("outcome", "market", "shares", "settling", "entry", "now", "cost", "value", "P&L")
    print_table("Open positions", columns, rows, empty="None.", spare=("cost", "entry", "settling"))
    owed = [(item["kind"], item["about"], item["due_at"], item["last_reason"]) for item in answer["obligations"]]
    if owed:
        print_table("Waiting until shares are mined", ("what", "about", "due (UTC)", "last attempt"), owed)


def _closed_positions(portfolio: int | None, as_json: bool) -> None:
    answer = running_services().get("paper-trading", "/paper-trading/closed-positions", portfolio_id=portfolio)
    if as_json:
        print_json(answer)
        return
    rows = [
        (moment(item["closed_at"]), item["outcome"], item["market_question"], item["realized_pnl"])
        for item in answer["positions"]
    ]
    print_table("Closed positions", ("closed (UTC)", "outcome", "market", "P&L"), rows, empty="None yet.")


def performance(portfolio: Portfolio = None, as_json: AsJson = False) -> None:
    """Show value over time, trades, wins and losses."""
    answer = running_services().get("controller", "/trading/performance-summary", portfolio_id=portfolio)
    if as_json:
        print_json(answer)
        return
    for number, item in enumerate(answer["portfolios"]):
        if number:
            typer.echo()
        _performance_of(item)
    if not answer["portfolios"]:
        typer.echo("No portfolios yet. Create one: prescient portfolio create NAME")


def _performance_of(item: dict[str, Any]) -> None:
    plain = [(name.replace("_", " "), value) for name, value in item.items() if not isinstance(value, list | dict)]
    print_pairs(f"Portfolio {item['portfolio_id']}", plain)
    snapshots: list[dict[str, Any]] = next(
        (item[name] for name in ("daily_snapshots", "history") if item.get(name)), []
    )
    rows = [
        (day["snapshot_date"], day["balance"], day["total_invested"], day["total_profit_loss"], day["total_value"])
        for day in snapshots
    ]
    print_table("Daily snapshots", ("day", "balance", "invested", "P&L", "value"), rows, empty="None yet.")


def explain(
    market: Annotated[str | None, typer.Option("--market", "-m", help="A market's id, condition id or slug.")] = None,
    cycle: Annotated[str | None, typer.Option("--cycle", "-c", help="A cycle's id; without it the latest.")] = None,
    portfolio: Portfolio = None,
    limit: Annotated[int, typer.Option(help="How many decisions to list.", min=1, max=500)] = 30,
    as_json: AsJson = False,
) -> None:
    """Answer "why did it (not) trade?" with the filter, the number and the setting that decided."""
    if market is None and cycle is None and portfolio is None:
        portfolio = _lowest_active()
    answer = running_services().get(
        "controller", "/trading/explain", market=market, cycle_id=cycle, portfolio_id=portfolio, limit=limit
    )
    if as_json:
        print_json(answer)
        return
    typer.echo(answer.get("message", ""))
    print_table("Reasons", ("reason", "times"), sorted(answer["reasons"].items(), key=lambda item: -item[1]))
    rows = [
        (item.get("step"), item.get("title") or item.get("subject_id"), item.get("text"))
        for item in answer["decisions"]
    ]
    print_table("Decisions, newest first", ("step", "market or event", "why"), rows, empty="None.")


def _lowest_active() -> int:
    found: int = running_services().get("paper-trading", "/paper-trading/portfolio")["portfolio_id"]
    return found
