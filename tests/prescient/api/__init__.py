"""The five services over HTTP, on the memory store and a small market of their own."""

from __future__ import annotations
