"""Where ids come from: time and randomness in a running system, a seeded count in a simulation."""

from __future__ import annotations

import secrets
import threading
import time

# Crockford's base 32 in lower case: no i, l, o, u, and its order as text is its order as a number.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
TIME_LETTERS = 10
RANDOM_LETTERS = 10
RANDOM_BITS = RANDOM_LETTERS * 5


def base32(number: int, letters: int) -> str:
    """Write a number from 0 to 32**letters - 1 with exactly this many letters. Raises ValueError outside of it."""
    if not 0 <= number < 32**letters:
        raise ValueError(f"{number} does not fit into {letters} letters")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(letters)))


class SystemIds:
    """Ids such as ``cycle-01k7q2m9xe4f8t2v0n6y``: milliseconds, then 50 random bits; sortable and safe in a URL.

    Within one process they only grow: two of one millisecond count on from the same random bits, and a wall clock
    that steps back is not followed. Several threads may share one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def new(self, kind: str) -> str:
        drawn = (time.time_ns() // 1_000_000 << RANDOM_BITS) | secrets.randbits(RANDOM_BITS)
        with self._lock:
            # The same or an earlier millisecond than the last id's: count on from it.
            stale = drawn >> RANDOM_BITS <= self._last >> RANDOM_BITS
            self._last = self._last + 1 if stale else drawn
            return f"{kind}-{base32(self._last, TIME_LETTERS + RANDOM_LETTERS)}"


class SequenceIds:
    """Ids such as ``cycle-7-00000001``: the seed, then a count. The same seed and calls give the same ids."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._seed}-{self._count:08d}"
