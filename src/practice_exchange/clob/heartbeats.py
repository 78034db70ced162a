"""Heartbeats: when a client that sends them stops, all orders of its API key are cancelled. Times are of this machine."""

from __future__ import annotations

import hashlib

import msgspec

from polymarket_kit.messages.order_messages import HeartbeatMessage
from practice_exchange.venue.accounts import ApiKey
from practice_exchange.web.responses import Answer, json_answer

# The venue's rule: more than ten seconds without one.
SILENCE_MAX_S = 10.0


class HeartbeatState(msgspec.Struct):
    """The last heartbeat of one API key."""

    key: ApiKey
    count: int
    last_s: float
    heartbeat_id: str


class Heartbeats:
    """The last heartbeat of each API key that sends them. They tell whether a client lives, so our own clock counts."""

    def __init__(self) -> None:
        self._pulses: dict[str, HeartbeatState] = {}

    def beat(self, key: ApiKey, given: str, now_s: float) -> Answer:
        """Take a heartbeat that names the one before; the first names none, or any. Another is refused with the expected one."""
        key_id = key.credentials.key
        heartbeat = self._pulses.get(key_id)
        if heartbeat is not None and given != heartbeat.heartbeat_id:
            text = "Invalid Heartbeat ID"
            return json_answer(HeartbeatMessage(heartbeat.heartbeat_id, error_msg=text, error=text), 400)
        count = heartbeat.count + 1 if heartbeat is not None else 0
        digits = hashlib.sha256(f"{key_id}/{count}".encode()).hexdigest()
        heartbeat_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
        self._pulses[key_id] = HeartbeatState(key, count, now_s, heartbeat_id)
        return json_answer(HeartbeatMessage(heartbeat_id))

    def fallen_silent(self, now_s: float) -> list[ApiKey]:
        """Return the keys whose heartbeat has stopped, once each: after that they have to begin anew."""
        silent = [key_id for key_id, heartbeat in self._pulses.items() if now_s - heartbeat.last_s > SILENCE_MAX_S]
        return [self._pulses.pop(key_id).key for key_id in silent]

    def any_silent(self, now_s: float) -> bool:
        """Whether a heartbeat has stopped."""
        return any(now_s - heartbeat.last_s > SILENCE_MAX_S for heartbeat in self._pulses.values())

    def dump_state(self) -> list[HeartbeatState]:
        return list(self._pulses.values())

    def load_state(self, kept: list[HeartbeatState]) -> None:
        self._pulses = {heartbeat.key.credentials.key: heartbeat for heartbeat in kept}

    def forgive(self, now_s: float) -> None:
        """Count silence from now on: while this exchange was down, nobody could have been heard."""
        for heartbeat in self._pulses.values():
            heartbeat.last_s = max(heartbeat.last_s, now_s)
