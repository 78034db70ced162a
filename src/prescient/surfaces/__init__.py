"""Floor 4: what people and programs touch: API, worker, command line, supervisor, practice exchange."""

from __future__ import annotations
