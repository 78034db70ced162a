"""`prescient practice faults`: faults for a running practice exchange, set one by one or drawn from a seed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from prescient.cli.context import FAILURE, NOT_RUNNING, USAGE, CommandFailed, settings_of_the_run
from prescient.cli.output import print_json, print_pairs, print_table

app = typer.Typer(help="List, set and clear faults of a practice exchange that runs.", no_args_is_help=True)

PATH = "/practice/faults"
AsJson = Annotated[bool, typer.Option("--json", help="Print the exchange's answer as JSON.")]
Port = Annotated[int | None, typer.Option(min=1, max=65_535, help="Its port, if it is not the usual one.")]
# Groups of kinds that act on single requests, and are used up by them.
USED_UP = frozenset({"request", "answer"})
# Parameters that are texts; all others are numbers.
TEXTS = frozenset({"text", "address", "market", "token_id", "channel"})


def add_to(practice: typer.Typer) -> None:
    """Put the commands into the group of `prescient practice`."""
    practice.add_typer(app, name="faults")


@app.command("list")
def list_faults(port: Port = None, as_json: AsJson = False) -> None:
    """List the faults that are waiting or active, the random faults, and which requests were hit."""
    _show(_ask("GET", PATH, port), port, as_json)


@app.command("kinds")
def list_kinds(port: Port = None, as_json: AsJson = False) -> None:
    """List every kind of fault: what it does, what it imitates, and its parameters with their bounds."""
    answer = _ask("GET", f"{PATH}/catalogue", port)
    if as_json:
        print_json(answer)
        return
    rows = [
        (kind["name"], kind["group"], kind["does"], kind["imitates"], ", ".join(map(_bounds, kind["parameters"])))
        for kind in answer["kinds"]
    ]
    print_table("Kinds of faults", ("kind", "acts on", "what it does", "imitates", "parameters"), rows)


@app.command("set")
def set_fault(
    kind: Annotated[str | None, typer.Argument(help="What goes wrong; `faults kinds` lists all.")] = None,
    parameters: Annotated[list[str] | None, typer.Argument(help="NAME=VALUE of the kind, such as seconds=20.")] = None,
    path: Annotated[str | None, typer.Option(help="Only requests of such paths, as '/clob/order*'.")] = None,
    method: Annotated[str | None, typer.Option(help="Only requests of this method.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many requests it strikes; one if not said.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draw faults from this seed instead of naming one.")] = None,
    rate: Annotated[float | None, typer.Option(min=0, max=1, help="With --seed: the share of requests.")] = None,
    kinds: Annotated[str | None, typer.Option(help="With --seed: kinds to draw from, with commas between.")] = None,
    port: Port = None,
    as_json: AsJson = False,
) -> None:
    """Set a fault, or with --seed and --rate random faults that may hit any request, the same ones each time."""
    if seed is not None:
        if kind is not None or rate is None:
            raise CommandFailed("Weather takes --seed and --rate and no kind: faults set --seed 7 --rate 0.02", USAGE)
        wanted: dict[str, Any] = {
            "seed": seed,
            "rate": rate,
            "path": path,
            "kinds": kinds.split(",") if kinds else None,
        }
    elif kind is None:
        raise CommandFailed("Name a kind of fault (`prescient practice faults kinds`), or --seed and --rate.", USAGE)
    else:
        wanted = {"kind": kind, "path": path, "method": method, "count": count, **_read(parameters or [])}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    _show(_ask("POST", PATH, port, wanted), port, as_json)


@app.command("clear")
def clear_faults(
    kind: Annotated[str | None, typer.Argument(help="Only faults of this kind.")] = None,
    port: Port = None,
    as_json: AsJson = False,
) -> None:
    """Remove all faults, the random ones included, or the faults of one kind."""
    _show(_ask("DELETE", PATH, port, {"kind": kind} if kind else None), port, as_json)


def _read(parameters: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE pairs as a fault's fields. Raises CommandFailed."""
    fields: dict[str, Any] = {}
    for pair in parameters:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise CommandFailed(f"{pair!r} is no parameter; write NAME=VALUE, such as seconds=20.", USAGE)
        fields[name] = value if name in TEXTS else _number(name, value)
    return fields


def _number(name: str, value: str) -> float | int:
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        raise CommandFailed(f"{name} must be a number, not {value!r}.", USAGE) from None


def _ask(method: str, path: str, port: int | None, body: dict[str, Any] | None = None) -> Any:
    """Send a control request to the exchange and return its answer. Raises CommandFailed when it does not run, or refuses."""
    from prescient.cli.services import ServiceAway, ServiceError, Services

    port = settings_of_the_run().practice_port if port is None else port
    try:
        return Services({"practice": port}).ask(method, "practice", path, body=body)
    except ServiceAway as error:
        raise CommandFailed(
            f"No practice exchange runs on port {port}. Start one: `prescient practice` (or `prescient up`).",
            NOT_RUNNING,
        ) from error
    except ServiceError as error:
        reason = error.body.get("error")
        if reason is None:
            raise CommandFailed(f"What runs on port {port} is no practice exchange.", FAILURE) from error
        raise CommandFailed(f"The exchange refuses this: {reason}", USAGE) from error


def _show(answer: Any, port: int | None, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    columns = ("kind", "path", "left", "parameters")
    kinds = {kind["name"]: kind for kind in _ask("GET", f"{PATH}/catalogue", port)["kinds"]}
    rows = [_row(fault, kinds.get(fault["kind"])) for fault in answer["faults"]]
    print_table("Faults", columns, rows, empty="No faults are set.")
    weather = answer["weather"]
    if weather is not None:
        shown = {**weather, "kinds": ", ".join(weather["kinds"])}
        print_pairs("Weather", [(name, str(value)) for name, value in shown.items()])
    if answer["struck"]:
        print_table("Struck so far", ("kind", "times"), sorted(answer["struck"].items()))


def _row(fault: dict[str, Any], kind: dict[str, Any] | None) -> tuple[Any, ...]:
    """Return the row of a fault for people. Only faults that are used up have a count."""
    general = ("kind", "path", "count")
    told = {name: value for name, value in fault.items() if name not in general}
    if fault["kind"] != "429":
        told.pop("retry_after_s", None)
    counts = kind is None or kind["group"] in USED_UP or any(item["name"] == "count" for item in kind["parameters"])
    return (
        fault["kind"],
        fault["path"],
        fault["count"] if counts else "holds",
        ", ".join(f"{name}={_plain(value)}" for name, value in told.items()),
    )


def _bounds(parameter: dict[str, Any]) -> str:
    """Describe a parameter with its default and its bounds."""
    told = f"{parameter['name']}={_plain(parameter['default']) or 'any'}"
    if parameter["lowest"] is None:
        return told
    return f"{told} ({parameter['lowest']:g} to {parameter['highest']:g})"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
