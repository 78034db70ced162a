"""What comes before a handler of the order-book API: modes, log-ins (L1, L2) with their time, signer limits.

The checks are in the venue's order; who does not prove who they are gets 401.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polymarket_kit.signing.auth import (
    L1_REFUSED,
    L2_REFUSED,
    NotAuthenticated,
    WalletClaim,
    read_l1,
    read_l2,
    verify_l2,
)
from practice_exchange.clob.key_routes import ReadOnlyKeys
from practice_exchange.clob.order_render import refused
from practice_exchange.clob.signer_limits import ORDERS, SignerLimits
from practice_exchange.engine.orders import Mode
from practice_exchange.venue.accounts import ApiKey, KeyRing
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.web.responses import Answer, WireError, json_answer
from practice_exchange.web.route import Login, Metered, Request, Route
from practice_exchange.world.timestamps import SECOND_MS

# How far a request's time may lie from ours, either way. The venue does not document its tolerance: assumed.
SKEW_MAX_S = 60


class Authenticator:
    """Lets in whoever proves who they are.

    A request's time is compared with this machine's clock and with the exchange's own, which may stand still or run
    fast; near either is good. So clients may use their own clock or ask for the server's time, as they do on the venue.
    """

    def __init__(self, keys: KeyRing, chain_id: int, now_ms: Callable[[], int], machine_s: Callable[[], float]) -> None:
        self.keys = keys
        # How far the exchange's idea of the time is wrong, ahead if positive; usually not at all.
        self.skew_s = 0
        self._chain_id = chain_id
        self._now_ms = now_ms
        self._machine_s = machine_s

    def claim(self, headers: Mapping[str, str]) -> WalletClaim:
        """Return what an L1 log-in proves. Raises WireError (401)."""
        try:
            claim = read_l1(headers, self._chain_id)
            self._check_time(claim.timestamp_s, L1_REFUSED)
        except NotAuthenticated as refused:
            raise unauthorized(refused) from refused
        return claim

    def key(self, request: Request) -> ApiKey:
        """Return the API key that signed this request (L2). Raises WireError (401)."""
        try:
            login = read_l2(request.headers)
            key = self.keys.find(login.api_key)
            if key is None:
                raise NotAuthenticated(L2_REFUSED, "there is no such API key")
            verify_l2(login, key.credentials, key.address, request.method, request.path, request.body)
            self._check_time(login.timestamp_s, L2_REFUSED)
        except NotAuthenticated as refused:
            raise unauthorized(refused) from refused
        return key

    def _check_time(self, timestamp_s: int, text: str) -> None:
        clocks = (int(self._machine_s()), self._now_ms() // SECOND_MS)
        if min(abs(timestamp_s - clock - self.skew_s) for clock in clocks) > SKEW_MAX_S:
            raise NotAuthenticated(text, f"the time {timestamp_s} is not now")


def unauthorized(refused: NotAuthenticated) -> WireError:
    return WireError(json_answer({"error": str(refused)}, 401))


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
