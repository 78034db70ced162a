"""Books and market rules as the public order-book API writes them, for its routes and for the streams."""

from __future__ import annotations
