"""Floor 4: the command line. It talks to the running services over HTTP; what is heavy loads inside the commands."""

from __future__ import annotations
