"""The five services, one row each: ports, titles, routes and addresses follow from here. Standard library only.

Light, because the supervisor reads it too, and it loads no settings library.
"""

from __future__ import annotations

from typing import NamedTuple

# All our servers listen on this machine only.
LOOPBACK = "127.0.0.1"
# A whole cycle over the venue's full catalogue takes a minute or two; this is for one that hangs.
CYCLE_TIMEOUT_S = 900.0


class Service(NamedTuple):
    """One service: its name in commands, its title for people, its port before PRESCIENT_PORT_SHIFT is added."""

    name: str
    title: str
    port: int

    @property
    def key(self) -> str:
        """The name as a JSON key."""
        return self.name.replace("-", "_")


EVENTS = Service("events", "Events", 8000)
MARKETS = Service("markets", "Markets", 8001)
STRATEGY = Service("strategy", "Strategy", 8002)
PAPER_TRADING = Service("paper-trading", "Paper trading", 8003)
CONTROLLER = Service("controller", "Main controller", 8004)

# Those that do a cycle's steps, and the one that asks them to.
STEP_SERVICES = (EVENTS, MARKETS, STRATEGY, PAPER_TRADING)
SERVICES = (*STEP_SERVICES, CONTROLLER)
SERVICE_NAMES = tuple(service.name for service in SERVICES)
SERVICE_TITLES = {service.name: service.title for service in SERVICES}
