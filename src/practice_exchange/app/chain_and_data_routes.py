"""Builds the chain, its relayer and the Data API; handles builder keys, deposits, withdrawals and manual resolution."""

from __future__ import annotations

from typing import Literal

import msgspec

from polymarket_kit.rejections import Rejection
from polymarket_kit.signing.eip712 import checksum_address
from polymarket_kit.signing.order_signing import POLYGON
from polymarket_kit.values import MICRO
from practice_exchange.chain.keys import RelayerKeys
from practice_exchange.chain.ledger import Chain
from practice_exchange.chain.relayer import Relayer
from practice_exchange.chain.rpc import RpcSide
from practice_exchange.clob.trading_routes import FUNDS_MICRO, TradingSide
from practice_exchange.data.routes import DataRoutes
from practice_exchange.data.routes_v2 import NewerDataRoutes
from practice_exchange.data.select import Selector
from practice_exchange.venue.accounts import ApiKey
from practice_exchange.venue.market_lookup import MarketLookup
from practice_exchange.venue.positions import Positions
from practice_exchange.venue.records import Kind, Record, Records
from practice_exchange.web.controls import control_refused, read_control
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.lifecycle import ManualResolutionRefused, resolve_now
from practice_exchange.world.timestamps import SECOND_MS
from practice_exchange.world.world import WorldView

DEPOSIT_MAX_USD = 1_000_000_000


class _Move(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    usd: float
    approve: bool = False


class _KeyRequest(msgspec.Struct, forbid_unknown_fields=True):
    address: str


class _ManualResolution(msgspec.Struct, forbid_unknown_fields=True):
    condition_id: str
    winner: Literal[0, 1] | None


class _SavedRecords:
    """The records as a part of a checkpoint; the positions follow from them."""

    def __init__(self, records: Records, positions: Positions) -> None:
        self._records = records
        self._positions = positions

    def dump_state(self) -> bytes:
        return self._records.dump_state()

    def load_state(self, kept: bytes) -> None:
        self._records.load_state(kept)
        self._positions.rebuild()


class ChainAndDataRoutes:
    """Builds the parts behind ``/data``, ``/relayer`` and ``/rpc``; answers for builder's keys and the controls of play money."""

    def __init__(self, world: WorldView, trading: TradingSide, chain_id: int = POLYGON) -> None:
        self._world = world
        self._trading = trading
        venue_engine = trading.venue_engine
        self.records = Records((venue_engine.house, venue_engine.crowd), trading.transaction_hash)
        self.facts = MarketLookup(world, venue_engine)
        self.positions = Positions(self.records, self.facts.condition_of)
        self.chain = Chain(world, venue_engine, trading.approvals, self.records)
        self.keys = RelayerKeys(world.seed, lambda: (trading.machine_s(), venue_engine.now_ms / SECOND_MS))
        self._relayer = Relayer(self.chain, self.keys, world.seed, chain_id, trading.is_known)
        self._rpc = RpcSide(self.chain, chain_id)
        select = Selector(self.records, self.positions, self.facts, lambda: venue_engine.now_ms)
        self._data = DataRoutes(select)
        self._newer_data = NewerDataRoutes(select, trading.approvals, chain_id)
        for wallet in trading.wallets:
            self._record_first_deposit(wallet.funder)
        venue_engine.listeners.append(self.records.on_events)
        trading.parts["approvals"] = trading.approvals
        trading.parts["chain"] = self.chain
        trading.parts["relayer_keys"] = self.keys
        trading.parts["records"] = _SavedRecords(self.records, self.positions)

    def owners(self) -> tuple[object, ...]:
        """The parts whose methods the route table names."""
        return self, self._data, self._newer_data, self._relayer, self._rpc

    # Builder's keys

    def create_builder_key(self, key: ApiKey, request: Request) -> Answer:
        """Make a builder's key."""
        return json_answer(self.keys.make(key.address))

    def builder_keys(self, key: ApiKey, request: Request) -> Answer:
        """A builder's keys."""
        return json_answer(self.keys.of_address(key.address))

    def revoke_builder_key(self, request: Request) -> Answer:
        """Revoke a builder's key.

        The one that signed, or the newest one of the address whose API key signed.
        """
        if request.headers.get("poly_builder_api_key"):
            self.keys.revoke(request)
        else:
            self.keys.revoke_newest(self._trading.authenticator.key(request).address)
        return json_answer("OK")

    # Play money

    def _record_first_deposit(self, account_id: str) -> None:
        """Record the initial dollars of a seeded wallet."""
        named, now_ms = self.chain.first_hash(account_id), self.chain.venue_engine.now_ms
        self.records.add(Record(account_id, Kind.DEPOSIT, now_ms, named, FUNDS_MICRO))

    def deposit(self, request: Request) -> Answer:
        """Give an account play money."""
        asked, account_id, amount_micro = _read_move(request.body)
        self._trading.know(account_id)
        if asked.approve:
            self._trading.approvals.grant_all(account_id)
        return self._moved_answer(account_id, self.chain.credit(account_id, amount_micro).transaction_hash)

    def withdraw(self, request: Request) -> Answer:
        """Take play money back."""
        _, account_id, amount_micro = _read_move(request.body)
        done = self.chain.debit(account_id, amount_micro)
        if isinstance(done, Rejection):
            raise control_refused(f"{account_id} has less than that: {done.text}")
        return self._moved_answer(account_id, done.transaction_hash)

    def _moved_answer(self, account_id: str, transaction_hash: str) -> Answer:
        balance_micro = self._trading.venue_engine.engine.account(account_id).collateral.balance_micro
        content = {"address": account_id, "balance_usd": balance_micro / MICRO, "transaction_hash": transaction_hash}
        return json_answer(content)

    def relayer_key(self, request: Request) -> Answer:
        """A key for the relayer."""
        asked = read_control(request.body, _KeyRequest, '{"address": "0x..."}')
        address = _checked(asked.address)
        return json_answer({"apiKey": self.keys.relayer_key(address), "address": address})

    # Verdicts

    def resolve(self, request: Request) -> Answer:
        """Resolve a market at once."""
        asked = read_control(
            request.body, _ManualResolution, '{"condition_id": "0x...", "winner": 0} (or 1, or null for half each)'
        )
        register = self._world.register
        market = register.markets_by_condition.get(asked.condition_id)
        if market is None:
            raise control_refused("condition_id: there is no such market")
        try:
            resolve_now(register.events[market.event_number], market, asked.winner, self._trading.venue_engine.now_ms)
        except ManualResolutionRefused as error:
            raise control_refused(str(error)) from error
        self._world.revision += 1
        self._trading.advance()
        return json_answer(
            {"condition_id": market.condition_id, "payouts": [each / MICRO for each in market.payouts_micro]}
        )


def _checked(address: str) -> str:
    try:
        return checksum_address(address)
    except ValueError as error:
        raise control_refused(f"address: {error}") from error


def _read_move(body: bytes) -> tuple[_Move, str, int]:
    """A deposit or withdrawal: what was asked, whose account, how much. Raises WireError (422)."""
    asked = read_control(body, _Move, '{"address": "0x...", "usd": 100}')
    account_id = _checked(asked.address)
    if not 0 < asked.usd <= DEPOSIT_MAX_USD or not asked.usd * MICRO >= 1:
        raise control_refused(f"usd must be above 0 and at most {DEPOSIT_MAX_USD}")
    return asked, account_id, round(asked.usd * MICRO)
