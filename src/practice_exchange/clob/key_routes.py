"""Handlers of the order-book API under ``/auth``: the API keys of a wallet, and its read-only keys."""

from __future__ import annotations

import msgspec

from polymarket_kit.messages.order_messages import ApiKeyMessage, ApiKeysMessage
from polymarket_kit.signing.auth import L2_REFUSED, WalletClaim
from practice_exchange.clob.read_only_keys import ReadOnlyKeys
from practice_exchange.venue.accounts import ApiKey, KeyRing
from practice_exchange.web.responses import Answer, WireError, clob_invalid, json_answer
from practice_exchange.web.route import Request


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
