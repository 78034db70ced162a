"""``python -m prescient`` is the command line, for installations whose scripts are not on the path."""

from __future__ import annotations

from prescient.cli.main import main

if __name__ == "__main__":
    main()
