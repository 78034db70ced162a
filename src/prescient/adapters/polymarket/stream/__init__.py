"""The venue's market stream: sockets, books kept up to date, evidence per token, reference books over REST."""

from __future__ import annotations
