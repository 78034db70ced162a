"""Where a cycle's steps run: in this process, or handed over to the one that holds the venue. Stands above trading."""

from __future__ import annotations
