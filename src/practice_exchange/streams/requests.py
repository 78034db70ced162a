"""Requests that clients send over the websockets: subscriptions, changes to them, and authentication."""

from __future__ import annotations

from typing import Literal

import msgspec

PING = "PING"
SUBSCRIBE = "subscribe"
UNSUBSCRIBE = "unsubscribe"
Operation = Literal["", "subscribe", "unsubscribe"]


class MarketRequest(msgspec.Struct):
    """A message of the market channel: the first has ``type``, later ones ``operation``; either is taken at any time.

    Without ``custom_feature_enabled`` that stays as it is. All three levels are served alike (assumed: undocumented).
    """

    assets_ids: list[str]
    type: Literal["", "market", "Market", "MARKET"] = ""
    operation: Operation = ""
    custom_feature_enabled: bool | None = None
    initial_dump: bool = True
    level: Literal[1, 2, 3] = 2


class UserLogin(msgspec.Struct, rename="camel"):
    api_key: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return f"UserLogin({self.api_key})"


class UserRequest(msgspec.Struct):
    """A message of the user channel. Only the first needs ``auth``; no ``markets`` means all of them."""

    auth: UserLogin | None = None
    type: Literal["", "user", "User", "USER"] = ""
    operation: Operation = ""
    markets: list[str] | None = None


_market = msgspec.json.Decoder(MarketRequest)
_user = msgspec.json.Decoder(UserRequest)


def read_market_request(text: str) -> MarketRequest | None:
    """Return a message of the market channel, None for anything else."""
    try:
        request = _market.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
    return request if request.type or request.operation else None


def read_user_request(text: str) -> UserRequest | None:
    """Return a message of the user channel, None for anything else."""
    try:
        request = _user.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
    return request if request.type or request.operation else None
