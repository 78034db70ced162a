"""How often a serving process looks for cyclic garbage: seldom, and never again through what it loaded at its start."""

from __future__ import annotations

import gc

# A page of the catalogue makes ten thousand objects that live until the page is written. At Python's own threshold of
# 700 the collector walks over them again and again: a quarter of a cycle's time, in pauses of up to 0.2 s (bench/cycle.py).
YOUNG_OBJECTS = 20_000
COLLECTIONS_BEFORE_NEXT = 20


def settle_collector() -> None:
    """Set what is loaded by now aside for good, and walk over the rest less often. Called when a process is ready to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, COLLECTIONS_BEFORE_NEXT, COLLECTIONS_BEFORE_NEXT)
