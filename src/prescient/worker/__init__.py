"""The worker process, which runs scheduled cycles through the controller, and the loops that work in the background."""

from __future__ import annotations
