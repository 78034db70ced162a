"""The checks before a handler of the order-book API: restricted modes, log-in, signer limits, in the venue's order."""

from __future__ import annotations

from collections.abc import Callable

from practice_exchange.clob.authenticator import Authenticator
from practice_exchange.clob.order_render import refused
from practice_exchange.clob.read_only_keys import ReadOnlyKeys
from practice_exchange.clob.signer_limits import ORDERS, SignerLimits
from practice_exchange.engine.orders import Mode
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.web.responses import Answer
from practice_exchange.web.route import Login, Metered, Request, Route

Handler = Callable[[Request], Answer]


class Gate:
    """Wraps a route's handler in what its row asks for."""

    def __init__(
        self, venue_engine: VenueEngine, authenticator: Authenticator, read_only: ReadOnlyKeys, limits: SignerLimits
    ) -> None:
        self._venue_engine = venue_engine
        self._authenticator = authenticator
        self._read_only = read_only
        self._limits = limits

    def guard(self, route: Route, handler: Callable[..., Answer]) -> Handler:
        """Return what answers a request of this route. It raises WireError."""
        if route.metered is not Metered.NONE:
            return self._metered(route.metered, handler)
        identify = self._identify(route.login)
        if identify is None:
            return handler
        return lambda request: handler(identify(request), request)

    def _identify(self, login: Login) -> Callable[[Request], object] | None:
        """What finds out who asks, or None where the handler asks nobody or does so itself."""
        authenticator = self._authenticator
        if login is Login.WALLET:
            return lambda request: authenticator.claim(request.headers)
        if login is Login.KEY:
            return authenticator.key
        if login is Login.KEY_OR_READ_ONLY:
            return lambda request: self._read_only.find(request.headers) or authenticator.key(request)
        if login is Login.KEY_OR_WALLET:
            return self._address
        return None

    def _address(self, request: Request) -> str:
        """The specification wants the wallet's signature here, the official client sends a key's."""
        if request.headers.get("poly_api_key"):
            return self._authenticator.key(request).address
        return self._authenticator.claim(request.headers).address

    def _metered(self, metered: Metered, handler: Callable[..., Answer]) -> Handler:
        """An order or a cancel: the mode refuses it before anybody looks who sends it."""
        is_order = metered in ORDERS
        limits, engine = self._limits, self._venue_engine.engine

        def answer(request: Request) -> Answer:
            if engine.mode is not Mode.NORMAL:
                refusal = engine.refuse_request(is_order, self._venue_engine.now_ms)
                if refusal is not None:
                    return refused(refusal)
            key = self._authenticator.key(request)
            if not limits.on:
                return handler(key, request)
            return limits.meter(key.address, metered, request.body, lambda: handler(key, request))

        return answer
