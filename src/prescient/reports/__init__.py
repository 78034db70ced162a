"""What people are shown about cycles and decisions. Stands above trading, which knows nothing of it."""

from __future__ import annotations
