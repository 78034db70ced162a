"""What people set up and change: portfolios and their schedules. Stands above trading, which takes both as they are."""

from __future__ import annotations
