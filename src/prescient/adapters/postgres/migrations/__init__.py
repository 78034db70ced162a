"""The schema's history, oldest first; ``migrate.py`` runs what a database still lacks."""

from __future__ import annotations
