"""Floor 4, beside the line of data: what the supervisor needs, kept light because it lives as long as the system."""

from __future__ import annotations
