"""Keys for the relayer: builder API keys, made over the order-book API, and relayer API keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import msgspec

from polymarket_kit.signing.auth import ApiCredentials, derive_credentials, l2_signature
from polymarket_kit.signing.eip712 import checksum_address
from practice_exchange.web.responses import WireError, clob_invalid, json_answer
from practice_exchange.web.route import Request

# How far a builder's time may lie from ours, either way (assumed).
SKEW_MAX_S = 60


class BuilderKey(msgspec.Struct, frozen=True):
    """A builder's key and the address that made it."""

    address: str
    credentials: ApiCredentials


class KeysState(msgspec.Struct):
    """All builder keys by id, and how many each address has ever made."""

    builders: dict[str, BuilderKey] = {}
    made: dict[str, int] = {}


class RelayerKeys:
    """Makes and checks both kinds of key. A relayer's key is the same for the same seed and address, and never revoked."""

    def __init__(self, seed: int, clocks_s: Callable[[], tuple[float, ...]]) -> None:
        """``clocks_s`` are the times that a request's own may be near to."""
        self.state = KeysState()
        self._secret = hashlib.sha256(f"prescient practice relayer keys/{seed}".encode()).digest()
        self._clocks_s = clocks_s

    def relayer_key(self, address: str) -> str:
        """The key with which an address uses the relayer; on the venue its website makes it. Raises ValueError."""
        return derive_credentials(self._secret, address, 0).key

    def make(self, address: str) -> ApiCredentials:
        """Make one more builder's key for an address."""
        number = self.state.made.get(address, 0) + 1
        self.state.made[address] = number
        credentials = derive_credentials(self._secret, address, number)
        self.state.builders[credentials.key] = BuilderKey(address, credentials)
        return credentials

    def of_address(self, address: str) -> list[str]:
        return [key for key, made in self.state.builders.items() if made.address == address]

    def revoke(self, request: Request) -> None:
        """Forget the builder's key that signed this request. Raises WireError (401)."""
        del self.state.builders[self._builder(request)]

    def revoke_newest(self, address: str) -> None:
        """Forget the key that an account made last (assumed: its own log-in does not say which). Raises WireError (400)."""
        keys = self.of_address(address)
        if not keys:
            raise clob_invalid("Invalid revoke builder api key body")
        del self.state.builders[keys[-1]]

    def check(self, request: Request) -> None:
        """Verify that the client holds a key of either kind. Raises WireError (401)."""
        headers = request.headers
        given = headers.get("relayer_api_key", "")
        if not given:
            self._builder(request)
            return
        try:
            address = checksum_address(headers.get("relayer_api_key_address", ""))
        except ValueError as error:
            raise _unauthorized() from error
        if not hmac.compare_digest(given.encode(), self.relayer_key(address).encode()):
            raise _unauthorized()

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    def load_state(self, kept: bytes) -> None:
        self.state = msgspec.msgpack.decode(kept, type=KeysState)

    def _builder(self, request: Request) -> str:
        headers = request.headers
        key = self.state.builders.get(headers.get("poly_builder_api_key", ""))
        timestamp = headers.get("poly_builder_timestamp", "")
        if key is None or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 18:
            raise _unauthorized()
        made = key.credentials
        expected = l2_signature(made.secret, timestamp, request.method, request.path, request.body)
        same = hmac.compare_digest(headers.get("poly_builder_signature", "").encode(), expected.encode())
        same &= hmac.compare_digest(headers.get("poly_builder_passphrase", "").encode(), made.passphrase.encode())
        if not same or min(abs(int(timestamp) - clock) for clock in self._clocks_s()) > SKEW_MAX_S:
            raise _unauthorized()
        return made.key


def _unauthorized() -> WireError:
    return WireError(json_answer({"error": "invalid authorization"}, 401))
