"""The practice exchange without sockets: one ``handle`` for catalogue, order-book API and control, for long simulations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from prescient.surfaces.practice.answers import Answer, WireError, json_answer, text_answer
from prescient.surfaces.practice.clob_render import ClobRenderer
from prescient.surfaces.practice.clob_routes import ClobRoutes
from prescient.surfaces.practice.faults import Fault, Faults, spoil
from prescient.surfaces.practice.gamma_render import GammaRenderer
from prescient.surfaces.practice.gamma_routes import GammaRoutes
from prescient.surfaces.practice.moments import SECOND_MS, rfc3339
from prescient.surfaces.practice.query import Query
from prescient.surfaces.practice.trading.routes import TradingSide
from prescient.surfaces.practice.world import Exhibit

ADVANCE_MAX_S = 400 * 86_400
FAULT_COUNT_MAX = 1_000_000
# With these a request never gets as far as the exchange; with all others what it asked for happens all the same.
STOPPED_BEFORE = ("429", "html")


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


class PracticeExchange:
    """Routes a request to the part of the exchange that its first path segment names.

    ``/gamma`` is the catalogue, ``/clob`` the order-book API, ``/practice`` the controls. ``speed`` is how many seconds
    of the world pass in one of ours; 0 while it stands still.
    """

    def __init__(
        self,
        world: Exhibit,
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
        self.speed = speed
        self.faults = Faults()
        self._now_ms = now_ms or (lambda: world.now_ms)
        self._gamma_renderer = gamma or GammaRenderer(world.register)
        self._clob_renderer = clob or ClobRenderer(world.register)
        self._gamma = GammaRoutes(world, self._gamma_renderer)
        self._clob = ClobRoutes(world, self._clob_renderer, self._now_ms)

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
        area, _, _ = path.strip("/").partition("/")
        if area == "practice":
            return self._spoken(lambda: self._control(method, path, body))
        route = self._route(area, method, path.removeprefix(f"/{area}"), Query(query), body, headers or {})
        if route is None:
            return text_answer("404 page not found\n", 404)
        fault = self.faults.strike(path)
        if fault is not None and fault.kind in STOPPED_BEFORE:
            return spoil(fault, text_answer(""))
        answer = self._spoken(route)
        return answer if fault is None else spoil(fault, answer)

    def _route(
        self, area: str, method: str, below: str, query: Query, body: bytes, headers: Mapping[str, str]
    ) -> Callable[[], Answer] | None:
        """What answers a path of the catalogue, the order-book API or the relayer; None where there is nothing."""
        trading = self.trading
        if trading is not None:
            trading.attend()
            if area == "clob" and trading.owns(below):
                return lambda: trading.answer(method, below, query, body, headers)
            if area == "relayer":
                return lambda: trading.relayer_answer(method, below, query)
        if area == "gamma":
            return lambda: self._gamma.answer(method, below, query, body)
        if area == "clob":
            return lambda: self._clob.answer(method, below, query, body)
        return None

    def read_advance(self, body: bytes) -> int:
        """The moment that ``POST /practice/advance`` asks for, in ms. Raises WireError."""
        try:
            seconds = msgspec.json.decode(body, type=_Advance).seconds
        except msgspec.MsgspecError as error:
            raise _refused(f'Send {{"seconds": n}}: {error}') from None
        if not 0 <= seconds <= ADVANCE_MAX_S:
            raise _refused(f"seconds must be between 0 and {ADVANCE_MAX_S}")
        return self._now_ms() + int(seconds * SECOND_MS)

    def tidy(self) -> None:
        """Let go of rendered pieces of what the world has dropped."""
        self._gamma_renderer.forget_gone()
        self._clob_renderer.forget_gone()
        if self.trading is not None:
            self.trading.floor.tidy()

    def time_answer(self) -> Answer:
        now_ms = self._now_ms()
        told = {"now_ms": now_ms, "now": rfc3339(now_ms), "speed": self.speed, "frozen": self.speed == 0}
        return json_answer(told | {"source": self.world.source})

    def _spoken(self, route: Callable[[], Answer]) -> Answer:
        try:
            return route()
        except WireError as error:
            return error.answer

    def _control(self, method: str, path: str, body: bytes) -> Answer:
        action = f"{method} {path.rstrip('/')}"
        if action == "GET /practice/time":
            return self.time_answer()
        if action == "GET /practice/status":
            return self._status()
        if action == "POST /practice/advance":
            for _ in self.world.step_slices(self.read_advance(body)):
                pass
            return self.time_answer()
        if action == "GET /practice/faults":
            return json_answer({"faults": self.faults.waiting()})
        if action == "DELETE /practice/faults":
            self.faults.clear()
            return json_answer({"faults": []})
        if action == "POST /practice/faults":
            return self._add_fault(body)
        return json_answer({"error": f"There is no {action}. Try GET /practice/status."}, 404)

    def _add_fault(self, body: bytes) -> Answer:
        try:
            fault = msgspec.json.decode(body, type=Fault)
        except msgspec.MsgspecError as error:
            example = '{"path": "/gamma/events*", "kind": "429", "count": 3}'
            raise _refused(f"Send a fault such as {example}: {error}") from None
        if not 1 <= fault.count <= FAULT_COUNT_MAX:
            raise _refused(f"count must be between 1 and {FAULT_COUNT_MAX}")
        self.faults.add(fault)
        return json_answer({"faults": self.faults.waiting()}, 201)

    def _status(self) -> Answer:
        register, now_ms = self.world.register, self._now_ms()
        markets = register.markets.values()
        return json_answer(
            {
                "seed": self.world.seed,
                "now": rfc3339(now_ms),
                "now_ms": now_ms,
                "speed": self.speed,
                "frozen": self.speed == 0,
                "events": len(register.events),
                "open_events": sum(not event.closed for event in register.events.values()),
                "markets": len(register.markets),
                "open_markets": sum(not market.closed for market in markets),
                "accepting_orders": sum(market.accepting_orders and market.active for market in markets),
                "faults": len(self.faults.waiting()),
            }
        )


def _refused(message: str) -> WireError:
    return WireError(json_answer({"error": message}, 422))
