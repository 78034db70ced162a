"""The `prescient` command: every group of commands in one place, and one way to end with an error."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from polymarket_kit.errors import PrescientError
from prescient import __version__
from prescient.cli import cycle, database, doctor, order, portfolio, reading, running, serving, status
from prescient.cli.output import print_error

app = typer.Typer(
    name="prescient",
    help="An honest trading system for prediction markets. Start with: prescient up",
    no_args_is_help=True,
    add_completion=False,
    # The framework's coloured help and tracebacks load slowly, and print local variables.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"prescient {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """An honest trading system for prediction markets. Start with: prescient up"""


running.add_to(app)
serving.add_to(app)
app.add_typer(cycle.app, name="cycle")
app.add_typer(portfolio.app, name="portfolio")
app.add_typer(order.app, name="order")
reading.add_to(app)
status.add_to(app)
doctor.add_to(app)
database.add_to(app)


def main() -> None:
    """Run the command line; every foreseen error becomes its message and its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Every pipe on Windows takes cp1252: a sign that it lacks becomes a question mark, not the end of the command.
        sys.stdout.reconfigure(errors="replace")
    try:
        app()
    except PrescientError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
