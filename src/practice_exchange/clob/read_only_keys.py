"""Read-only API keys: bare keys without secrets, made by a full key of the same address, good for looking and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from uuid import UUID

import msgspec

from polymarket_kit.signing.auth import L2_REFUSED, ApiCredentials
from practice_exchange.venue.accounts import ApiKey
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, WireError, clob_invalid, json_answer

# What such a key may ask. The venue documents it for trades alone: the other reads of an account are assumed.
READS = frozenset(
    {
        "GET /auth/ban-status/closed-only",
        "GET /balance-allowance",
        "GET /data/orders",
        "GET /data/trades",
        "GET /notifications",
        "GET /order-scoring",
        "POST /orders-scoring",
    }
)
# A read-only key has no number of its own among the address's keys.
NO_NONCE = -1


class _State(msgspec.Struct):
    owners: dict[str, str] = {}
    made: dict[str, int] = {}


class ReadOnlyKeys:
    """Read-only keys by who made them; the same for the same seed, address and count.

    A request names its key and its address in ``POLY_API_KEY`` and ``POLY_ADDRESS`` and signs nothing (assumed).
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._state = _State()

    def make(self, address: str) -> str:
        """Make one more key for an address."""
        number = self._state.made.get(address, 0) + 1
        self._state.made[address] = number
        digest = hashlib.sha256(f"prescient practice read-only key/{self._seed}/{address}/{number}".encode()).digest()
        key_id = str(UUID(bytes=digest[:16], version=4))
        self._state.owners[key_id] = address
        return key_id

    def of_address(self, address: str) -> list[str]:
        return [key_id for key_id, owner in self._state.owners.items() if owner == address]

    def delete(self, address: str, key_id: str) -> bool:
        """Forget a key of an address; whether there was one."""
        if self._state.owners.get(key_id) != address:
            return False
        del self._state.owners[key_id]
        return True

    def is_valid(self, address: str, key_id: str) -> bool:
        return self._state.owners.get(key_id, "").lower() == address.lower() != ""

    def admit(self, action: str, headers: Mapping[str, str]) -> ApiKey | None:
        """Who asks with a bare key, if the key is good and the request only reads; names in ``headers`` are lower case."""
        if headers.get("poly_signature"):
            return None
        key_id = headers.get("poly_api_key", "")
        reads = action in READS or action.startswith("GET /data/order/")
        if not reads or not self.is_valid(headers.get("poly_address", ""), key_id):
            return None
        return ApiKey(self._state.owners[key_id], NO_NONCE, ApiCredentials(key_id, "", ""))

    # What a checkpoint keeps

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def load_state(self, kept: bytes) -> None:
        """Raises msgspec.MsgspecError for what it did not write itself."""
        self._state = msgspec.msgpack.decode(kept, type=_State)


class _Named(msgspec.Struct):
    key: str


class ReadOnlyRoutes:
    """The paths under ``/auth`` that make, list, drop and check read-only keys."""

    def __init__(self, keys: ReadOnlyKeys) -> None:
        self._keys = keys

    def make(self, key: ApiKey) -> Answer:
        """``POST /auth/readonly-api-key``."""
        return json_answer({"apiKey": self._keys.make(key.address)})

    def told(self, key: ApiKey) -> Answer:
        """``GET /auth/readonly-api-keys``."""
        return json_answer(self._keys.of_address(key.address))

    def delete(self, key: ApiKey, body: bytes) -> Answer:
        """``DELETE /auth/readonly-api-key``: whether there was such a key. Raises WireError (400)."""
        try:
            named = msgspec.json.decode(body, type=_Named).key
        except (msgspec.MsgspecError, RecursionError) as error:
            raise clob_invalid("Invalid payload") from error
        return json_answer(self._keys.delete(key.address, named))

    def check(self, query: Query) -> Answer:
        """``GET /auth/validate-readonly-api-key``, which needs no log-in. Raises WireError (401)."""
        if not self._keys.is_valid(query.text("address"), query.text("key")):
            raise WireError(json_answer({"error": L2_REFUSED}, 401))
        return json_answer("OK")
