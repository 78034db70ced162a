"""Floor 2: the six verbs as plain coroutines over the ports."""

from __future__ import annotations
