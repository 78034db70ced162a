"""The venue's client against a scripted venue."""

from __future__ import annotations
