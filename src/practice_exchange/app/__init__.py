"""The running exchange: routes, server, journal and checkpoints. Top layer of the practice exchange."""

from __future__ import annotations
