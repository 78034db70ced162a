"""The practice exchange without sockets: dispatches each request by its route, for the server and for long simulations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MethodType
from urllib.parse import urlencode

from practice_exchange.app.chain_and_data_routes import ChainAndDataRoutes
from practice_exchange.app.journal import is_journalled
from practice_exchange.app.limits import Limits
from practice_exchange.app.modes import Modes
from practice_exchange.app.openapi import OpenApi
from practice_exchange.app.route_table import ROUTES
from practice_exchange.books.render import ClobRenderer
from practice_exchange.clob.authenticator import Handler
from practice_exchange.clob.public_routes import ClobRoutes
from practice_exchange.clob.trading_routes import TradingSide
from practice_exchange.faults.controls import FaultControls
from practice_exchange.faults.fault_runner import Asked, FaultRunner
from practice_exchange.faults.kinds import Fault
from practice_exchange.faults.registry import Faults
from practice_exchange.gamma.render import GammaRenderer
from practice_exchange.gamma.routes import GammaRoutes
from practice_exchange.web.controls import Controls
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, WireError, json_answer, text_answer
from practice_exchange.web.route import Login, Request, Route, RouteIndex
from practice_exchange.world.timestamps import SECOND_MS
from practice_exchange.world.world import WorldView

CONTROLS = "practice"


class PracticeExchange:
    """Answers a request by its row in the route table.

    ``/gamma`` is the catalogue, ``/clob`` the order-book API, ``/practice`` the controls. Routes whose part this exchange
    has not got, as one that cannot trade lacks the gateway, are not served. ``speed`` is how many seconds
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
        routes: Sequence[Route] = ROUTES,
    ) -> None:
        self.world = world
        # Without a trading side the exchange can only be read.
        self.trading = trading
        # Called with method, path, query, body and headers before a request may change what the exchange remembers.
        self.before_change: Callable[[str, str, str, bytes, Mapping[str, str]], None] | None = None
        self.faults = Faults()
        self.fault_runner = FaultRunner(
            self._do,
            trading.machine_s if trading is not None else time.monotonic,
            trading.matching_orders if trading is not None else lambda headers, body: [],
        )
        now_ms = now_ms or (lambda: world.now_ms)
        self.controls = Controls(world, now_ms, speed)
        self.controls.add_status("faults", lambda: len(self.faults.waiting()))
        self._gamma_renderer = gamma or GammaRenderer(world.register)
        self._clob_renderer = clob or ClobRenderer(world.register)
        self.limits = Limits(
            trading.limits if trading is not None else None, lambda method, path: self.routes.limits(method, path)
        )
        owners: list[object] = [
            self.controls,
            self.limits,
            FaultControls(world, trading, self.faults, self.fault_runner),
            OpenApi(world, lambda: self.routes.routes),
            GammaRoutes(world, self._gamma_renderer),
            ClobRoutes(world, self._clob_renderer, self._skewed(now_ms)),
        ]
        # The chain, its relayer and the Data API belong to the trading side.
        self.chain_and_data = ChainAndDataRoutes(world, trading) if trading is not None else None
        if trading is not None and self.chain_and_data is not None:
            modes = Modes(trading.venue_engine)
            self.controls.add_status("mode", lambda: modes.name)
            trading.parts["limits"] = self.limits
            owners += [modes, *trading.owners(), *self.chain_and_data.owners()]
        self._bind(routes, owners)

    def _bind(self, routes: Sequence[Route], owners: list[object]) -> None:
        """Serve the routes whose handler is a method of one of these, each behind what its row asks for."""
        methods = {method: owner for owner in owners for method in vars(type(owner)).values() if callable(method)}
        self.routes = RouteIndex([route for route in routes if route.handler in methods])
        self._handlers: dict[str, Handler] = {}
        for route in self.routes.routes:
            handler = MethodType(route.handler, methods[route.handler])
            self._handlers[route.operation] = (
                handler if self.trading is None else self.trading.gate.guard(route, handler)
            )
        # Names of the order-book API with private routes below them: what is not there is refused in JSON.
        private = [each for each in self.routes.routes if each.area == "clob" and each.login is not Login.NONE]
        self._private = {each.path.split("/")[2] for each in private}

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
        return self.answer(Asked(method, path, query, body, headers or {}), self.take_fault(method, path))

    def take_fault(self, method: str, path: str) -> Fault | None:
        """The fault that waits for this request, used up by one; the controls have none."""
        if not self.faults.armed or path.startswith("/practice"):
            return None
        return self.faults.take_match(path, method)

    def answer(self, asked: Asked, fault: Fault | None = None) -> Answer:
        """Answer a request with its fault; see ``handle``."""
        self._do_late()
        return self._do(asked) if fault is None else self._with_fault(fault, asked)

    def _with_fault(self, fault: Fault, asked: Asked) -> Answer:
        try:
            return self.fault_runner.apply(fault, asked)
        except WireError as error:
            return error.answer

    def advance(self) -> None:
        """Process everything that is due, without a request."""
        if self.trading is not None:
            self.trading.advance()
        self._do_late()

    def _do_late(self) -> None:
        """Perform delayed requests that are due, except while a checkpoint is taken."""
        if self.fault_runner.has_late and not (self.trading is not None and self.trading.paused):
            self.fault_runner.do_late()

    def _do(self, asked: Asked) -> Answer:
        """Answer a request as if nothing were wrong."""
        found = self._find(asked)
        if found is None:
            return self._nothing_there(asked.method, asked.path)
        if self.before_change is not None and self.trading is not None and is_journalled(found[0].effect, asked.body):
            method, path, query, body, headers = asked
            self.before_change(method, path, query if isinstance(query, str) else urlencode(query), body, headers)
        return self._handle(*found, asked)

    def perform(self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Perform a request without faults; used to replay a journal."""
        asked = Asked(method, path, query, body, headers)
        found = self._find(asked)
        if found is None:
            return self._nothing_there(method, path)
        answer = self._handle(*found, asked)
        if found[0].area == CONTROLS:
            # What requests would have met was for those of then.
            self.faults.clear_single_use()
        return answer

    def _find(self, asked: Asked) -> tuple[Route, str] | None:
        """The route and the name in its path; before anybody but the controls looks, what is due happens."""
        found = self.routes.find(asked.method, asked.path)
        if self.trading is not None and (found is None or found[0].area != CONTROLS):
            self.trading.advance()
        return found

    def _handle(self, route: Route, name: str, asked: Asked) -> Answer:
        method, path, query, body, headers = asked
        below = path[len(route.area) + 1 :]
        try:
            return self._handlers[route.operation](Request(method, below, name, Query(query), body, headers))
        except WireError as error:
            return error.answer

    def _nothing_there(self, method: str, path: str) -> Answer:
        """Each area says in its own way that it does not serve a path."""
        area, _, below = path.strip("/").partition("/")
        if area == CONTROLS:
            return json_answer({"error": f"There is no {method} {path.rstrip('/')}. Try GET /practice/status."}, 404)
        if area == "gamma" and method not in ("GET", "HEAD"):
            return text_answer("Method Not Allowed", 405)
        if self.trading is not None and area == "rpc":
            return json_answer({"error": "JSON-RPC is posted"}, 405)
        in_json = area in ("data", "relayer") or (area == "clob" and below.partition("/")[0] in self._private)
        if self.trading is not None and in_json:
            return json_answer({"error": "404 page not found"}, 404)
        return text_answer("404 page not found\n", 404)

    def step_slices(self, until_ms: int) -> Iterator[None]:
        """Move the world slice by slice and the engine with it; between slices everything is consistent."""
        venue_engine = self.trading.venue_engine if self.trading is not None else None
        if venue_engine is not None:
            venue_engine.advance()
        for _ in self.world.step_slices(until_ms):
            if venue_engine is not None:
                venue_engine.advance()
            yield

    def prune(self) -> None:
        """Drop cached JSON of what the world has dropped."""
        self._gamma_renderer.forget_gone()
        self._clob_renderer.forget_gone()
        if self.trading is not None:
            self.trading.venue_engine.prune()

    def _skewed(self, now_ms: Callable[[], int]) -> Callable[[], int]:
        """The time as /time tells it: wrong when a fault wants it so."""
        trading = self.trading
        return now_ms if trading is None else lambda: now_ms() + trading.authenticator.skew_s * SECOND_MS
