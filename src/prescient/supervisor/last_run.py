"""Lets commands beside a run find its database: `prescient up --venue` and `--seed` count for them too."""

from __future__ import annotations

import os

from prescient.settings import Settings
from prescient.supervisor.home import Home
from prescient.wiring import SOURCES

NAMED_BY = frozenset({"PRESCIENT_VENUE", "PRESCIENT_SEED"})


def of_the_run(settings: Settings) -> Settings:
    """Return the settings with the venue and seed of what runs on this home, or ran last.

    An environment that names one of them is an order, and stays; ``.env`` only says what the next start takes.
    """
    if NAMED_BY & os.environ.keys() or not settings.home.is_dir():
        return settings
    choice = Home(settings.home).choice()
    if choice is None or choice.venue not in SOURCES:
        return settings
    return settings.model_copy(update={"venue": choice.venue, "seed": choice.seed})
