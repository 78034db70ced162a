"""One client's connection: frames are written once per step in one piece; slow consumers are disconnected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from practice_exchange.streams.faults import ChannelName, StreamFaults

# More than this unread, and the client is cut off: it can ask for everything afresh, the exchange cannot keep it all.
UNREAD_MAX_BYTES = 16 * 1024 * 1024


class StreamSocket:
    """The sending side of a connection. ``wake`` is called when frames begin to wait; ``flush`` then sends them.

    Frames are complete websocket frames. They are written past the server's own writer: it would write each one apart,
    with a task for each.
    """

    def __init__(
        self,
        number: int,
        channel: ChannelName,
        transport: asyncio.Transport,
        faults: StreamFaults,
        wake: Callable[[StreamSocket], None],
        unread_max_bytes: int = UNREAD_MAX_BYTES,
    ) -> None:
        self.number = number
        self.channel: ChannelName = channel
        self.sent_frames = 0
        self.stalled = False
        self.too_slow = False
        # Whether the world no longer waits for it.
        self.abandoned = False
        # Market channel: what it reads, and whether it gets the events that must be asked for.
        self.tokens: set[str] = set()
        self.custom = False
        # User channel: whose events it gets, and in which markets (none named: in all).
        self.accounts: tuple[str, ...] = ()
        self.markets: set[str] = set()
        self._faults = faults
        self._transport = transport
        self._wake = wake
        self._unread_max_bytes = unread_max_bytes
        self._outbox: list[bytes] = []
        self._held: bytes | None = None
        self._ended = False

    @property
    def unread_bytes(self) -> int:
        """What has been sent and not yet taken by the client's machine."""
        return self._transport.get_write_buffer_size()

    def put(self, frame: bytes) -> None:
        """Send an event, or what the faults make of it."""
        if self.stalled:
            return
        if self._faults.busy or self._held is not None:
            self._put_spoiled(frame)
            return
        self.answer(frame)

    def answer(self, frame: bytes) -> None:
        """Send a frame that no fault touches: an answer to PING comes even when all else has stalled."""
        if self._ended:
            return
        outbox = self._outbox
        if not outbox:
            self._wake(self)
        outbox.append(frame)

    def _put_spoiled(self, frame: bytes) -> None:
        if self._faults.misses():
            return
        if self._faults.garbles():
            # As long as its head says, but no JSON.
            self.answer(frame[:-1] + b"{")
            return
        held, self._held = self._held, None
        if held is None and self._faults.holds_back():
            self._held = frame
            return
        self.answer(frame)
        if self._faults.doubles():
            self.answer(frame)
        if held is not None:
            self.answer(held)

    def release_held(self) -> None:
        """Send what a fault held back."""
        held, self._held = self._held, None
        if held is not None:
            self.answer(held)

    def flush(self) -> None:
        """Write what waits. A client that has left too much unread is cut off."""
        outbox, self._outbox = self._outbox, []
        transport = self._transport
        if not outbox or transport.is_closing():
            return
        self.sent_frames += len(outbox)
        transport.write(outbox[0] if len(outbox) == 1 else b"".join(outbox))
        if transport.get_write_buffer_size() > self._unread_max_bytes:
            self.too_slow = True
            transport.abort()

    def end(self) -> None:
        """Send nothing any more: nothing may follow a closing frame."""
        self._ended = True
        self._outbox.clear()

    def abort(self) -> None:
        """Break the connection off."""
        self._transport.abort()
