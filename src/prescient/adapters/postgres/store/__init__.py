"""The store's tables and statements, one file for each role."""

from __future__ import annotations
