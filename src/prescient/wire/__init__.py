"""Floor 1: the venue's messages as typed structs, read and written without I/O."""

from __future__ import annotations
