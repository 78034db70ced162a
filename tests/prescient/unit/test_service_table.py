"""The table of services: what a person typed or configured for years stays, and every other list follows from it."""

from __future__ import annotations

import subprocess
import sys

from prescient.api.app import ROUTERS
from prescient.api.controller import COMPONENTS, Components
from prescient.service_table import SERVICE_NAMES, SERVICE_TITLES, SERVICES
from prescient.settings import PORT_POSTGRES, PORT_PRACTICE, Settings

LOADED = """
import sys
import prescient.service_table
print(sorted({"pydantic", "asyncio", "structlog", "fastapi"} & sys.modules.keys()))
"""


def test_names_ports_and_titles_are_those_of_the_runbook() -> None:
    assert [(service.name, service.port) for service in SERVICES] == [
        ("events", 8000),
        ("markets", 8001),
        ("strategy", 8002),
        ("paper-trading", 8003),
        ("controller", 8004),
    ]
    assert len(set(SERVICE_TITLES.values())) == len(SERVICES)
    assert {PORT_PRACTICE, PORT_POSTGRES}.isdisjoint(service.port for service in SERVICES)


def test_every_service_has_routes_a_port_and_a_place_in_the_status() -> None:
    assert tuple(ROUTERS) == SERVICE_NAMES
    assert list(Settings(PRESCIENT_PORT_SHIFT=100).service_ports.items()) == [
        (service.name, service.port + 100) for service in SERVICES
    ]
    assert tuple(Components.model_fields) == COMPONENTS


def test_the_table_is_light_enough_for_the_supervisor() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
