"""Floor 2: the real classes behind the ports; only wiring imports them."""

from __future__ import annotations
