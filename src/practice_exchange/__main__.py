"""Starts the practice exchange with ``python -m practice_exchange``; ``prescient practice`` and the supervisor use it."""

from __future__ import annotations

from practice_exchange.app.command import main

if __name__ == "__main__":
    main()
