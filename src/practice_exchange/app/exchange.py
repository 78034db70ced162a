"""The practice exchange without sockets: one ``handle`` for catalogue, order-book API and control, for long simulations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlencode

from practice_exchange.app.chain_and_data_routes import ChainAndDataRoutes
from practice_exchange.app.journal import changes
from practice_exchange.app.limits import Limits
from practice_exchange.app.modes import Modes
from practice_exchange.app.openapi import describe
from practice_exchange.books.render import ClobRenderer
from practice_exchange.clob.public_routes import ClobRoutes
from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.faults.controls import FaultControls
from practice_exchange.faults.fault_runner import Asked, Ordeals
from practice_exchange.faults.order import Fault
from practice_exchange.faults.registry import Faults
from practice_exchange.gamma.render import GammaRenderer
from practice_exchange.gamma.routes import GammaRoutes
from practice_exchange.web.controls import Controls
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, WireError, json_answer, text_answer
from practice_exchange.world.timestamps import SECOND_MS
from practice_exchange.world.world import WorldView


class PracticeExchange:
    """Routes a request to the part of the exchange that its first path segment names.

    ``/gamma`` is the catalogue, ``/clob`` the order-book API, ``/practice`` the controls. ``speed`` is how many seconds
    of the world pass in one of ours; 0 while it stands still.
    """

    def __init__(
        self,
        world: WorldView,
        *,
        gamma: GammaRenderer | None = None,
        clob: ClobRenderer | None = None,
        speed: float = 0.0,
        now_ms: Callable[[], int] | None = None,
        trading: TradingSide | None = None,
    ) -> None:
        self.world = world
        # Without a trading side the exchange can only be read.
        self.trading = trading
        # Called with method, path, query, body and headers before a request may change what the exchange remembers.
        self.before_change: Callable[[str, str, str, bytes, Mapping[str, str]], None] | None = None
        self.faults = Faults()
        self.ordeals = Ordeals(
            self._do,
            trading.machine_s if trading is not None else time.monotonic,
            trading.meant if trading is not None else lambda headers, body: [],
        )
        now_ms = now_ms or (lambda: world.now_ms)
        self.controls = Controls(world, now_ms, speed)
        self.limits = Limits(trading.limits if trading is not None else None)
        self.limits.add_to(self.controls)
        self.controls.tell("faults", lambda: len(self.faults.waiting()))
        FaultControls(world, trading, self.faults, self.ordeals).add_to(self.controls)
        self.controls.add("GET /practice/openapi.json", lambda body: self._described())
        if trading is not None:
            trading.parts["limits"] = self.limits
            Modes(trading.venue_engine).add_to(self.controls)
            self.controls.add("POST /practice/watch", trading.streams.watch)
        # The chain, its relayer and the Data API belong to the trading side.
        self.chain_and_data = ChainAndDataRoutes(world, trading, self.controls) if trading is not None else None
        self._gamma_renderer = gamma or GammaRenderer(world.register)
        self._clob_renderer = clob or ClobRenderer(world.register)
        self._gamma = GammaRoutes(world, self._gamma_renderer)
        self._clob = ClobRoutes(world, self._clob_renderer, self._skewed(now_ms))

    def handle(
        self,
        method: str,
        path: str,
        query: str | Sequence[tuple[str, str]] = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Answer a request: (status, headers, body). Status 0 means that no answer ever comes.

        Names in ``headers`` are lower case; only the trading side looks at them.
        """
        return self.answer(Asked(method, path, query, body, headers or {}), self.struck(method, path))

    def struck(self, method: str, path: str) -> Fault | None:
        """The fault that waits for this request, used up by one; the controls have none."""
        if not self.faults.armed or path.startswith("/practice"):
            return None
        return self.faults.strike(path, method)

    def answer(self, asked: Asked, fault: Fault | None = None) -> Answer:
        """Answer a request with its fault; see ``handle``."""
        self._do_late()
        return self._do(asked) if fault is None else self._spoken(lambda: self.ordeals.go(fault, asked))

    def advance(self) -> None:
        """Let everything happen that is due although nobody asks."""
        if self.trading is not None:
            self.trading.advance()
        self._do_late()

    def _do_late(self) -> None:
        """Do what was answered before it was done, if it is due; while a checkpoint is taken it waits."""
        if self.ordeals.has_late and not (self.trading is not None and self.trading.standing):
            self.ordeals.do_late()

    def _do(self, asked: Asked) -> Answer:
        """Answer a request as if nothing were wrong."""
        method, path, query, body, headers = asked
        area, _, _ = path.strip("/").partition("/")
        if area == "practice":
            self._write_down(area, method, path, query, body, headers)
            return self._spoken(lambda: self.controls.answer(method, path, body))
        route = self._route(area, method, path.removeprefix(f"/{area}"), Query(query), body, headers)
        if route is None:
            return text_answer("404 page not found\n", 404)
        self._write_down(area, method, path, query, body, headers)
        return self._spoken(route)

    def perform(self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Do what a request asks, with no fault in its way: so a journal is repeated."""
        area, _, _ = path.strip("/").partition("/")
        if area == "practice":
            answer = self._spoken(lambda: self.controls.answer(method, path, body))
            # What requests would have met was for those of then.
            self.faults.calm()
            return answer
        route = self._route(area, method, path.removeprefix(f"/{area}"), Query(query), body, headers)
        return text_answer("404 page not found\n", 404) if route is None else self._spoken(route)

    def step_slices(self, until_ms: int) -> Iterator[None]:
        """Move the world slice by slice, with the trading floor in step; between slices all of it may be read."""
        venue_engine = self.trading.venue_engine if self.trading is not None else None
        if venue_engine is not None:
            venue_engine.advance()
        for _ in self.world.step_slices(until_ms):
            if venue_engine is not None:
                venue_engine.advance()
            yield

    def _write_down(
        self,
        area: str,
        method: str,
        path: str,
        query: str | Sequence[tuple[str, str]],
        body: bytes,
        headers: Mapping[str, str],
    ) -> None:
        """Let whoever keeps a journal write a request down before it changes anything."""
        if self.before_change is not None and self.trading is not None and changes(area, method, path, body):
            self.before_change(method, path, query if isinstance(query, str) else urlencode(query), body, headers)

    def _route(
        self, area: str, method: str, below: str, query: Query, body: bytes, headers: Mapping[str, str]
    ) -> Callable[[], Answer] | None:
        """What answers a path of the catalogue, the order-book API, the Data API or the chain; None where there is nothing."""
        trading = self.trading
        if trading is not None and self.chain_and_data is not None:
            trading.advance()
            chain_and_data = self.chain_and_data.route(area, method, below, query, body, headers)
            if chain_and_data is not None:
                return chain_and_data
            if area == "clob" and trading.owns(below):
                return lambda: trading.answer(method, below, query, body, headers)
        if area == "gamma":
            return lambda: self._gamma.answer(method, below, query, body)
        if area == "clob":
            return lambda: self._clob.answer(method, below, query, body)
        return None

    def tidy(self) -> None:
        """Let go of rendered pieces of what the world has dropped."""
        self._gamma_renderer.forget_gone()
        self._clob_renderer.forget_gone()
        if self.trading is not None:
            self.trading.venue_engine.tidy()

    def _skewed(self, now_ms: Callable[[], int]) -> Callable[[], int]:
        """The time as /time tells it: wrong when a fault wants it so."""
        trading = self.trading
        return now_ms if trading is None else lambda: now_ms() + trading.authenticator.skew_s * SECOND_MS

    def _described(self) -> Answer:
        return json_answer(describe(self.world, trading=self.trading is not None))

    def _spoken(self, route: Callable[[], Answer]) -> Answer:
        try:
            return route()
        except WireError as error:
            return error.answer
