"""Every way out of the core: clock, market data, venue, store by role, steps. Protocols only; ``wiring`` picks classes."""

from __future__ import annotations
