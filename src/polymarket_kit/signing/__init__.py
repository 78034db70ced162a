"""Typed data, order hashes, wallet addresses and log-in headers, made by clients and checked by the exchange."""

from __future__ import annotations
