"""`prescient doctor`: checks everything a running system needs, and says how to fix what is missing."""

from __future__ import annotations

from typing import Annotated

import typer

from prescient.cli.context import FAILURE, settings_of_the_run
from prescient.cli.output import print_json, print_table


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Check home, disk, ports, database, balances, venue, clock and price updater; exit code 1 if anything fails."""
    from prescient.cli.checkup import check_up

    findings = check_up(settings_of_the_run())
    if as_json:
        print_json(
            [{"check": item.check, "level": item.level, "text": item.text, "cure": item.cure} for item in findings]
        )
    else:
        rows = [(item.level, item.check, item.text, item.cure) for item in findings]
        print_table("Doctor", ("", "check", "finding", "what to do"), rows)
    if any(item.level == "fail" for item in findings):
        raise typer.Exit(FAILURE)
