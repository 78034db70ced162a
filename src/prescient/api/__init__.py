"""The five services over HTTP. ``create_app`` makes one of them, ``serve_apps`` runs several on one loop."""

from __future__ import annotations
