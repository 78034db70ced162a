"""The supervisor, with tiny processes of its own and with the real system."""

from __future__ import annotations
