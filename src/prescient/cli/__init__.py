"""The command line. It talks to the running services over HTTP; heavy modules are imported inside the commands."""

from __future__ import annotations
