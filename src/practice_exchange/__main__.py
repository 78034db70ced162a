"""``python -m practice_exchange`` starts the local Polymarket; ``prescient practice`` and the supervisor start it so."""

from __future__ import annotations

from practice_exchange.app.command import main

if __name__ == "__main__":
    main()
