"""Lets commands beside a run follow the home: its ports, its database, and what `prescient up --venue` and `--seed` chose."""

from __future__ import annotations

import os
from pathlib import Path

from polymarket_kit.errors import ExitCode, PrescientError
from prescient.settings import Settings
from prescient.supervisor.home import Home
from prescient.supervisor.plan import Choice
from prescient.wiring import SOURCES, database_of_home

NAMED_BY = ("PRESCIENT_VENUE", "PRESCIENT_SEED")


class OtherDatabase(PrescientError):
    """The settings name another database than the one that this home works with."""

    code = "other_database"
    exit_code = ExitCode.REFUSED

    def __init__(self, home: Path, kept: Choice, named: str) -> None:
        files = os.pathsep.join(kept.env_files)
        cure = f"Read the settings of its last start: PRESCIENT_ENV_FILE={files}" if files else "Leave POSTGRES_* unset"
        super().__init__(
            f"The home {home} works with the database {kept.database}, and these settings name {named}. {cure}. "
            "Or choose another home (PRESCIENT_HOME), or go over to that database for good: prescient up --change-database"
        )


def check_database(settings: Settings) -> None:
    """Raises OtherDatabase unless the home's last start used the database that these settings name, or none is known."""
    kept = Home(settings.home).choice() if settings.home.is_dir() else None
    named = database_of_home(settings)
    if kept is not None and kept.database not in ("", named):
        raise OtherDatabase(settings.home, kept, named)


def of_the_run(settings: Settings) -> Settings:
    """Return the settings with the venue and seed of what runs on this home, or ran last, and the ports of what runs.

    An environment that names a venue or seed is an order, and stays; ``.env`` only says what the next start takes.
    """
    if not settings.home.is_dir():
        return settings
    home = Home(settings.home)
    choice = home.choice()
    if choice is None or choice.venue not in SOURCES:
        return settings
    found: dict[str, object] = {}
    if not any(os.environ.get(name) for name in NAMED_BY):
        found |= {"venue": choice.venue, "seed": choice.seed}
    if choice.port_shift is not None and home.running() is not None:
        found["port_shift"] = choice.port_shift
    return settings.model_copy(update=found)
