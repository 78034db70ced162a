"""One file per step of the schema. A step that has been released is never changed: a new one follows it."""

from __future__ import annotations
