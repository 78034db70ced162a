"""The command line on real processes."""

from __future__ import annotations
