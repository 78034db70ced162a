"""`prescient psql`, `backup` and `restore`: the database for people."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from prescient.cli.context import settings_of_the_run
from prescient.cli.output import print_json

AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]


def add_to(app: typer.Typer) -> None:
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": ["--help"]}
    app.command(context_settings=passed_on)(psql)
    app.command()(backup)
    app.command()(restore)


def psql(context: typer.Context) -> None:
    """Open PostgreSQL's shell on this installation's database; all options go to psql, such as -c 'SELECT 1'."""
    from prescient.wiring import client_program, connection

    environment = {**os.environ, **connection(settings_of_the_run()).environment()}
    command = [str(client_program("psql")), *context.args]
    sys.stdout.flush()
    if sys.platform == "win32":
        raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)
    os.execve(command[0], command, environment)  # noqa: S606 (no shell is wanted)


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="Where to; without it <home>/backups/<database>-<time>.dump.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a backup of the database; the system may run or not."""
    from prescient.supervisor.backup import back_up
    from prescient.wiring import database_name, source_info

    settings = settings_of_the_run()
    database, source = database_name(settings), source_info(settings).name
    path = back_up(settings, file.absolute() if file is not None else None)
    size_bytes = path.stat().st_size
    if as_json:
        print_json(
            {
                "file": str(path),
                "bytes": size_bytes,
                "database": database,
                "source": source,
            }
        )
        return
    typer.echo(
        f"Backup of {database} ({source}) written: {path} ({size_bytes / 1e6:.1f} MB). "
        "Bring it back with: prescient restore FILE"
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `prescient backup` wrote.")],
    any_source: Annotated[
        bool, typer.Option("--any-source", help="Take it even if it was made of another source of markets.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup. The system must be stopped; the present database is kept under another name."""
    from prescient.supervisor.backup import restore as bring_back

    done = bring_back(settings_of_the_run(), file.absolute(), any_source=any_source)
    if as_json:
        print_json({"portfolios": done.portfolios, "former_database": done.kept_as})
        return
    kept = f" The former database is kept as {done.kept_as}." if done.kept_as else ""
    typer.echo(f"Restored {done.portfolios} portfolios, every balance checked against its ledger.{kept}")
