"""The venue's restricted modes, set by ``/practice/mode``: a restart with its post-only window, cancel-only, disabled."""

from __future__ import annotations

from typing import Literal

import msgspec

from practice_exchange.engine.orders import Mode
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.web.controls import control_refused, read_control
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.timestamps import SECOND_MS

Name = Literal["open", "restart", "post_only", "cancel_only", "disabled"]
MODES: dict[Name, Mode] = {
    "open": Mode.NORMAL,
    "restart": Mode.RESTARTING,
    "post_only": Mode.POST_ONLY,
    "cancel_only": Mode.CANCEL_ONLY,
    "disabled": Mode.DISABLED,
}
NAMES: dict[Mode, Name] = {mode: name for name, mode in MODES.items()}
# How long these take on the venue; the others last until another mode is set.
USUAL_S: dict[Name, float] = {"restart": 90.0, "post_only": 120.0}
SECONDS_MAX = 86_400.0
EXAMPLE = '{"mode": "restart", "seconds": 90}'


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    mode: Name
    seconds: float | None = None


class Modes:
    """Sets what the exchange takes. Seconds are of the exchange's own time, as everything that happens to orders."""

    def __init__(self, venue_engine: VenueEngine) -> None:
        self._venue_engine = venue_engine

    @property
    def name(self) -> Name:
        """The name of the present mode."""
        return NAMES[self._venue_engine.engine.mode]

    def set(self, request: Request) -> Answer:
        """Restart, restrict or open the exchange."""
        wanted = read_control(request.body, _Wanted, EXAMPLE)
        seconds = USUAL_S.get(wanted.mode, 0.0) if wanted.seconds is None else wanted.seconds
        if not 0 <= seconds <= SECONDS_MAX:
            raise control_refused(f"seconds must be between 0 and {SECONDS_MAX:g}")
        now_ms = self._venue_engine.now_ms
        until_ms = now_ms + int(seconds * SECOND_MS) if seconds and wanted.mode != "open" else 0
        self._venue_engine.engine.set_mode(MODES[wanted.mode], now_ms, until_ms)
        self._venue_engine.advance()
        return self.show(request)

    def show(self, request: Request) -> Answer:
        """What the exchange takes."""
        self._venue_engine.advance()
        until_ms = self._venue_engine.engine.mode_until_ms
        left_s = max(0, until_ms - self._venue_engine.now_ms) / SECOND_MS if until_ms else None
        return json_answer({"mode": self.name, "seconds_left": left_s})
