"""Floor 1: one file a strategy, pure: looks at one market and proposes, or says why not."""

from __future__ import annotations
