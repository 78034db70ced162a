"""Floor 1: the venue's matching as pure code; time is an argument."""

from __future__ import annotations
