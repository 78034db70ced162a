"""The practice chain: transactions are tried out, applied through the engine, and recorded with their receipts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from polymarket_kit.rejections import Rejection
from polymarket_kit.values import MICRO
from practice_exchange.chain import calldata
from practice_exchange.chain.draft import Draft, balance_of, conversion
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.venue.approvals import Approvals
from practice_exchange.venue.records import Kind, Record, Records
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.world.world import WorldView

# The first block; the chain has one block for each transaction.
FIRST_BLOCK = 80_000_000
# What a transaction is said to use; nobody pays for it.
GAS = 150_000
GAS_PRICE_WEI = 30_000_000_000


class Transaction(msgspec.Struct, frozen=True):
    """A transaction that was mined. One that would have failed was never taken."""

    transaction_hash: str
    sender: str
    target: str
    block: int
    time_ms: int


class Relayed(msgspec.Struct, frozen=True):
    """What became of a batch that the relayer took: a transaction, or the reason why it reverted."""

    transaction_id: str
    transaction_hash: str
    error: str


class ChainState(msgspec.Struct):
    """Everything the chain remembers. ``nonces`` are counts of done transactions by what they count, for instance
    ``eoa:0x...``; ``transactions`` are by hash in lower case; ``relayed`` are by the relayer's id; ``wallets`` are
    the addresses of deployed wallets in lower case, beside those that have always been there.
    """

    nonces: dict[str, int] = {}
    transactions: dict[str, Transaction] = {}
    relayed: dict[str, Relayed] = {}
    wallets: set[str] = set()


class Chain:
    """Does what calls ask, at once: a transaction is mined in the moment in which it is sent (assumed).

    Money and shares are the engine's, approvals are the trading side's, history goes to the records.
    """

    def __init__(self, world: WorldView, venue_engine: VenueEngine, approvals: Approvals, records: Records) -> None:
        self.state = ChainState()
        self.approvals = approvals
        self.venue_engine = venue_engine
        self._world = world
        self._records = records

    @property
    def block(self) -> int:
        """The number of the latest block."""
        return FIRST_BLOCK + len(self.state.transactions)

    def nonce(self, counter: str) -> int:
        """How many transactions one account or wallet has done."""
        return self.state.nonces.get(counter, 0)

    def balance(self, account_id: str, token_id: str) -> int:
        return balance_of(self.venue_engine, account_id, token_id)

    def attempt(self, sender: str, calls: Sequence[calldata.Call]) -> None:
        """Try calls out and do nothing. Raises calldata.CallRefused with the reason why they would revert."""
        Draft(self._world, self.venue_engine, self.approvals, sender).run(calls)

    def perform(
        self, sender: str, calls: Sequence[calldata.Call], counter: str, transaction_hash: str = ""
    ) -> Transaction:
        """Apply all calls of one transaction, or none of them. Raises calldata.CallRefused.

        ``counter`` is the nonce that goes up with it. Without a hash of its own (a relayed one) it gets one.
        """
        actions = Draft(self._world, self.venue_engine, self.approvals, sender).run(calls)
        number = len(self.state.transactions)
        named = transaction_hash or self._hash(f"transaction/{number}")
        target = calls[0].to if calls else sender
        done = Transaction(named, sender, target, self.block + 1, self.venue_engine.now_ms)
        self.state.transactions[named.lower()] = done
        self.state.nonces[counter] = self.nonce(counter) + 1
        for action in actions:
            self._do(sender, action, done)
        self.venue_engine.advance()
        return done

    def credit(self, account_id: str, amount_micro: int) -> Transaction:
        """Deposit play dollars."""
        done = self._own("deposit", account_id)
        self.venue_engine.engine.deposit(account_id, amount_micro)
        self._record(account_id, Kind.DEPOSIT, done, amount_micro)
        return done

    def debit(self, account_id: str, amount_micro: int) -> Transaction | Rejection:
        """Withdraw play dollars; orders that relied on them are cancelled."""
        refusal = self.venue_engine.engine.withdraw(account_id, amount_micro, self.venue_engine.now_ms)
        if refusal is not None:
            return refusal
        done = self._own("withdrawal", account_id)
        self._record(account_id, Kind.WITHDRAWAL, done, amount_micro)
        self.venue_engine.advance()
        return done

    def first_hash(self, account_id: str) -> str:
        """The hash of the deposit with which a wallet of the seed begins."""
        return self._hash(f"beginning/{account_id}")

    def dump_state(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    def load_state(self, kept: bytes) -> None:
        self.state = msgspec.msgpack.decode(kept, type=ChainState)

    def relay(self, wallet: str, calls: Sequence[calldata.Call], counter: str) -> Relayed:
        """Apply a relayed batch of a wallet; one that reverts costs no nonce and is stored with its reason."""
        digits = self._hash(f"relayed/{len(self.state.relayed)}")[2:34]
        transaction_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        try:
            done = Relayed(transaction_id, self.perform(wallet, calls, counter).transaction_hash, "")
        except calldata.CallRefused as error:
            done = Relayed(transaction_id, "", str(error))
        self.state.relayed[transaction_id] = done
        return done

    def _own(self, label: str, account_id: str) -> Transaction:
        """A transaction of the exchange itself."""
        number = len(self.state.transactions)
        named = self._hash(f"{label}/{number}")
        done = Transaction(named, account_id, account_id, self.block + 1, self.venue_engine.now_ms)
        self.state.transactions[named] = done
        return done

    def _hash(self, label: str) -> str:
        return "0x" + hashlib.sha256(f"{self._world.seed}/chain/{label}".encode()).hexdigest()

    # What actions do

    def _do(self, sender: str, action: calldata.Action, done: Transaction) -> None:
        if isinstance(action, calldata.Approve):
            self.approvals.approve(sender, action.spender, action.amount)
        elif isinstance(action, calldata.ApproveAll):
            self.approvals.set_operator(sender, action.token, action.operator, action.approved)
        elif isinstance(action, calldata.TransferDollars):
            self._transfer(sender, action, done)
        elif isinstance(action, calldata.Redeem):
            self._redeem(sender, action, done)
        elif isinstance(action, calldata.Convert):
            self._convert(sender, action, done)
        else:
            self._change_sets(sender, action, done)

    def _transfer(self, sender: str, action: calldata.TransferDollars, done: Transaction) -> None:
        engine, amount_micro = self.venue_engine.engine, action.amount_micro
        _expect(engine.transfer(sender, action.recipient, COLLATERAL, amount_micro, self.venue_engine.now_ms))
        self._record(sender, Kind.WITHDRAWAL, done, amount_micro)
        self._record(action.recipient, Kind.DEPOSIT, done, amount_micro)

    def _change_sets(self, sender: str, action: calldata.Split | calldata.Merge, done: Transaction) -> None:
        engine, amount_micro, now_ms = self.venue_engine.engine, action.amount_micro, self.venue_engine.now_ms
        market = self.venue_engine.market_of(action.condition_id)
        if isinstance(action, calldata.Split):
            _expect(engine.split(sender, action.condition_id, amount_micro, now_ms))
            kind, sign = Kind.SPLIT, 1
        else:
            _expect(engine.merge(sender, action.condition_id, amount_micro, now_ms))
            kind, sign = Kind.MERGE, -1
        first, second = market.token_ids
        half_micro = amount_micro // 2
        shares = [(first, sign * amount_micro, half_micro), (second, sign * amount_micro, amount_micro - half_micro)]
        self._record(sender, kind, done, amount_micro, action.condition_id, size_micro=amount_micro, shares=shares)

    def _redeem(self, sender: str, action: calldata.Redeem, done: Transaction) -> None:
        """Redeem whole balances, with a row for each outcome that was held; nothing held pays nothing (assumed)."""
        market = self.venue_engine.market_of(action.condition_id)
        held = {token_id: balance_of(self.venue_engine, sender, token_id) for token_id in market.token_ids}
        if not any(held.values()):
            return
        paid = self.venue_engine.engine.redeem(sender, action.condition_id, self.venue_engine.now_ms)
        assert isinstance(paid, int)
        for token_id, payout_micro in zip(market.token_ids, market.payouts_micro, strict=True):
            size_micro = held[token_id]
            if size_micro:
                usdc_micro = size_micro * payout_micro // MICRO
                shares = [(token_id, -size_micro, usdc_micro)]
                of = action.condition_id
                self._record(sender, Kind.REDEEM, done, usdc_micro, of, token_id, size_micro=size_micro, shares=shares)

    def _convert(self, sender: str, action: calldata.Convert, done: Transaction) -> None:
        event, chosen = conversion(self._world.register.events, action)
        assert event is not None and chosen
        amount_micro = action.amount_micro
        chosen_ids = [market.condition_id for market in chosen]
        engine, now_ms = self.venue_engine.engine, self.venue_engine.now_ms
        _expect(engine.convert(sender, action.market_id, chosen_ids, amount_micro, now_ms))
        shares = [(market.token_ids[1], -amount_micro, 0) for market in chosen]
        shares += [(market.token_ids[0], amount_micro, 0) for market in event.markets if market not in chosen]
        usdc_micro = (len(chosen) - 1) * amount_micro
        self._record(
            sender, Kind.CONVERSION, done, usdc_micro, action.market_id, size_micro=amount_micro, shares=shares
        )

    def _record(
        self,
        account_id: str,
        kind: Kind,
        done: Transaction,
        usdc_micro: int,
        condition_id: str = "",
        token_id: str = "",
        *,
        size_micro: int = 0,
        shares: list[tuple[str, int, int]] | None = None,
    ) -> None:
        when_ms, named = done.time_ms, done.transaction_hash
        self._records.add(
            Record(
                account_id, kind, when_ms, named, usdc_micro, size_micro, condition_id, token_id, shares=shares or []
            )
        )


def _expect(refusal: Rejection | None) -> None:
    """What was tried out a moment ago goes through."""
    assert refusal is None, refusal
