"""Handlers of the catalogue API (Gamma): events, markets, tags and search."""

from __future__ import annotations

from practice_exchange.gamma import select
from practice_exchange.gamma.fill import tag_shapes
from practice_exchange.gamma.render import GammaRenderer
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, gamma_invalid, gamma_missing, json_answer, raw_answer, text_answer
from practice_exchange.web.route import Request
from practice_exchange.world.state import EventState, MarketState
from practice_exchange.world.world import WorldView

# What names a page and not a selection; selections are remembered until the world changes.
PAGE_KEYS = frozenset({"limit", "offset", "after_cursor", "include_tag"})
SELECTIONS_KEPT = 32
SEARCH_LIMIT = 5
NO_SUCH_ID, NO_SUCH_SLUG = "id not found", "slug not found"


class GammaRoutes:
    """Handlers of the catalogue API. They raise WireError."""

    def __init__(self, world: WorldView, renderer: GammaRenderer) -> None:
        self._world = world
        self._register = world.register
        self._render = renderer
        self._selected_at = -1
        self._events: dict[tuple[tuple[str, str], ...], list[EventState]] = {}
        self._markets: dict[tuple[tuple[str, str], ...], list[MarketState]] = {}

    def status(self, request: Request) -> Answer:
        """Whether the catalogue answers, as plain text."""
        return text_answer("OK")

    def event(self, request: Request) -> Answer:
        """One event."""
        event = self._register.events.get(_read_id(request.name))
        if event is None:
            raise gamma_missing(NO_SUCH_ID)
        return raw_answer(self._render.event(event))

    def event_by_slug(self, request: Request) -> Answer:
        """One event."""
        event = self._register.events_by_slug.get(request.name)
        if event is None:
            raise gamma_missing(NO_SUCH_SLUG)
        return raw_answer(self._render.event(event))

    def market(self, request: Request) -> Answer:
        """One market."""
        market = self._register.markets.get(_read_id(request.name))
        if market is None:
            raise gamma_missing(NO_SUCH_ID)
        return raw_answer(self._render.market(market))

    def market_by_slug(self, request: Request) -> Answer:
        """One market."""
        market = self._register.markets_by_slug.get(request.name)
        if market is None:
            raise gamma_missing(NO_SUCH_SLUG)
        return raw_answer(self._render.market(market))

    def tag(self, request: Request) -> Answer:
        """One tag."""
        _read_id(request.name)
        for slug, (number, label) in self._register.tags.items():
            if str(number) == request.name:
                return json_answer(tag_shapes({slug: (number, label)})[0])
        raise gamma_missing(NO_SUCH_ID)

    def tag_by_slug(self, request: Request) -> Answer:
        """One tag."""
        found = self._register.tags.get(request.name)
        if found is None:
            raise gamma_missing(NO_SUCH_SLUG)
        return json_answer(tag_shapes({request.name: found})[0])

    def events(self, request: Request) -> Answer:
        """Events."""
        query = request.query
        page = select.offset_page(self._selected_events(query), query, select.EVENTS_LIMIT_MAX, "/events/keyset")
        return raw_answer(b"[" + b",".join([self._render.event(event) for event in page]) + b"]")

    def events_keyset(self, request: Request) -> Answer:
        """Events, by cursor."""
        query = request.query
        page, cursor = select.keyset_page(
            self._selected_events(query), query, select.EVENTS_LIMIT_MAX, select.EVENT_FIGURES
        )
        return _keyset_answer(b"events", [self._render.event(event) for event in page], cursor)

    def markets(self, request: Request) -> Answer:
        """Markets."""
        query = request.query
        page = select.offset_page(self._selected_markets(query), query, select.MARKETS_LIMIT_MAX, "/markets/keyset")
        return raw_answer(b"[" + b",".join(self._listed(page, query)) + b"]")

    def markets_keyset(self, request: Request) -> Answer:
        """Markets, by cursor."""
        query = request.query
        page, cursor = select.keyset_page(
            self._selected_markets(query), query, select.MARKETS_LIMIT_MAX, select.MARKET_FIGURES
        )
        return _keyset_answer(b"markets", self._listed(page, query), cursor)

    def _listed(self, page: list[MarketState], query: Query) -> list[bytes]:
        with_tags = bool(query.switch("include_tag", False))
        return [self._render.listed_market(market, with_tags=with_tags) for market in page]

    def tags(self, request: Request) -> Answer:
        """Tags."""
        query = request.query
        limit, offset = query.whole("limit"), query.whole("offset") or 0
        tags = sorted(self._register.tags.items(), key=lambda item: item[1][0])
        page = tags[offset : offset + (100 if limit is None else limit)]
        return json_answer(tag_shapes(dict(page)))

    def search(self, request: Request) -> Answer:
        """Search."""
        query = request.query
        wanted = query.text("q").lower().split()
        if not wanted:
            raise gamma_invalid("q is required")
        limit = query.whole("limit_per_type") or SEARCH_LIMIT
        start = (max(query.whole("page") or 1, 1) - 1) * limit
        closed = query.text("events_status") == "closed"
        found = [event for event in self._register.events.values() if event.closed == closed and _speaks(event, wanted)]
        page = [self._render.event(event) for event in found[start : start + limit]]
        more = "true" if start + limit < len(found) else "false"
        tail = f'],"pagination":{{"hasMore":{more},"totalResults":{len(found)}}}}}'
        return raw_answer(b'{"events":[' + b",".join(page) + tail.encode())

    def _selected_events(self, query: Query) -> list[EventState]:
        key = self._selection_key(query)
        if key not in self._events:
            self._events[key] = select.select_events(self._register, query)
        return self._events[key]

    def _selected_markets(self, query: Query) -> list[MarketState]:
        key = self._selection_key(query)
        if key not in self._markets:
            self._markets[key] = select.select_markets(self._register, query)
        return self._markets[key]

    def _selection_key(self, query: Query) -> tuple[tuple[str, str], ...]:
        full = len(self._events) + len(self._markets) >= SELECTIONS_KEPT
        if self._selected_at != self._world.revision or full:
            self._events.clear()
            self._markets.clear()
            self._selected_at = self._world.revision
        return tuple((name, value) for name, value in query.items() if name not in PAGE_KEYS)


def _read_id(name: str) -> int:
    """Raises WireError (422)."""
    if not (name.isascii() and name.isdigit() and len(name) < 18):
        raise gamma_invalid("id is invalid")
    return int(name)


def _keyset_answer(name: bytes, pieces: list[bytes], cursor: str | None) -> Answer:
    """The last page carries no cursor. A page has megabytes: it is put together in one copy."""
    tail = b"]}" if cursor is None else b'],"next_cursor":"' + cursor.encode() + b'"}'
    head = b'{"' + name + b'":['
    return raw_answer(b"".join([head, *[part for piece in pieces for part in (piece, b",")][:-1], tail]))


def _speaks(event: EventState, wanted: list[str]) -> bool:
    text = " ".join([event.title, *(market.question for market in event.markets)]).lower()
    return all(word in text for word in wanted)
