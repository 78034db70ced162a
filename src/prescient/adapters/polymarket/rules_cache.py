"""A short-lived cache of trading rules: one cycle asks for the same market several times within seconds."""

from __future__ import annotations

from prescient.domain.market import TradingRules
from prescient.ports.clock import Clock

ENTRIES_MAX = 20_000


class RulesCache:
    """Keeps rules for ``max_age_s``, and at most as many as one cycle can need."""

    def __init__(self, clock: Clock, max_age_s: float) -> None:
        self._clock = clock
        self._max_age_s = max_age_s
        self._entries: dict[str, tuple[float, TradingRules]] = {}

    def fresh(self, condition_id: str) -> TradingRules | None:
        """Return rules that are young enough, or None."""
        entry = self._entries.get(condition_id)
        if entry is None or self._clock.monotonic_s() - entry[0] >= self._max_age_s:
            return None
        return entry[1]

    def put(self, rules: TradingRules) -> None:
        """Keep rules from now on; when there are too many, the oldest half goes."""
        self._entries.pop(rules.condition_id, None)
        if len(self._entries) >= ENTRIES_MAX:
            for condition_id in list(self._entries)[: ENTRIES_MAX // 2]:
                del self._entries[condition_id]
        self._entries[rules.condition_id] = (self._clock.monotonic_s(), rules)
