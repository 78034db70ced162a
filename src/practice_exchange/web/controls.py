"""The time of a running exchange, and the controls under ``/practice`` for time and status."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from practice_exchange.web.responses import Answer, WireError, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.timestamps import SECOND_MS, rfc3339
from practice_exchange.world.world import WorldView

# The world takes a step this often.
TICK_S = 1.0


class WorldClock:
    """Tells the world's time as an anchor plus what has passed since, at ``speed`` of its seconds in one of ours.

    While the world moves, time stands at the end of the step. With ``speed`` 0 it moves by steps alone.
    """

    def __init__(self, now_ms: int, speed: float) -> None:
        self.speed = speed
        self._anchor_ms = now_ms
        self._anchor_s: float | None = None
        # No time beyond this is reported before the next checkpoint, so that a crash cannot make time run back.
        self.promise_ms = sys.maxsize
        # While set, both clocks stand: one request happens at one moment, now and when it is repeated after a crash.
        self._held_ms: int | None = None
        self._held_s = 0.0

    def now_ms(self) -> int:
        """The world's time in milliseconds since 1970."""
        if self._held_ms is not None:
            return self._held_ms
        if self._anchor_s is None:
            return self._anchor_ms
        passed_s = min(time.monotonic() - self._anchor_s, TICK_S)
        return max(self._anchor_ms, min(self._anchor_ms + int(passed_s * self.speed * 1000), self.promise_ms))

    def machine_s(self) -> float:
        """This machine's clock, in seconds since 1970."""
        return time.time() if self._held_ms is None else self._held_s

    def hold(self, now_ms: int | None = None, machine_s: float | None = None) -> None:
        """Stop both clocks, here or at these times, until ``release``."""
        machine_s = self.machine_s() if machine_s is None else machine_s
        self._held_ms, self._held_s = self.now_ms() if now_ms is None else now_ms, machine_s

    def release(self) -> None:
        self._held_ms = None

    def stand(self, until_ms: int) -> int:
        """Stop at the end of a step that begins; returns that time, which is never before a reported one."""
        self._anchor_ms, self._anchor_s = max(until_ms, self._anchor_ms), None
        return self._anchor_ms

    def resume(self) -> None:
        """Run again from where it stopped, unless time moves by steps alone."""
        self._anchor_s = time.monotonic() if self.speed > 0 else None

    def promise(self, from_ms: int, reach_s: float) -> int:
        """The moment that will not be passed before the next checkpoint, ``reach_s`` of our seconds ahead."""
        return max(self._anchor_ms, from_ms) + int(reach_s * self.speed * 1000)


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
