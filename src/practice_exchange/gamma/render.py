"""Encodes events and markets as catalogue JSON, cached until their market changes."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from practice_exchange.gamma import fill as gamma_fill
from practice_exchange.gamma.shapes import EventShape, MarketShape
from practice_exchange.world.index import WorldIndex
from practice_exchange.world.state import EventState, MarketState

_encode = msgspec.json.Encoder().encode


class GammaRenderer:
    """JSON of the catalogue from the world's state. What was rendered is reused while its revision stands.

    The recorded objects, raw and by number, are passed through as they are: events, markets, and markets as a listing
    sends them.
    """

    def __init__(
        self,
        register: WorldIndex,
        recorded_events: dict[int, bytes] | None = None,
        recorded_markets: dict[int, bytes] | None = None,
        recorded_listed: dict[int, bytes] | None = None,
    ) -> None:
        self._register = register
        self._recorded_events = recorded_events or {}
        self._recorded_markets = recorded_markets or {}
        self._recorded_listed = recorded_listed or {}
        self._market_shapes: dict[int, MarketShape] = {}
        self._event_shapes: dict[int, tuple[tuple[int, ...], EventShape]] = {}
        self._markets: dict[int, tuple[int, bytes]] = {}
        self._events: dict[int, tuple[tuple[int, ...], bytes]] = {}
        self._stubs: dict[int, tuple[tuple[int, ...], bytes]] = {}

    def market(self, market: MarketState) -> bytes:
        """A market as it stands inside an event, or alone under its id."""
        recorded = self._recorded_markets.get(market.number)
        if recorded is not None:
            return recorded
        cached = self._markets.get(market.number)
        if cached is not None and cached[0] == market.revision:
            return cached[1]
        shape = self._market_shapes.get(market.number)
        if shape is None:
            shape = gamma_fill.new_market(self._register.events[market.event_number], market)
            self._market_shapes[market.number] = shape
        gamma_fill.refresh_market(shape, market)
        content = _encode(shape)
        self._markets[market.number] = (market.revision, content)
        return content

    def listed_market(self, market: MarketState, *, with_tags: bool = False) -> bytes:
        """A market as a listing sends it: with its event, and with tags on request."""
        if market.number in self._recorded_listed and not with_tags:
            return self._recorded_listed[market.number]
        content = self.market(market)
        event = self._register.events[market.event_number]
        pieces = [content.rstrip()[:-1], b',"events":[', self._stub(event), b"]"]
        if with_tags:
            pieces += [b',"tags":', self._tags(event)]
        return b"".join([*pieces, b"}"])

    def event(self, event: EventState) -> bytes:
        """An event with all its markets."""
        recorded = self._recorded_events.get(event.number)
        if recorded is not None:
            return recorded
        revisions = tuple([market.revision for market in event.markets])
        cached = self._events.get(event.number)
        if cached is not None and cached[0] == revisions:
            return cached[1]
        shape = self._event_shape(event, revisions)
        shape.markets = [Raw(self.market(market)) for market in event.markets]
        shape.tags = gamma_fill.event_tags(event)
        content = _encode(shape)
        shape.markets, shape.tags = msgspec.UNSET, msgspec.UNSET
        self._events[event.number] = (revisions, content)
        return content

    def forget_gone(self) -> None:
        """Drop what was kept of events and markets that the world has dropped."""
        events, markets = self._register.events, self._register.markets
        for number in [number for number in self._markets if number not in markets]:
            del self._markets[number], self._market_shapes[number]
        for number in [number for number in self._event_shapes if number not in events]:
            del self._event_shapes[number]
            self._events.pop(number, None)
            self._stubs.pop(number, None)

    def _event_shape(self, event: EventState, revisions: tuple[int, ...]) -> EventShape:
        """The event's own fields, as of its markets' revisions."""
        kept = self._event_shapes.get(event.number)
        if kept is not None and kept[0] == revisions:
            return kept[1]
        shape = gamma_fill.new_event(event) if kept is None else kept[1]
        gamma_fill.refresh_event(shape, event)
        self._event_shapes[event.number] = (revisions, shape)
        return shape

    def _tags(self, event: EventState) -> bytes:
        recorded = self._recorded_events.get(event.number)
        if recorded is None:
            return _encode(gamma_fill.event_tags(event))
        return bytes(msgspec.json.decode(recorded, type=dict[str, Raw]).get("tags", Raw(b"[]")))

    def _stub(self, event: EventState) -> bytes:
        """The event as it stands inside a market: without markets and tags."""
        recorded = self._recorded_events.get(event.number)
        if recorded is not None:
            fields = msgspec.json.decode(recorded, type=dict[str, Raw])
            return _encode({name: value for name, value in fields.items() if name not in ("markets", "tags")})
        revisions = tuple([market.revision for market in event.markets])
        cached = self._stubs.get(event.number)
        if cached is None or cached[0] != revisions:
            cached = (revisions, _encode(self._event_shape(event, revisions)))
            self._stubs[event.number] = cached
        return cached[1]
