"""The controls of faults: ``/practice/faults`` lists, adds and clears them, one by one or drawn from a seed."""

from __future__ import annotations

import msgspec

from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.faults.fault_runner import FaultRunner
from practice_exchange.faults.kinds import KINDS, Fault, FaultRefused, Group, check_fault
from practice_exchange.faults.market_faults import MarketFaults
from practice_exchange.faults.persistent_faults import FaultConditions
from practice_exchange.faults.registry import Faults, RandomFaultsOrder
from practice_exchange.streams.faults import ChannelName, StreamFaults
from practice_exchange.web.controls import control_refused, read_control
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.world import WorldView

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


EXAMPLE = 'a fault such as {"path": "/gamma/events*", "kind": "429", "count": 3}, or weather such as {"seed": 7, "rate": 0.02}'


class _Cleared(msgspec.Struct, forbid_unknown_fields=True):
    kind: str = ""


class FaultControls:
    """What ``/practice/faults`` does. Without a trading side only faults of single requests can be had."""

    def __init__(
        self, world: WorldView, trading: TradingSide | None, faults: Faults, fault_runner: FaultRunner
    ) -> None:
        self._faults = faults
        self._fault_runner = fault_runner
        self._conditions = FaultConditions(trading, faults, world.seed) if trading is not None else None
        self._market_faults = MarketFaults(world, trading) if trading is not None else None
        self._streams = StreamTroubles(trading.streams.faults) if trading is not None else None
        if trading is not None and self._conditions is not None:
            trading.parts["faults"] = self._conditions

    def show(self, request: Request) -> Answer:
        """Injected faults."""
        return self._state_answer()

    def kinds(self, request: Request) -> Answer:
        """Every kind of fault that can be asked for."""
        return json_answer({"kinds": list(KINDS.values())})

    def _state_answer(self, status: int = 200) -> Answer:
        faults = self._faults
        random_faults = None
        if faults.random_faults is not None:
            random_faults = msgspec.to_builtins(faults.random_faults.order) | {
                "requests": faults.random_faults.requests
            }
        return json_answer({"faults": faults.waiting(), "weather": random_faults, "struck": faults.applied}, status)

    def add(self, request: Request) -> Answer:
        """Ask for a fault."""
        body = request.body
        if b'"seed"' in body:
            self._faults.add_random(read_control(body, RandomFaultsOrder, EXAMPLE))
            return self._state_answer(201)
        fault = read_control(body, Fault, EXAMPLE)
        try:
            check_fault(fault)
            self._order(fault)
        except FaultRefused as error:
            raise control_refused(str(error)) from error
        return self._state_answer(201)

    def _order(self, fault: Fault) -> None:
        """Raises FaultRefused."""
        group = KINDS[fault.kind].group
        if group in (Group.REQUEST, Group.ANSWER):
            self._faults.add(fault)
            return
        if self._conditions is None or self._market_faults is None or self._streams is None:
            raise FaultRefused(f"{fault.kind} needs an exchange that takes orders; this one can only be read")
        if group is Group.MARKET:
            self._market_faults.apply(fault)
            return
        if group is Group.STREAM:
            self._streams.begin(fault)
            if fault.kind == "dropped_socket":
                return
        self._faults.add(fault)
        self._conditions.apply()

    def clear(self, request: Request) -> Answer:
        """Call all faults off."""
        kind = read_control(request.body or b"{}", _Cleared, '{"kind": "429"}, or nothing to clear all').kind
        if kind and kind not in KINDS:
            raise control_refused(f"there is no kind {kind!r}. Choose one of: {', '.join(KINDS)}")
        self._faults.clear(kind)
        if not kind:
            self._fault_runner.forget()
        if self._conditions is not None and self._streams is not None:
            self._conditions.apply()
            self._streams.end(kind)
        return self._state_answer()
