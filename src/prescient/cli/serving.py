"""`prescient serve`, `worker` and `practice`: single processes, for running the parts separately."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from prescient.cli import practice_faults
from prescient.cli.context import USAGE, CommandFailed, load_settings
from prescient.service_table import SERVICE_NAMES


class PracticeCommand(TyperGroup):
    """``practice`` hands its options to the practice exchange, a product and a process of its own; ``faults`` is ours."""

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        if arguments[:1] == ["faults"]:
            return super().parse_args(context, arguments)
        raise typer.Exit(become_practice_exchange(arguments))


practice_app = typer.Typer(
    cls=PracticeCommand,
    help="Run the practice exchange alone: a local Polymarket with simulated traders, which takes your orders.",
)


def add_to(app: typer.Typer) -> None:
    app.command()(serve)
    app.command()(worker)
    practice_faults.add_to(practice_app)
    app.add_typer(practice_app, name="practice")


def serve(
    service: Annotated[str, typer.Argument(help=f"{', '.join(SERVICE_NAMES)}, or all in one process.")],
    debug: Annotated[bool, typer.Option("--debug", help="Log every step in detail.")] = False,
) -> None:
    """Run one service alone, or all five in this process. The controller alone asks the others over HTTP."""
    if service not in (*SERVICE_NAMES, "all"):
        raise CommandFailed(f"There is no service {service!r}. Choose one of: {', '.join(SERVICE_NAMES)}, all.", USAGE)
    if debug:
        os.environ["PYTHON_LOG_LEVEL"] = "DEBUG"
    from prescient.supervisor.processes import run_services

    raise typer.Exit(run_services(load_settings(), SERVICE_NAMES if service == "all" else (service,)))


def worker() -> None:
    """Run the scheduler alone: it asks the controller for the cycles of portfolios that have a schedule."""
    from prescient.supervisor.processes import run_worker

    raise typer.Exit(run_worker(load_settings()))


def become_practice_exchange(arguments: list[str]) -> int:
    """Replace this process by the practice exchange; the process id stays, so whoever waits for it still can.

    Returns its exit code where a process cannot be replaced.
    """
    from prescient.supervisor.plan import module_command

    command = [*module_command("practice_exchange"), *arguments]
    if sys.platform == "win32":
        # There, "replacing" would return to the shell at once.
        return _wait_for(subprocess.Popen(command))
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 (no shell is wanted)


def _wait_for(exchange: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches the exchange as well as us, so that we only wait for its end."""
    while True:
        try:
            return exchange.wait()
        except KeyboardInterrupt:
            continue
