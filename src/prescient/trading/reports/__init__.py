"""What people are shown about cycles and decisions: read models, beside the line of data."""

from __future__ import annotations
