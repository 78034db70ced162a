"""`prescient up` and `prescient down`: start and stop the whole system."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from prescient.cli.context import FAILURE, CommandFailed, load_settings
from prescient.wiring import database_name, database_of_home, database_server, gamma_url, source_info

if TYPE_CHECKING:
    from prescient.settings import Settings
    from prescient.supervisor.plan import Plan

REACH_TIMEOUT_S = 8.0


def add_to(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)


def up(
    venue: Annotated[
        str | None, typer.Option(help="Where markets come from: practice (default) or polymarket.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Log every step in detail.")] = False,
    open_docs: Annotated[bool, typer.Option("--open", help="Open the five docs pages in the browser.")] = False,
    speed: Annotated[float | None, typer.Option(help="How much faster time runs on the practice exchange.")] = None,
    seed: Annotated[int | None, typer.Option(help="Which world the practice exchange plays.")] = None,
    change_database: Annotated[
        bool, typer.Option("--change-database", help="Let this home go over to the database that the settings name.")
    ] = False,
) -> None:
    """Start everything: database, practice exchange, the five services and the worker. Ctrl-C stops it."""
    from polymarket_kit.env_files import VARIABLE as ENV_FILE_VARIABLE
    from polymarket_kit.env_files import as_variable
    from prescient.supervisor.last_run import check_database

    chosen = {"PRESCIENT_VENUE": venue, "PRESCIENT_SPEED": speed, "PRESCIENT_SEED": seed}
    os.environ.update({name: str(value) for name, value in chosen.items() if value is not None})
    if debug:
        os.environ["PYTHON_LOG_LEVEL"] = "DEBUG"
    settings = load_settings()
    if not change_database:
        check_database(settings)
    # All processes of this run read the same files, wherever they start from.
    os.environ[ENV_FILE_VARIABLE] = as_variable(settings.files)
    if source_info(settings).practice_port is None:
        _check_reachable(settings)
    _become_supervisor(plan_of(settings, open_docs=open_docs))


def down() -> None:
    """Stop the running system, database included, and wait until it is gone."""
    from prescient.supervisor.last_run import of_the_run
    from prescient.supervisor.stopping import stop_home

    # Whatever the settings say of the database: what runs on the home is stopped.
    settings = of_the_run(load_settings())
    stopped, message = stop_home(settings.home, settings.embedded_postgres_port, database_name(settings))
    typer.echo(message)
    if not stopped:
        raise typer.Exit(FAILURE)


def plan_of(settings: Settings, *, open_docs: bool = False) -> Plan:
    """Return what `prescient up` starts with these settings."""
    from prescient.supervisor.plan import Choice, Plan, system_children

    ports, info = settings.service_ports, source_info(settings)
    return Plan(
        home=str(settings.home),
        source=info.title,
        children=system_children(ports, info.practice_port),
        service_ports=ports,
        practice_port=info.practice_port,
        database_port=settings.embedded_postgres_port if settings.uses_embedded_postgres else None,
        database_name=database_name(settings),
        database_place=f"{database_name(settings)} on {database_server(settings)}",
        choice=Choice(
            settings.venue,
            settings.seed,
            settings.port_shift,
            database_of_home(settings),
            tuple(str(file) for file in settings.files),
        ),
        open_docs=open_docs,
    )


def _become_supervisor(plan: Plan) -> None:
    """Replace this process by the supervisor, which is far smaller; the process id stays, so whoever waits for it still can."""
    from prescient.supervisor.plan import PLAN_VARIABLE, module_command

    if sys.platform == "win32":
        # There, "replacing" would return to the shell at once, with the system left in the background.
        from prescient.supervisor.supervisor import run_plan

        raise typer.Exit(run_plan(plan))
    os.environ[PLAN_VARIABLE] = plan.to_json()
    os.environ["PYTHONIOENCODING"] = (
        f"{sys.stdout.encoding}:replace"  # what holds for the command holds for its successor
    )
    sys.stdout.flush()
    command = module_command("prescient.supervisor.supervisor")
    os.execv(command[0], command)  # noqa: S606 (no shell is wanted)


def _check_reachable(settings: Settings) -> None:
    """Ask the venue for one event before anything is started. Raises CommandFailed with the offline command."""
    import urllib.error
    import urllib.request

    address = f"{gamma_url(settings)}/events?limit=1"
    request = urllib.request.Request(address, headers={"User-Agent": "prescient"})  # noqa: S310 (our own setting)
    try:
        with urllib.request.urlopen(request, timeout=REACH_TIMEOUT_S) as answer:  # noqa: S310
            answer.read(1)
        return
    except urllib.error.HTTPError as error:
        reason = f"it answers {error.code}"
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "reason", error))
    raise CommandFailed(
        f"Polymarket cannot be reached ({gamma_url(settings)}: {reason}). "
        "Without it, the built-in practice exchange works offline: make run"
    )
