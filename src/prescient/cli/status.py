"""`prescient status`: what runs, where, since when and how large, and whether the services answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymarket_kit.errors import PrescientError
from prescient.cli.context import FAILURE, NOT_RUNNING, services_of, settings_of_the_run
from prescient.cli.output import print_json, print_pairs, print_table

if TYPE_CHECKING:
    from prescient.cli.services import Services
    from prescient.settings import Settings
    from prescient.supervisor.home import ProcessMark, RunState


def add_to(app: typer.Typer) -> None:
    app.command()(status)


def status(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Show whether the system runs: processes, services, price updater, database."""
    settings = settings_of_the_run()
    answer = collect(settings, services_of(settings))
    if as_json:
        print_json(answer)
    else:
        _show(answer)
    if not answer["running"]:
        raise typer.Exit(NOT_RUNNING)
    if answer["system_health"] != "healthy":
        raise typer.Exit(FAILURE)


def collect(settings: Settings, services: Services) -> dict[str, Any]:
    """Return everything that can be seen from outside, for people and programs alike."""
    from prescient.supervisor.disk import full_disks
    from prescient.supervisor.home import Home
    from prescient.wiring import data_folders, database_name, database_server, source_info

    home = Home(settings.home)
    state = home.running()
    trading = _asked(services, "controller", "/trading/status")
    updater = _asked(services, "paper-trading", "/paper-trading/status")
    processes = _processes(state) if state is not None else []
    problems = full_disks(data_folders(settings))
    health = trading["system_health"] if trading is not None else "down"
    return {
        "running": state is not None or trading is not None,
        "supervised": state is not None,
        "home": str(settings.home),
        "logs": str(home.logs),
        "source": source_info(settings).name,
        "database": database_name(settings),
        "database_server": database_server(settings),
        "settings_files": [str(file) for file in reversed(settings.files)],
        "started_at": state.started_at if state is not None else None,
        "urls": {name: f"http://localhost:{port}" for name, port in services.ports.items()},
        "system_health": "degraded" if problems and health == "healthy" else health,
        "problems": problems,
        "components": trading["components"] if trading is not None else {},
        "price_updater_running": bool(updater and updater["price_updater_running"]),
        "processes": processes,
    }


def _processes(state: RunState) -> list[dict[str, Any]]:
    rows = [{"name": "supervisor", "state": state.phase, "restarts": 0, **_measured(state.supervisor)}]
    for name, child in state.children.items():
        mark = state.database if name == "database" else child.process
        rows.append({"name": name, "state": child.state, "restarts": child.restarts, **_measured(mark)})
    return rows


def _asked(services: Services, service: str, path: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = services.get(service, path, timeout_s=5.0)
    except PrescientError:
        # Here, not answering is a result too.
        return None
    return answer


def _measured(mark: ProcessMark | None) -> dict[str, Any]:
    process = mark.process() if mark is not None else None
    if process is None:
        return {"pid": None, "memory_mb": None}
    return {"pid": process.pid, "memory_mb": round(process.memory_info().rss / 1_000_000)}


def _show(answer: dict[str, Any]) -> None:
    if not answer["running"]:
        typer.echo(f"Prescient is not running on {answer['home']}. Start it: prescient up (or make run)")
        return
    pairs = [(name.replace("_", " "), answer[name]) for name in ("home", "logs", "source", "started_at")]
    pairs.append(("database", f"{answer['database']} on {answer['database_server']}"))
    pairs.insert(1, ("settings", ", ".join(answer["settings_files"]) or "the environment alone (no .env)"))
    pairs.append(("price updater running", answer["price_updater_running"]))
    print_pairs(f"Prescient is {answer['system_health']}", pairs)
    for problem in answer["problems"]:
        typer.echo(problem)
    names = {name.replace("_", "-"): part["status"] for name, part in answer["components"].items()}
    rows = [(name, names.get(name, "online"), f"{url}/docs") for name, url in answer["urls"].items()]
    if answer["components"]:
        print_table("Services", ("service", "status", "where"), rows)
    if answer["processes"]:
        columns = ("process", "state", "number", "memory MB", "restarts")
        listed = [
            (item["name"], item["state"], item["pid"], item["memory_mb"], item["restarts"])
            for item in answer["processes"]
        ]
        print_table("Processes", columns, listed)
