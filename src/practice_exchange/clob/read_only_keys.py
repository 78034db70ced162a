"""Read-only API keys: keys without secrets, made by a full key of the same address. The route table says what they may ask."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from uuid import UUID

import msgspec

from polymarket_kit.signing.auth import ApiCredentials
from practice_exchange.venue.accounts import ApiKey

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
