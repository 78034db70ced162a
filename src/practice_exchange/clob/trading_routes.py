"""The trading side of the exchange: wires up engine, accounts, keys and streams, and defines their checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from polymarket_kit.signing.order_signing import POLYGON
from practice_exchange.books.render import ClobRenderer
from practice_exchange.clob.account_routes import AccountRoutes, Heartbeats, HeartbeatState
from practice_exchange.clob.authenticator import Authenticator, Gate
from practice_exchange.clob.key_routes import KeyRoutes, ReadOnlyKeys
from practice_exchange.clob.notifications import Notifications
from practice_exchange.clob.order_gateway import OrderGateway
from practice_exchange.clob.order_render import Renderer
from practice_exchange.clob.signer_limits import SignerLimits
from practice_exchange.streams.hub import Streams
from practice_exchange.venue.accounts import ApiKey, KeyRing, PracticeWallet, practice_wallets
from practice_exchange.venue.approvals import Approvals
from practice_exchange.venue.balances import BalanceCache
from practice_exchange.venue.venue_engine import VenueEngine, VenueEngineState
from practice_exchange.world.world import WorldView

# Changes whenever an older state can no longer be continued.
VERSION = 1


class Part(Protocol):
    """A piece of the trading side with a memory of its own."""

    def dump_state(self) -> bytes: ...

    def load_state(self, kept: bytes) -> None:
        """Raises msgspec.MsgspecError for what it did not write itself."""
        ...


class TradingState(msgspec.Struct):
    """Everything the trading side remembers. ``known`` are the accounts that may trade with the older wallets."""

    version: int
    # The name under which every checkpoint so far keeps it.
    venue_engine: VenueEngineState = msgspec.field(name="floor")
    keys: list[ApiKey]
    known: list[str]
    pulses: list[HeartbeatState]
    parts: dict[str, bytes]


class TradingUnreadable(ValueError):
    """These bytes are not the state of a trading side of this version."""


def encode_state(state: TradingState) -> bytes:
    return msgspec.msgpack.encode(state)


def decode_state(kept: bytes) -> TradingState:
    """Raises TradingUnreadable."""
    try:
        state = msgspec.msgpack.decode(kept, type=TradingState)
    except msgspec.MsgspecError as error:
        raise TradingUnreadable(f"the accounts and orders cannot be read: {error}") from error
    if state.version != VERSION:
        raise TradingUnreadable(f"accounts and orders are of version {state.version}, not {VERSION}")
    return state


FUNDS_MICRO = 10_000_000_000


class TradingSide:
    """All that an exchange has which takes orders; the route table names the handlers of its parts.

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
        self.streams = Streams(world, self.venue_engine, self._render, self.authenticator.keys)
        self.notifications = Notifications(
            self.venue_engine, ClobRenderer(world.register).market, self._render.trade_id, self._render.transaction_hash
        )
        self._read_only = ReadOnlyKeys(world.seed)
        # Pieces with a memory of their own, by name, for checkpoints.
        self.parts: dict[str, Part] = {"notifications": self.notifications, "read_only_keys": self._read_only}
        # While a checkpoint is taken, nothing may happen.
        self.paused = False
        # Called before orders are cancelled because a heartbeat stopped: the one thing that no request asks for.
        self.before_silence: Callable[[], None] = lambda: None
        self.gate = Gate(self.venue_engine, self.authenticator, self._read_only, self.limits)
        self._key_routes = KeyRoutes(self.authenticator.keys, self._read_only)
        self._account = AccountRoutes(
            self.venue_engine,
            self._render,
            approvals=self.approvals,
            balances=self.balances,
            notifications=self.notifications,
            heartbeats=self._heartbeats,
            known=self._known,
            machine_s=machine_s,
            chain_id=chain_id,
        )

    def owners(self) -> tuple[object, ...]:
        """The parts whose methods the route table names."""
        return self._gateway, self._account, self._key_routes, self.streams

    def fund(self, account_id: str, amount_micro: int) -> None:
        """Fund an account with play dollars and every approval, and allow its kind of wallet."""
        self.venue_engine.engine.deposit(account_id, amount_micro)
        self.approvals.grant_all(account_id)
        self.know(account_id)

    def know(self, account_id: str) -> None:
        """Allow an account's kind of wallet, as for accounts from before the deposit wallets."""
        self._known.add(account_id)

    def is_known(self, account_id: str) -> bool:
        """Whether a wallet, named by its address as checksummed, has been here all along."""
        return account_id in self._known

    def transaction_hash(self, trade_id: int) -> str:
        """The hash of the transaction that settles a trade."""
        return self._render.transaction_hash(trade_id)

    def advance(self) -> None:
        """Process everything that is due, before a request reads or changes anything."""
        if self.paused:
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
        """Restore dumped state, in the world of the same checkpoint. Raises ValueError for anything else."""
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
        """Resume after a restart."""
        self._heartbeats.forgive(self.machine_s())

    def matching_orders(self, headers: Mapping[str, str], body: bytes) -> list[str]:
        """The asker's open orders that a cancel without ids matches. Raises WireError."""
        key = self.authenticator.keys.find(headers.get("poly_api_key", ""))
        return self._gateway.matching_orders(key, body) if key is not None else []
