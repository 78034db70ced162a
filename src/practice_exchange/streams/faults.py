"""Injected faults of the websockets: stalls, gaps, doubled and swapped frames, lost connections."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal, Protocol

import msgspec

ChannelName = Literal["market", "user"]


class FaultySocket(Protocol):
    """What a fault does to a connection."""

    number: int
    channel: ChannelName
    stalled: bool
    tokens: set[str]
    sent_frames: int

    def abort(self) -> None: ...

    def release_held(self) -> None: ...


class SocketSeen(msgspec.Struct, frozen=True):
    """An open connection, by the number that faults name it with (they count up from 1). User sockets have no tokens."""

    number: int
    channel: str
    tokens: int
    stalled: bool
    sent_frames: int


class StreamFaults:
    """The faults of both websockets. All are off at first; each holds until it is set back, or until ``clear``.

    ``stalled_tokens``: nothing about these tokens is sent, although the socket lives and others are. ``skip_snapshots``:
    so many next subscriptions get no first books. ``lost_share``: how many of the tokens that a client names are quietly
    forgotten, 0..1. ``doubled_share`` and ``reordered_share``: how many frames are sent twice, or change places with the
    next frame of their socket, 0..1; ``missing_share`` and ``garbled_share`` how many are lost or are no JSON.
    Chance is seeded.
    """

    def __init__(self, seed: int = 0) -> None:
        self.stalled_tokens: set[str] = set()
        self.skip_snapshots = 0
        self.lost_share = 0.0
        self.doubled_share = 0.0
        self.reordered_share = 0.0
        self.missing_share = 0.0
        self.garbled_share = 0.0
        self._random = Random(f"{seed}/stream faults")
        self._sockets: dict[int, FaultySocket] = {}

    @property
    def busy(self) -> bool:
        """Whether single frames are tampered with."""
        return max(self.doubled_share, self.reordered_share, self.missing_share, self.garbled_share) > 0

    def sockets(self) -> list[SocketSeen]:
        """The open connections, oldest first."""
        return [
            SocketSeen(socket.number, socket.channel, len(socket.tokens), socket.stalled, socket.sent_frames)
            for socket in self._sockets.values()
        ]

    def stall_sockets(self, channel: ChannelName, number: int | None = None) -> int:
        """Silence the open sockets of a channel, or one of them; PING is still answered. Returns how many."""
        return self._each(channel, number, lambda socket: setattr(socket, "stalled", True))

    def resume_sockets(self, channel: ChannelName, number: int | None = None) -> int:
        """End a stall. What was not sent meanwhile never is."""
        return self._each(channel, number, lambda socket: setattr(socket, "stalled", False))

    def drop_sockets(self, channel: ChannelName, number: int | None = None) -> int:
        """Break connections off without a closing frame. Returns how many."""
        return self._each(channel, number, lambda socket: socket.abort())

    def stall_token(self, token_id: str) -> None:
        self.stalled_tokens.add(token_id)

    def clear(self) -> None:
        """End all faults, stalls included; frames that were held back go out."""
        self.stalled_tokens.clear()
        self.skip_snapshots = 0
        self.lost_share = self.doubled_share = self.reordered_share = 0.0
        self.missing_share = self.garbled_share = 0.0
        for socket in list(self._sockets.values()):
            socket.stalled = False
            socket.release_held()

    # What the streams ask

    def enlist(self, socket: FaultySocket) -> None:
        self._sockets[socket.number] = socket

    def dismiss(self, socket: FaultySocket) -> None:
        self._sockets.pop(socket.number, None)

    def skips_snapshot(self) -> bool:
        """Whether the subscription at hand gets no first books; uses one up."""
        if self.skip_snapshots > 0:
            self.skip_snapshots -= 1
            return True
        return False

    def loses_token(self) -> bool:
        return self.lost_share > 0 and self._random.random() < self.lost_share

    def doubles(self) -> bool:
        return self.doubled_share > 0 and self._random.random() < self.doubled_share

    def holds_back(self) -> bool:
        return self.reordered_share > 0 and self._random.random() < self.reordered_share

    def misses(self) -> bool:
        return self.missing_share > 0 and self._random.random() < self.missing_share

    def garbles(self) -> bool:
        return self.garbled_share > 0 and self._random.random() < self.garbled_share

    def _each(self, channel: ChannelName, number: int | None, act: Callable[[FaultySocket], None]) -> int:
        chosen = [
            socket
            for socket in self._sockets.values()
            if socket.channel == channel and (number is None or socket.number == number)
        ]
        for socket in chosen:
            act(socket)
        return len(chosen)
