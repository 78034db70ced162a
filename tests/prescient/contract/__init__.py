"""One suite for each port, run on every implementation of it."""

from __future__ import annotations
