"""Read-only API keys, which have no secrets, and the handlers under ``/auth``: the API keys of a wallet, and these."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from uuid import UUID

import msgspec

from polymarket_kit.messages.order_messages import ApiKeyMessage, ApiKeysMessage
from polymarket_kit.signing.auth import L2_REFUSED, ApiCredentials, WalletClaim
from practice_exchange.venue.accounts import ApiKey, KeyRing
from practice_exchange.web.responses import Answer, WireError, clob_invalid, json_answer
from practice_exchange.web.route import Request

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

    def find(self, headers: Mapping[str, str]) -> ApiKey | None:
        """The read-only key that a request without a signature names; names in ``headers`` are lower case."""
        if headers.get("poly_signature"):
            return None
        key_id = headers.get("poly_api_key", "")
        if not self.is_valid(headers.get("poly_address", ""), key_id):
            return None
        return ApiKey(self._state.owners[key_id], NO_NONCE, ApiCredentials(key_id, "", ""))

    # What a checkpoint keeps

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def load_state(self, kept: bytes) -> None:
        """Raises msgspec.MsgspecError for what it did not write itself."""
        self._state = msgspec.msgpack.decode(kept, type=_State)


class _ReadOnlyKey(msgspec.Struct):
    key: str


class KeyRoutes:
    """Each handler gets who asks, then the request. They raise WireError."""

    def __init__(self, keys: KeyRing, read_only: ReadOnlyKeys) -> None:
        self._keys = keys
        self._read_only = read_only

    def create(self, claim: WalletClaim, request: Request) -> Answer:
        """Make an API key."""
        key = self._keys.create(claim)
        if key is None:
            raise clob_invalid("Could not create api key")
        return _key_answer(key)

    def derive(self, claim: WalletClaim, request: Request) -> Answer:
        """Get an API key again."""
        key = self._keys.derive(claim)
        if key is None:
            raise clob_invalid("Could not derive api key!")
        return _key_answer(key)

    def keys(self, address: str, request: Request) -> Answer:
        """The API keys of a wallet."""
        return json_answer(ApiKeysMessage(self._keys.of_address(address)))

    def delete(self, key: ApiKey, request: Request) -> Answer:
        """Delete the API key that asks."""
        self._keys.delete(key.credentials.key)
        return json_answer("OK")

    def create_read_only(self, key: ApiKey, request: Request) -> Answer:
        """Make a key that may only look."""
        return json_answer({"apiKey": self._read_only.make(key.address)})

    def read_only_keys(self, key: ApiKey, request: Request) -> Answer:
        """The keys that may only look."""
        return json_answer(self._read_only.of_address(key.address))

    def delete_read_only(self, key: ApiKey, request: Request) -> Answer:
        """Delete a key that may only look.

        Whether there was such a key.
        """
        try:
            named = msgspec.json.decode(request.body, type=_ReadOnlyKey).key
        except (msgspec.MsgspecError, RecursionError) as error:
            raise clob_invalid("Invalid payload") from error
        return json_answer(self._read_only.delete(key.address, named))

    def validate_read_only(self, request: Request) -> Answer:
        """Whose key may only look."""
        if not self._read_only.is_valid(request.query.text("address"), request.query.text("key")):
            raise WireError(json_answer({"error": L2_REFUSED}, 401))
        return json_answer("OK")


def _key_answer(key: ApiKey) -> Answer:
    made = key.credentials
    return json_answer(ApiKeyMessage(made.key, made.secret, made.passphrase))
