"""Verifies L1 and L2 log-ins and their timestamps; answers 401 otherwise."""

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
from practice_exchange.venue.accounts import ApiKey, KeyRing
from practice_exchange.web.responses import WireError, json_answer
from practice_exchange.web.route import Request
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
