"""The order-book API (CLOB): public books and prices, keys, orders and cancels."""

from __future__ import annotations
