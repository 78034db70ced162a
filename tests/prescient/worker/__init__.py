"""Schedules, and the worker that keeps to them."""

from __future__ import annotations
