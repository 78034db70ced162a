"""The matching engine as pure code; time is an argument."""

from __future__ import annotations
