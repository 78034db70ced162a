"""The venue's messages: decoded, refused, written back."""

from __future__ import annotations
