"""`prescient serve`, `worker` and `practice`: single processes, for who wants to run or watch the parts apart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from prescient.surfaces.cli import practice_faults
from prescient.surfaces.cli.context import load_settings
from prescient.surfaces.cli.exits import USAGE, CommandFailed

practice_app = typer.Typer(invoke_without_command=True)
NAMES = ("events", "markets", "strategy", "paper-trading", "controller")


def add_to(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(worker)
    practice_faults.add_to(practice_app)
    app.add_typer(practice_app, name="practice")


def serve(
    service: Annotated[str, typer.Argument(help=f"{', '.join(NAMES)}, or all in one process.")],
    debug: Annotated[bool, typer.Option("--debug", help="Log every step in detail.")] = False,
) -> None:
    """Run one service alone, or all five in this process. The controller alone asks the others over HTTP."""
    if service not in (*NAMES, "all"):
        raise CommandFailed(f"There is no service {service!r}. Choose one of: {', '.join(NAMES)}, all.", USAGE)
    if debug:
        os.environ["PYTHON_LOG_LEVEL"] = "DEBUG"
    from prescient.surfaces.roles import run_services

    raise typer.Exit(run_services(load_settings(), NAMES if service == "all" else (service,)))


def worker() -> None:
    """Run the scheduler alone: it asks the controller for the cycles of portfolios that have a schedule."""
    from prescient.surfaces.roles import run_worker

    raise typer.Exit(run_worker(load_settings()))


@practice_app.callback()
def practice(
    context: typer.Context,
    seed: Annotated[int | None, typer.Option(help="Which world it plays; the same seed is the same world.")] = None,
    speed: Annotated[float | None, typer.Option(help="How many of its seconds pass in one of ours.")] = None,
    catalog: Annotated[
        list[Path] | None,
        typer.Option(exists=True, help="A recorded Gamma or CLOB file to serve instead, to read only; repeatable."),
    ] = None,
    frozen: Annotated[bool, typer.Option("--frozen", help="Its time stands still.")] = False,
    now: Annotated[str | None, typer.Option(help="Its time at the start, such as 2026-05-17T06:05:00Z.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Its port; 0 takes a free one.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="A new world, which is not kept when it ends.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print addresses and wallets as one line of JSON, for programs.")
    ] = False,
) -> None:
    """Run the practice exchange alone: a local Polymarket with simulated traders, which takes your orders."""
    if context.invoked_subcommand is not None:
        return
    chosen = {"PRESCIENT_SEED": seed, "PRESCIENT_SPEED": speed}
    os.environ.update({name: str(value) for name, value in chosen.items() if value is not None})
    settings = load_settings()
    from prescient.surfaces.practice.introduce import say_to_people, say_to_programs
    from prescient.surfaces.practice.opening import Opening
    from prescient.surfaces.roles import run_practice_exchange

    opening = Opening(tuple(catalog or ()), frozen or settings.frozen, now, port, fresh)
    raise typer.Exit(run_practice_exchange(settings, opening, say_to_programs if as_json else say_to_people))
