"""The user channel: a socket authenticates with an API key and gets that key's orders and trades as they happen."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence

from practice_exchange.engine.events import Event, OrderEvent, TradeEvent
from practice_exchange.streams.frames import INVALID_FRAME
from practice_exchange.streams.interfaces import Keys, WalletsOf, Wording
from practice_exchange.streams.requests import UNSUBSCRIBE, UserLogin, UserRequest
from practice_exchange.streams.socket import StreamSocket
from practice_exchange.streams.user_frames import order_frame, trade_frame


class UserChannel:
    """Sockets by account: a key reads everything that any wallet of its owner does, whichever key posted it (assumed)."""

    def __init__(self, keys: Keys, wallets_of: WalletsOf, render: Wording) -> None:
        self._keys = keys
        self._wallets_of = wallets_of
        self._render = render
        self._readers: dict[str, dict[StreamSocket, None]] = {}

    # What clients ask

    def log_in(self, socket: StreamSocket, request: UserRequest) -> bool:
        """Subscribe a socket with an API key; False when the key is unknown or its secrets are wrong."""
        if request.auth is None or not self._proves(request.auth):
            return False
        key = self._keys.find(request.auth.api_key)
        assert key is not None
        self.leave(socket)
        socket.accounts = self._wallets_of(key.address)
        socket.markets = _small(request.markets)
        for account_id in socket.accounts:
            self._readers.setdefault(account_id, {})[socket] = None
        return True

    def apply(self, socket: StreamSocket, request: UserRequest) -> None:
        """Change which markets a socket reads. With none left it reads all, as when it never named one."""
        if request.auth is not None:
            if not self.log_in(socket, request):
                self.refuse(socket)
        elif request.operation == UNSUBSCRIBE:
            socket.markets -= _small(request.markets)
        else:
            socket.markets |= _small(request.markets)

    def refuse(self, socket: StreamSocket) -> None:
        """Answer what cannot be understood."""
        socket.answer(INVALID_FRAME)

    def leave(self, socket: StreamSocket) -> None:
        """Forget a socket."""
        for account_id in socket.accounts:
            readers = self._readers.get(account_id, {})
            readers.pop(socket, None)
            if not readers:
                self._readers.pop(account_id, None)
        socket.accounts = ()

    # What happens

    def on_events(self, events: Sequence[Event]) -> None:
        """Send each account its own orders and trades."""
        if not self._readers:
            return
        for event in events:
            if isinstance(event, OrderEvent):
                self._tell_order(event)
            elif isinstance(event, TradeEvent):
                self._tell_trade(event)

    def _tell_order(self, event: OrderEvent) -> None:
        readers = self._interested((event.order.account_id,), event.order.condition_id)
        if readers:
            frame = order_frame(event, self._render)
            for socket in readers:
                socket.put(frame)

    def _tell_trade(self, event: TradeEvent) -> None:
        """The same trade looks different from both sides, so each owner's view is written apart."""
        trade = event.trade
        accounts = (trade.account_id, *(maker.account_id for maker in trade.makers))
        frames: dict[tuple[str, ...], bytes] = {}
        for socket in self._interested(accounts, trade.condition_id):
            frame = frames.get(socket.accounts)
            if frame is None:
                frame = frames[socket.accounts] = trade_frame(event, socket.accounts, self._render)
            socket.put(frame)

    def _interested(self, accounts: Iterable[str], condition_id: str) -> dict[StreamSocket, None]:
        """The sockets that read one of these accounts in this market, each once."""
        return {
            socket: None
            for account_id in accounts
            for socket in self._readers.get(account_id, ())
            if not socket.markets or condition_id.lower() in socket.markets
        }

    def _proves(self, login: UserLogin) -> bool:
        key = self._keys.find(login.api_key)
        if key is None:
            return False
        known, given = key.credentials, login
        secret = hmac.compare_digest(known.secret.encode(), given.secret.encode())
        return hmac.compare_digest(known.passphrase.encode(), given.passphrase.encode()) and secret


def _small(markets: Iterable[str] | None) -> set[str]:
    return {condition_id.lower() for condition_id in markets or ()}
