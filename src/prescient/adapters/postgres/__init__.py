"""PostgreSQL behind the ports: all SQL of the product, and the server it starts by itself."""

from __future__ import annotations
