"""Floor 4: the process that lets portfolios trade by themselves: it looks at schedules and asks the controller for cycles."""

from __future__ import annotations
