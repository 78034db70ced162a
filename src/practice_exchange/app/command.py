"""The command line of the practice exchange: its options, its exit codes, and how a supervised process starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from polymarket_kit.errors import ExitCode, PrescientError
from practice_exchange.app.settings import ExchangeSettings, Opening, read_settings

# Set by a supervisor, which holds the other end of our standard input for as long as it lives.
SUPERVISED_VARIABLE = "PRESCIENT_SUPERVISED"

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def practice(
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
    """Run the practice exchange alone: a local Polymarket with simulated traders, which takes your orders.

    `prescient practice faults` makes things go wrong in the one that runs.
    """
    chosen = {"PRESCIENT_SEED": seed, "PRESCIENT_SPEED": speed}
    os.environ.update({name: str(value) for name, value in chosen.items() if value is not None})
    supervised = os.environ.pop(SUPERVISED_VARIABLE, "") == "1"
    if supervised:
        from practice_exchange.app.process import end_with_parent

        end_with_parent()
    try:
        _run(Opening(tuple(catalog or ()), frozen, now, port, fresh), as_json=as_json, introduce=not supervised)
    except PrescientError as error:
        # One line for people, at the very end of the error log, where a supervisor looks for it.
        sys.stderr.write(f"{error}\n")
        sys.exit(ExitCode.PERMANENT if supervised and error.permanent else error.exit_code)


def _run(opening: Opening, *, as_json: bool, introduce: bool) -> None:
    """Serve until a signal comes. With an introduction on standard output, the log goes to standard error alone."""
    from dataclasses import replace

    from practice_exchange.app.bootstrap import run_practice
    from practice_exchange.app.process import run_until_stopped, set_up_logs
    from practice_exchange.app.startup_message import say_to_people, say_to_programs

    settings = _settings()
    set_up_logs(settings.log_level, apart=introduce)
    opening = replace(opening, frozen=opening.frozen or settings.frozen)
    ready = (say_to_programs if as_json else say_to_people) if introduce else (lambda server: None)
    run_until_stopped(lambda stop: run_practice(settings, opening, stop, ready))


def _settings() -> ExchangeSettings:
    """Raises SettingsWrong that names each wrong key, and no value."""
    from pydantic import ValidationError

    try:
        return read_settings()
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise SettingsWrong("Settings are wrong (environment or .env):\n" + "\n".join(problems)) from None


class SettingsWrong(PrescientError):
    """The environment or ``.env`` holds a value that cannot be used."""

    code = "settings_wrong"
    exit_code = ExitCode.USAGE


def main() -> None:
    app(prog_name="prescient practice")
