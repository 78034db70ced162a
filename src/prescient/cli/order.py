"""`prescient order ...`: place, list and cancel limit orders; merge and convert sets of shares."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from prescient.cli.context import REFUSED, CommandFailed, running_services
from prescient.cli.output import print_json, print_pairs, print_table
from prescient.service_table import PAPER_TRADING

app = typer.Typer(help="Place limit orders, list and cancel what rests, merge and convert sets.", no_args_is_help=True)

SERVICE = PAPER_TRADING.name
ORDERS = "/paper-trading/orders"
COLUMNS = ("order", "portfolio", "side", "price", "size", "filled", "queue ahead", "reserved", "type", "expires")

AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]
Portfolio = Annotated[int, typer.Option(help="The portfolio's number.", min=1)]
SetSize = Annotated[float | None, typer.Option(help="Shares of each; all that are free without it.")]


@app.command()
def place(
    market: Annotated[str, typer.Argument(help="Market id, condition id or slug.")],
    outcome: Annotated[str, typer.Argument(help="The outcome's name, such as Yes, or its token id.")],
    price: Annotated[float, typer.Argument(help="The limit, on the market's grid.")],
    size: Annotated[float, typer.Argument(help="Shares.")],
    portfolio: Portfolio = 1,
    sell: Annotated[bool, typer.Option("--sell", help="Sell instead of buy.")] = False,
    post_only: Annotated[bool, typer.Option("--post-only", help="Refuse rather than match at once.")] = False,
    until: Annotated[
        str | None, typer.Option(help="Its end, such as 2026-05-17T18:00:00Z; it leaves the book a minute before.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Place a limit order: what crosses the book matches at once, the remainder rests."""
    body: dict[str, Any] = {
        "portfolio_id": portfolio,
        "market": market,
        "outcome": outcome,
        "side": "SELL" if sell else "BUY",
        "price": price,
        "size": size,
        "post_only": post_only,
    }
    if until is not None:
        body |= {"order_type": "GTD", "expiration": until}
    answer = running_services().ask("POST", SERVICE, ORDERS, body=body)
    if as_json:
        print_json(answer)
    elif answer["accepted"]:
        matched = answer["trade"]["size"] if answer["trade"] else 0
        print_pairs(
            f"Placed: {answer['order_id']}",
            [("status", answer["status"]), ("matched", matched), ("resting", answer["resting"])],
        )
    if not answer["accepted"]:
        said = f"Unknown: order {answer['order_id']} may be placed" if answer["status"] == "UNKNOWN" else "Refused"
        raise CommandFailed(f"{said} ({answer['code']}): {answer['reason']}", REFUSED)


@app.command("list")
def list_orders(
    portfolio: Annotated[int | None, typer.Option(help="Only this portfolio's.", min=1)] = None, as_json: AsJson = False
) -> None:
    """List the resting orders, with their position in the queue."""
    answer = running_services().get(SERVICE, ORDERS, portfolio_id=portfolio)
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            item["order_id"],
            item["portfolio_id"],
            item["side"],
            item["price"],
            item["size"],
            item["filled"],
            item["queue_ahead"],
            item["reserved"],
            item["order_type"],
            item["expires"] or "",
        )
        for item in answer["orders"]
    ]
    print_table(
        "Resting orders", COLUMNS, rows, empty="No resting orders. Place an order: prescient order place --help"
    )


@app.command()
def cancel(order_id: Annotated[str, typer.Argument(help="As `order list` shows it.")], as_json: AsJson = False) -> None:
    """Cancel a resting order; what is reserved for it is released."""
    _show(running_services().ask("DELETE", SERVICE, f"{ORDERS}/{order_id}"), as_json, "Canceled")


@app.command()
def merge(
    condition_id: Annotated[str, typer.Argument(help="The market's condition id.")],
    portfolio: Portfolio = 1,
    size: SetSize = None,
    as_json: AsJson = False,
) -> None:
    """Merge complete sets of a market into a dollar each; the price updater does this automatically too."""
    body = {"portfolio_id": portfolio, "condition_id": condition_id, "size": size}
    _show(running_services().ask("POST", SERVICE, "/paper-trading/merge", body=_given(body)), as_json, "Merged")


@app.command()
def convert(
    condition_ids: Annotated[list[str], typer.Argument(help="Markets of one negative-risk event whose NO is held.")],
    portfolio: Portfolio = 1,
    size: SetSize = None,
    as_json: AsJson = False,
) -> None:
    """Convert NO shares into YES of the event's other markets, and a dollar for each market but one."""
    body = {"portfolio_id": portfolio, "condition_ids": condition_ids, "size": size}
    _show(running_services().ask("POST", SERVICE, "/paper-trading/convert", body=_given(body)), as_json, "Converted")


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _show(answer: dict[str, Any], as_json: bool, title: str) -> None:
    if as_json:
        print_json(answer)
        return
    pairs = [(name, ", ".join(value) if isinstance(value, list) else value) for name, value in answer.items()]
    print_pairs(title, pairs)
