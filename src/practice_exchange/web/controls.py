"""The controls under ``/practice`` for time and status."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from practice_exchange.web.responses import Answer, WireError, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.timestamps import SECOND_MS, rfc3339
from practice_exchange.world.world import WorldView

T = TypeVar("T")
ADVANCE_MAX_S = 400 * 86_400


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


class Controls:
    """The controls of time, and the status, to which each part of the exchange adds what it has to say.

    ``speed`` is how many seconds of the world pass in one of ours; 0 while it stands still.
    """

    def __init__(self, world: WorldView, now_ms: Callable[[], int], speed: float = 0.0) -> None:
        self.speed = speed
        self._world = world
        self._now_ms = now_ms
        self._states: dict[str, Callable[[], object]] = {}

    def add_status(self, name: str, state: Callable[[], object]) -> None:
        """Add a field to the status: what ``state`` returns."""
        self._states[name] = state

    # Time

    def read_advance(self, body: bytes) -> int:
        """The moment that ``POST /practice/advance`` asks for, in ms. Raises WireError."""
        seconds = read_control(body, _Advance, '{"seconds": n}').seconds
        if not 0 <= seconds <= ADVANCE_MAX_S:
            raise control_refused(f"seconds must be between 0 and {ADVANCE_MAX_S}")
        return self._now_ms() + int(seconds * SECOND_MS)

    def time(self, request: Request) -> Answer:
        """The exchange's time."""
        return self.time_answer()

    def time_answer(self) -> Answer:
        now_ms = self._now_ms()
        content = {"now_ms": now_ms, "now": rfc3339(now_ms), "speed": self.speed, "frozen": self.speed == 0}
        return json_answer(content | {"source": self._world.source})

    def advance(self, request: Request) -> Answer:
        """Let time pass at once."""
        for _ in self._world.step_slices(self.read_advance(request.body)):
            pass
        return self.time_answer()

    # State

    def status(self, request: Request) -> Answer:
        """What there is, and how fast time passes."""
        register, now_ms = self._world.register, self._now_ms()
        markets = register.markets.values()
        return json_answer(
            {
                "seed": self._world.seed,
                "now": rfc3339(now_ms),
                "now_ms": now_ms,
                "speed": self.speed,
                "frozen": self.speed == 0,
                "events": len(register.events),
                "open_events": sum(not event.closed for event in register.events.values()),
                "markets": len(register.markets),
                "open_markets": sum(not market.closed for market in markets),
                "accepting_orders": sum(market.accepting_orders and market.active for market in markets),
            }
            | {name: state() for name, state in self._states.items()}
        )


def read_control(body: bytes, kind: type[T], example: str) -> T:
    """Decode a control's body. Raises WireError (422) that shows what to send."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise control_refused(f"Send {example}: {error}") from None


def control_refused(message: str) -> WireError:
    """A control that asks for nonsense: 422, and ``message`` says what would make sense."""
    return WireError(json_answer({"error": message}, 422))
