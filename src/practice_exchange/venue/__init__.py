"""Accounts, approvals, balances and records of the exchange, over the matching engine."""

from __future__ import annotations
