"""The embedded PostgreSQL server: folders, accounts, configuration, start and stop."""

from __future__ import annotations
