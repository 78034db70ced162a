"""The trading paths of the order-book API: keys, orders, cancels, and what an account may ask about itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from polymarket_kit.messages.order_messages import ApiKeyMessage, ApiKeysMessage, BalanceAllowanceMessage
from polymarket_kit.signing.order_signing import EXCHANGES, POLYGON, SignatureType
from polymarket_kit.signing.wallets import upgradeable_deposit_wallet, wallet_of
from practice_exchange.books.render import ClobRenderer
from practice_exchange.clob.authenticator import Authenticator
from practice_exchange.clob.heartbeats import Heartbeats
from practice_exchange.clob.listing import (
    BAD_ORDERS_QUERY,
    BAD_TRADES_QUERY,
    fits,
    made_by,
    moment_s,
    nothing,
    page_of,
    signature_type_of,
)
from practice_exchange.clob.notifications import Notifications
from practice_exchange.clob.order_gateway import OrderGateway, is_order_id
from practice_exchange.clob.order_render import Renderer, refused, scores
from practice_exchange.clob.public_routes import is_number
from practice_exchange.clob.read_only_keys import ReadOnlyKeys, ReadOnlyRoutes
from practice_exchange.clob.restricted_modes import refuse_request
from practice_exchange.clob.signer_limits import SignerLimits
from practice_exchange.clob.trading_state import VERSION, Part, TradingState, decode_state, encode_state
from practice_exchange.engine.accounts import COLLATERAL, Account
from practice_exchange.engine.orders import Order, OrderState, Restriction
from practice_exchange.engine.settlement import Trade
from practice_exchange.streams.hub import Streams
from practice_exchange.venue.accounts import ApiKey, KeyRing, PracticeWallet, practice_wallets, wallets_of
from practice_exchange.venue.approvals import Approvals
from practice_exchange.venue.balances import BalanceCache
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, clob_invalid, clob_missing, json_answer
from practice_exchange.world.timestamps import SECOND_MS
from practice_exchange.world.world import WorldView

T = TypeVar("T")
FUNDS_MICRO = 10_000_000_000
READABLE = (OrderState.LIVE, OrderState.MATCHED, OrderState.DELAYED)
AREAS = frozenset(
    (
        "auth",
        "balance-allowance",
        "cancel-all",
        "cancel-market-orders",
        "data",
        "heartbeats",
        "notifications",
        "order",
        "order-scoring",
        "orders",
        "orders-scoring",
        "v1",
    )
)


class TradingSide:
    """Answers the trading paths; everything else is the read side's.

    The wallets of ``wallets`` begin with 10,000 play dollars each. ``machine_s`` is this machine's clock, for how old
    log-ins are and whether clients still live; everything else happens in the exchange's own time.
    """

    def __init__(
        self,
        world: WorldView,
        now_ms: Callable[[], int],
        *,
        machine_s: Callable[[], float] = time.time,
        chain_id: int = POLYGON,
    ) -> None:
        self.wallets: tuple[PracticeWallet, ...] = practice_wallets(world.seed)
        self.venue_engine = VenueEngine(world, now_ms)
        self.machine_s = machine_s
        self._chain_id = chain_id
        self._known: set[str] = set()
        self.approvals = Approvals(self.venue_engine)
        for wallet in self.wallets:
            self.fund(wallet.funder, FUNDS_MICRO)
        self.authenticator = Authenticator(KeyRing(world.seed), chain_id, lambda: self.venue_engine.now_ms, machine_s)
        self._render = Renderer(world.seed, self.venue_engine.market_of)
        self.balances = BalanceCache(machine_s)
        self.limits = SignerLimits(machine_s)
        self._gateway = OrderGateway(
            world, self.venue_engine, self._render, self._known, self.approvals, self.balances, chain_id
        )
        self._heartbeats = Heartbeats()
        self.streams = Streams(world, self.venue_engine, self._render, self.authenticator.keys, wallets_of)
        self.notifications = Notifications(
            self.venue_engine, ClobRenderer(world.register).market, self._render.trade_id, self._render.transaction_hash
        )
        self._read_only = ReadOnlyKeys(world.seed)
        # Pieces with a memory of their own, by name, for checkpoints.
        self.parts: dict[str, Part] = {"notifications": self.notifications, "read_only_keys": self._read_only}
        self._bare = ReadOnlyRoutes(self._read_only)
        # While a checkpoint is taken, nothing may happen.
        self.standing = False
        # Called before orders are cancelled because a heartbeat stopped: the one thing that no request asks for.
        self.before_silence: Callable[[], None] = lambda: None
        self._by_key = self._routes()

    def _routes(self) -> dict[str, Callable[[ApiKey, Query, bytes], Answer]]:
        """What an API key may do, by method and path."""
        bare = self._bare
        return {
            "GET /auth/api-keys": lambda key, query, body: self._keys(key.address),
            "DELETE /auth/api-key": lambda key, query, body: self._delete_key(key),
            "POST /auth/readonly-api-key": lambda key, query, body: bare.make(key),
            "GET /auth/readonly-api-keys": lambda key, query, body: bare.told(key),
            "DELETE /auth/readonly-api-key": lambda key, query, body: bare.delete(key, body),
            "GET /auth/ban-status/closed-only": lambda key, query, body: self._closed_only(key),
            "POST /order": lambda key, query, body: self._gateway.post_one(key, body),
            "POST /orders": lambda key, query, body: self._gateway.post_many(key, body),
            "DELETE /order": lambda key, query, body: self._gateway.cancel_one(key, body),
            "DELETE /orders": lambda key, query, body: self._gateway.cancel_many(key, body),
            "DELETE /cancel-all": lambda key, query, body: self._gateway.cancel_all(key),
            "DELETE /cancel-market-orders": lambda key, query, body: self._gateway.cancel_market(key, body),
            "GET /data/orders": lambda key, query, body: self._orders(key, query),
            # What the first contracts left behind: nothing here.
            "GET /data/pre-migration-orders": lambda key, query, body: nothing(query),
            "GET /data/trades": lambda key, query, body: self._trades(key, query),
            "GET /balance-allowance": lambda key, query, body: self._balance(key, query),
            "GET /balance-allowance/update": lambda key, query, body: self._update_balance(key, query),
            "PUT /balance-allowance": lambda key, query, body: self._update_balance(key, query),
            "PUT /balance-allowance/update": lambda key, query, body: self._update_balance(key, query),
            "GET /notifications": lambda key, query, body: self._notified(key, query),
            "DELETE /notifications": lambda key, query, body: self._drop_notified(key, query),
            "POST /v1/heartbeats": lambda key, query, body: self._beat(key, body),
            "POST /heartbeats": lambda key, query, body: json_answer({"status": "ok"}),
            "GET /order-scoring": lambda key, query, body: self._scoring(key, query),
            "GET /orders-scoring": lambda key, query, body: self._named_scoring(key, query),
            "POST /orders-scoring": lambda key, query, body: self._all_scoring(key, body),
        }

    def fund(self, account_id: str, amount_micro: int) -> None:
        """Give an account play dollars and every approval, and let it trade with the kind of wallet that it is."""
        self.venue_engine.engine.deposit(account_id, amount_micro)
        self.approvals.grant_all(account_id)
        self.know(account_id)

    def know(self, account_id: str) -> None:
        """Let an account trade with the kind of wallet that it is, as those from before the deposit wallets may."""
        self._known.add(account_id)

    def is_known(self, account_id: str) -> bool:
        """Whether a wallet, named by its address as checksummed, has been here all along."""
        return account_id in self._known

    def transaction_hash(self, trade_id: int) -> str:
        """The hash under which a trade is told on the chain."""
        return self._render.transaction_hash(trade_id)

    def advance(self) -> None:
        """Let everything happen that is due, before anybody looks."""
        if self.standing:
            return
        self.venue_engine.advance()
        now_s = self.machine_s()
        if self._heartbeats.any_silent(now_s):
            self.before_silence()
            for key in self._heartbeats.fallen_silent(now_s):
                self._gateway.cancel_key(key)

    def dump_state(self) -> bytes:
        """Everything that a checkpoint must keep, as bytes."""
        parts = {name: part.dump_state() for name, part in self.parts.items()}
        keys, pulses = self.authenticator.keys.dump_state(), self._heartbeats.dump_state()
        return encode_state(
            TradingState(VERSION, self.venue_engine.dump_state(), keys, sorted(self._known), pulses, parts)
        )

    def load_state(self, kept: bytes) -> None:
        """Go on from what was kept, in the world of the same checkpoint. Raises ValueError for anything else."""
        state = decode_state(kept)
        self.venue_engine.load_state(state.venue_engine)
        self.authenticator.keys.load_state(state.keys)
        self._heartbeats.load_state(state.pulses)
        self._known.clear()
        self._known.update(state.known)
        for name, part in self.parts.items():
            if name in state.parts:
                part.load_state(state.parts[name])

    def reopen(self) -> None:
        """Begin to serve again after a restart."""
        self._heartbeats.forgive(self.machine_s())

    def meant(self, headers: Mapping[str, str], body: bytes) -> list[str]:
        """The open orders of whoever asks that a cancel without ids means. Raises WireError."""
        key = self.authenticator.keys.find(headers.get("poly_api_key", ""))
        return self._gateway.meant(key, body) if key is not None else []

    def owns(self, path: str) -> bool:
        """Whether this path belongs to the trading side."""
        return path.strip("/").partition("/")[0] in AREAS

    def answer(self, method: str, path: str, query: Query, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Answer a request of the trading side; names in ``headers`` are lower case. Raises WireError."""
        action = f"{method} {path.rstrip('/')}"
        refusal = refuse_request(self.venue_engine, action)
        if refusal is not None:
            return refused(refusal)
        if action in ("POST /auth/api-key", "GET /auth/derive-api-key"):
            return self._make_key(headers, method == "POST")
        if action == "GET /auth/api-keys" and not headers.get("poly_api_key"):
            # The specification wants the wallet's signature here, the official client sends a key's.
            return self._keys(self.authenticator.claim(headers).address)
        if action == "GET /auth/validate-readonly-api-key":
            return self._bare.check(query)
        route = self._by_key.get(action)
        if route is None and action.startswith("GET /data/order/"):
            key = self._admit(action, method, path, headers, body)
            return json_answer(self._render.order(self._own_order(key, path.rpartition("/")[2])))
        if route is None:
            raise clob_missing("404 page not found")
        key = self._admit(action, method, path, headers, body)
        if not self.limits.on:
            return route(key, query, body)
        return self.limits.meter(key.address, action, body, lambda: route(key, query, body))

    def _admit(self, action: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> ApiKey:
        """Who asks: by a full key that signed, or by a bare one that may only look. Raises WireError (401)."""
        return self._read_only.admit(action, headers) or self.authenticator.key(method, path, headers, body)

    # Keys

    def _make_key(self, headers: Mapping[str, str], new: bool) -> Answer:
        claim = self.authenticator.claim(headers)
        key = self.authenticator.keys.create(claim) if new else self.authenticator.keys.derive(claim)
        if key is None:
            raise clob_invalid("Could not create api key" if new else "Could not derive api key!")
        made = key.credentials
        return json_answer(ApiKeyMessage(made.key, made.secret, made.passphrase))

    def _keys(self, address: str) -> Answer:
        return json_answer(ApiKeysMessage(self.authenticator.keys.of_address(address)))

    def _delete_key(self, key: ApiKey) -> Answer:
        self.authenticator.keys.delete(key.credentials.key)
        return json_answer("OK")

    def _closed_only(self, key: ApiKey) -> Answer:
        accounts = map(self.venue_engine.engine.account, wallets_of(key.address))
        return json_answer({"closed_only": any(each.restriction is Restriction.CLOSED_ONLY for each in accounts)})

    # Orders and trades

    def _own_order(self, key: ApiKey, order_id: str) -> Order:
        if not is_order_id(order_id):
            raise clob_invalid("Invalid orderID")
        order = self.venue_engine.engine.order(order_id)
        if order is None or order.account_id not in wallets_of(key.address) or order.status not in READABLE:
            raise clob_missing("Order not found")
        return order

    def _orders(self, key: ApiKey, query: Query) -> Answer:
        wanted = (query.text("id"), query.text("market"), query.text("asset_id"))
        found = [
            order
            for account_id in wallets_of(key.address)
            for order in self.venue_engine.engine.open_orders(account_id)
            if fits(wanted, (order.order_id, order.condition_id, order.token_id))
        ]
        return page_of(query, found, self._render.order, BAD_ORDERS_QUERY)

    def _trades(self, key: ApiKey, query: Query) -> Answer:
        """Trades of the asker, newest first (assumed); ``after`` and ``before`` are seconds, both included."""
        accounts = wallets_of(key.address)
        numbers = {number for account_id in accounts for number in self.venue_engine.trades_of.get(account_id, ())}
        wanted = (query.text("id"), query.text("market"), query.text("asset_id"))
        after, before = moment_s(query, "after") or 0, moment_s(query, "before")
        found: list[Trade] = []
        for number in sorted(numbers, reverse=True):
            trade = self.venue_engine.engine.trade(number)
            if trade is None or not fits(wanted, (self._render.trade_id(number), trade.condition_id, trade.token_id)):
                continue
            matched_s = trade.matched_ms // SECOND_MS
            if after <= matched_s and (before is None or matched_s <= before) and made_by(trade, query):
                found.append(trade)
        return page_of(query, found, lambda trade: self._render.trade(trade, accounts), BAD_TRADES_QUERY)

    # The account

    def _asked_holding(self, key: ApiKey, query: Query) -> tuple[Account, str]:
        """Whose balance of what is asked for. Raises WireError."""
        kind, token_id = query.text("asset_type"), query.text("token_id")
        if kind not in ("COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2"):
            raise clob_invalid("Invalid asset type")
        if kind != "COLLATERAL" and not is_number(token_id):
            raise clob_invalid("Invalid token id")
        account = self.venue_engine.engine.account(self._wallet(key.address, signature_type_of(query)))
        return account, COLLATERAL if kind == "COLLATERAL" else token_id

    def _update_balance(self, key: ApiKey, query: Query) -> Answer:
        self.balances.update(*self._asked_holding(key, query))
        return json_answer({})

    def _balance(self, key: ApiKey, query: Query) -> Answer:
        account, asset = self._asked_holding(key, query)
        told, contracts = self.approvals.told, EXCHANGES[self._chain_id]
        spenders = {each.address: str(told(account.account_id, asset, each.address)) for each in contracts}
        return json_answer(BalanceAllowanceMessage(str(self.balances.shown_micro(account, asset)), spenders))

    def _notified(self, key: ApiKey, query: Query) -> Answer:
        return json_answer(self.notifications.unread(self._wallet(key.address, signature_type_of(query))))

    def _drop_notified(self, key: ApiKey, query: Query) -> Answer:
        numbers = [text.strip() for text in query.text("ids").split(",")]
        if not all(is_number(text) for text in numbers):
            raise clob_invalid("Invalid ids")
        self.notifications.drop(wallets_of(key.address), map(int, numbers))
        return json_answer("OK")

    def _wallet(self, address: str, kind: SignatureType) -> str:
        """The owner's wallet of this kind; of two deposit wallets the one that has been funded."""
        older = upgradeable_deposit_wallet(address)
        return older if kind is SignatureType.DEPOSIT_WALLET and older in self._known else wallet_of(address, kind)

    def _beat(self, key: ApiKey, body: bytes) -> Answer:
        try:
            given = msgspec.json.decode(body or b"{}", type=_Beat).heartbeat_id
        except msgspec.MsgspecError as error:
            raise clob_invalid("Invalid payload") from error
        return self._heartbeats.beat(key, given or "", self.machine_s())

    def _scoring(self, key: ApiKey, query: Query) -> Answer:
        order_id = query.text("order_id")
        if not is_order_id(order_id):
            raise clob_invalid("Invalid order_id")
        return json_answer({"scoring": self._is_scoring(key, order_id)})

    def _all_scoring(self, key: ApiKey, body: bytes) -> Answer:
        try:
            order_ids = msgspec.json.decode(body, type=list[str])
        except msgspec.MsgspecError as error:
            raise clob_invalid("Invalid payload") from error
        return self._told_scoring(key, order_ids)

    def _named_scoring(self, key: ApiKey, query: Query) -> Answer:
        """The older form, with ids in the query: as repeated keys or in one, parted by commas."""
        return self._told_scoring(key, [name for text in query.all("order_ids") for name in text.split(",")])

    def _told_scoring(self, key: ApiKey, order_ids: list[str]) -> Answer:
        if not all(map(is_order_id, order_ids)):
            raise clob_invalid("Invalid orderID")
        return json_answer({order_id: self._is_scoring(key, order_id) for order_id in order_ids})

    def _is_scoring(self, key: ApiKey, order_id: str) -> bool:
        order = self.venue_engine.engine.order(order_id)
        if order is None or order.account_id not in wallets_of(key.address) or order.status is not OrderState.LIVE:
            return False
        return scores(order, self.venue_engine.market_of(order.condition_id))


class _Beat(msgspec.Struct):
    heartbeat_id: str | None = ""
