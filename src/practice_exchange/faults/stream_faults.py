"""Brings ordered faults of the websockets to the streams, and ends them there."""

from __future__ import annotations

from practice_exchange.faults.order import Fault, FaultRefused
from practice_exchange.streams.faults import ChannelName, StreamFaults

# Kinds that strike a share, and the share's name among the streams' faults.
SHARES = {
    "lost_tokens": "lost_share",
    "doubled_frames": "doubled_share",
    "reordered_frames": "reordered_share",
    "missing_frames": "missing_share",
    "garbled_frames": "garbled_share",
}
CHANNELS: tuple[ChannelName, ...] = ("market", "user")


class StreamTroubles:
    """Sets and ends STREAM faults. Stalled and broken connections are those that are open now, not later ones."""

    def __init__(self, streams: StreamFaults) -> None:
        self._streams = streams

    def begin(self, fault: Fault) -> None:
        """Raises FaultRefused where a channel or a token is needed and not named."""
        kind, streams = fault.kind, self._streams
        if kind in ("stalled_socket", "dropped_socket"):
            act = streams.stall_sockets if kind == "stalled_socket" else streams.drop_sockets
            act(_channel(fault), int(fault.number("socket")) or None)
        elif kind == "stalled_token":
            if not fault.words("token_id"):
                raise FaultRefused("stalled_token needs a token_id")
            streams.stall_token(fault.words("token_id"))
        elif kind == "missing_snapshot":
            streams.skip_snapshots = fault.count
        else:
            setattr(streams, SHARES[kind], fault.number("rate"))

    def end(self, kind: str = "") -> None:
        """End the faults of one kind, or all."""
        streams = self._streams
        if not kind:
            streams.clear()
        elif kind == "stalled_socket":
            for channel in CHANNELS:
                streams.resume_sockets(channel)
        elif kind == "stalled_token":
            streams.stalled_tokens.clear()
        elif kind == "missing_snapshot":
            streams.skip_snapshots = 0
        elif kind in SHARES:
            setattr(streams, SHARES[kind], 0.0)


def _channel(fault: Fault) -> ChannelName:
    name = fault.words("channel")
    for channel in CHANNELS:
        if name == channel:
            return channel
    raise FaultRefused(f"there is no channel {name!r}; it is market or user")
