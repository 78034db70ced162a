"""What one run of `prescient up` consists of: decided by the command line, handed to the supervisor as plain JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PLAN_VARIABLE = "PRESCIENT_PLAN"
# Set for every child process: its standard input is then the supervisor's pipe, whose end means the supervisor's.
SUPERVISED_VARIABLE = "PRESCIENT_SUPERVISED"


@dataclass(frozen=True, slots=True)
class Health:
    """One address that must answer before a child counts as ready; an empty path asks only for a connection."""

    name: str
    port: int
    path: str = "/health"


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """One process to keep alive. ``stop_timeout_s``: how long it may take to end in order before it is killed."""

    name: str
    command: tuple[str, ...]
    health: tuple[Health, ...] = ()
    stop_timeout_s: float = 2.0
    # Not answering for so long after it was ready, it hangs: it is killed and started again.
    unresponsive_s: float = 30.0
    # It is told to go once the database answers; until then it loads its modules.
    needs_database: bool = True
    # It is told to go once these children are ready.
    after: tuple[str, ...] = ()
    # Started at once, to load its modules meanwhile, or only when it may go.
    starts_early: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """What a run was started with; other commands on the same home find its database, ports and settings by it."""

    venue: str
    seed: int
    # None, or empty: from a version that did not keep it.
    port_shift: int | None = None
    database: str = ""
    env_files: tuple[str, ...] = ()

    @classmethod
    def from_stored(cls, stored: dict[str, Any]) -> Choice:
        """Raises TypeError for what is no choice."""
        return cls(**stored | {"env_files": tuple(stored.get("env_files", ()))})


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the supervisor must know. It holds no secret: children read those for themselves."""

    home: str
    source: str
    children: tuple[ChildPlan, ...]
    service_ports: dict[str, int] = field(default_factory=dict)
    practice_port: int | None = None
    # None: the database is somebody else's (POSTGRES_HOST).
    database_port: int | None = None
    database_name: str = ""
    # Where it is, for people.
    database_place: str = ""
    open_docs: bool = False
    choice: Choice | None = None

    @property
    def home_path(self) -> Path:
        return Path(self.home)

    @property
    def ports(self) -> dict[str, int]:
        """Every port that must be free, by the name of who wants it."""
        wanted = dict(self.service_ports)
        if self.practice_port is not None:
            wanted["practice"] = self.practice_port
        if self.database_port is not None:
            wanted["database"] = self.database_port
        return wanted

    @property
    def urls(self) -> dict[str, str]:
        urls = {name: f"http://localhost:{port}" for name, port in self.service_ports.items()}
        if self.practice_port is not None:
            urls["practice"] = f"http://localhost:{self.practice_port}"
        return urls

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        stored = json.loads(text)
        children = tuple(_child(child) for child in stored.pop("children"))
        choice = stored.pop("choice")
        return cls(children=children, choice=Choice.from_stored(choice) if choice else None, **stored)


def _child(stored: dict[str, Any]) -> ChildPlan:
    health = tuple(Health(**part) for part in stored.pop("health"))
    command, after = stored.pop("command"), stored.pop("after")
    return ChildPlan(command=tuple(command), after=tuple(after), health=health, **stored)


def system_children(service_ports: Mapping[str, int], practice_port: int | None) -> tuple[ChildPlan, ...]:
    """The processes of a whole system, in the order of their start; they stop in the opposite order."""
    children = []
    if practice_port is not None:
        practice = Health("practice", practice_port, "/practice/time")
        children.append(
            ChildPlan("practice", module_command("practice_exchange"), (practice,), 1.5, needs_database=False)
        )
    before_api = tuple(child.name for child in children)
    services = tuple(Health(name, port) for name, port in service_ports.items())
    children.append(ChildPlan("api", child_command("api"), services, 5.5, after=before_api))
    children.append(ChildPlan("worker", child_command("worker"), (), 2.0, after=("api",), starts_early=False))
    return tuple(children)


def child_command(role: str) -> tuple[str, ...]:
    """Return the command that starts one of our own processes."""
    return (*module_command("prescient.supervisor.supervised_entry"), role)


def module_command(module: str) -> tuple[str, ...]:
    """Return the command that runs a module. ``-P`` keeps files in the current folder from being imported as modules."""
    return (sys.executable, "-P", "-m", module)
