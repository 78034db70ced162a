"""What a checkpoint keeps of the trading side, taken at the same moment as the world: accounts, orders, trades, keys."""

from __future__ import annotations

from typing import Protocol

import msgspec

from practice_exchange.clob.heartbeats import HeartbeatState
from practice_exchange.venue.accounts import ApiKey
from practice_exchange.venue.venue_engine import VenueEngineState

# Changes whenever an older state can no longer be continued.
VERSION = 1


class Part(Protocol):
    """A piece of the trading side with a memory of its own."""

    def dump_state(self) -> bytes: ...

    def load_state(self, kept: bytes) -> None:
        """Raises msgspec.MsgspecError for what it did not write itself."""
        ...


class TradingState(msgspec.Struct):
    """Everything the trading side remembers. ``known`` are the accounts that may trade with the older wallets."""

    version: int
    # The name under which every checkpoint so far keeps it.
    venue_engine: VenueEngineState = msgspec.field(name="floor")
    keys: list[ApiKey]
    known: list[str]
    pulses: list[HeartbeatState]
    parts: dict[str, bytes]


class TradingUnreadable(ValueError):
    """These bytes are not the state of a trading side of this version."""


def encode_state(state: TradingState) -> bytes:
    return msgspec.msgpack.encode(state)


def decode_state(kept: bytes) -> TradingState:
    """Raises TradingUnreadable."""
    try:
        state = msgspec.msgpack.decode(kept, type=TradingState)
    except msgspec.MsgspecError as error:
        raise TradingUnreadable(f"the accounts and orders cannot be read: {error}") from error
    if state.version != VERSION:
        raise TradingUnreadable(f"accounts and orders are of version {state.version}, not {VERSION}")
    return state
