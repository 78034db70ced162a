"""The venue's public messages (Gamma, CLOB, streams) as typed structs. Decoding only, no I/O."""

from __future__ import annotations
