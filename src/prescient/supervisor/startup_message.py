"""What the supervisor prints for the person who started it: what runs where, and what to do next."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from prescient.service_table import SERVICE_TITLES
from prescient.supervisor.home import Home, RunState
from prescient.supervisor.plan import Plan


def command_name() -> str:
    """Return the command as it can be typed here: by its name if the shell finds it, else with its folder."""
    own = Path(sys.executable).with_name("prescient.exe" if sys.platform == "win32" else "prescient")
    found = shutil.which("prescient")
    if found is not None and Path(found).resolve() == own.resolve():
        return "prescient"
    try:
        shown = str(own.relative_to(Path.cwd()))
    except ValueError:
        shown = str(own)
    return f'"{shown}"' if " " in shown else shown


def greeting(plan: Plan, home: Home, seconds: float) -> str:
    """Return what is printed once everything answers; with colours on a terminal, plain text elsewhere."""
    command = command_name()
    places = [(SERVICE_TITLES[name], f"http://localhost:{port}/docs") for name, port in plan.service_ports.items()]
    if plan.practice_port is not None:
        places.append(("Practice exchange", f"http://localhost:{plan.practice_port}"))
    places += [("Database", plan.database_place), ("Settings", settings_read(plan))]
    places.append(("Logs", str(home.logs)))
    next_steps = [
        ("run a first trading cycle", f"{command} cycle run"),
        ("see the portfolio", f"{command} positions"),
        ("ask why it did (not) trade", f"{command} explain --portfolio 1"),
        ("open a database shell", f"{command} psql"),
        ("stop everything", f"Ctrl-C here, or {command} down"),
    ]
    headline = f"Prescient is ready after {seconds:.1f} s. Source of markets: {plan.source}."
    if sys.stdout.isatty():
        return _coloured(headline, places, next_steps)
    return "\n".join([headline, "", *_columns(places), "", "What to do next:", *_columns(next_steps)])


def settings_read(plan: Plan) -> str:
    """Return which settings files count, the strongest first."""
    files = plan.choice.env_files if plan.choice is not None else ()
    return ", ".join(reversed(files)) or "the environment alone (no .env)"


def already_running(folder: Path, state: RunState | None) -> str:
    """Return what a second `prescient up` on the same home prints before it ends."""
    if state is None:
        return f"Prescient already runs on {folder}. Stop it first: {command_name()} down"
    lines = [f"Prescient already runs on {folder}: process {state.supervisor.pid}, {state.phase}."]
    lines += _columns([(SERVICE_TITLES.get(name, name.capitalize()), url) for name, url in state.urls.items()])
    other = "For a second installation set PRESCIENT_HOME and PRESCIENT_PORT_SHIFT."
    return "\n".join([*lines, f"Stop it: {command_name()} down. {other}"])


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(left) for left, _ in rows), default=0)
    return [f"  {left:<{width}}  {right}" for left, right in rows]


def _coloured(headline: str, places: list[tuple[str, str]], next_steps: list[tuple[str, str]]) -> str:
    # Imported only at a terminal: a system that runs headless does not pay for it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    with console.capture() as captured:
        console.print(Text(headline, style="bold green"))
        for title, rows in (("Where", places), ("What to do next", next_steps)):
            table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
            for left, right in rows:
                table.add_row(Text(left), Text(right, style="cyan"))
            console.print(table)
    return captured.get()
