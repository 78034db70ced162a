"""How often a serving process looks for cyclic garbage: seldom, and never again through what it loaded at its start."""

from __future__ import annotations

import gc

# A page of the catalogue makes ten thousand objects that live until the page is written. At Python's own threshold of
# 700 the collector walks over them again and again: a quarter of a cycle's time, in pauses of up to 0.2 s (bench/cycle.py).
YOUNG_OBJECTS = 20_000
# The middle generation holds this many more rounds of young objects, and its walk is a pause: 30 to 40 ms at four.
YOUNG_ROUNDS = 1
MIDDLE_ROUNDS = 200


def tune_garbage_collection() -> None:
    """Set what is loaded by now aside for good, and walk over the rest less often. Called when a process is ready to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, MIDDLE_ROUNDS)
