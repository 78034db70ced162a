"""What both sides of the venue's wire must agree on: values, prices, fees, rules, signatures and messages. Pure code."""

from __future__ import annotations
