"""The relayer: submits batches of Safes, proxies and deposit wallets once their owner has signed them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from polymarket_kit.signing import wallets
from polymarket_kit.signing.contracts import RELAY_HUB, SAFE_MULTISEND
from polymarket_kit.signing.eip712 import SignatureInvalid, checksum_address, recover_address, signature_bytes
from polymarket_kit.signing.order_signing import SignatureType
from practice_exchange.chain.calldata import Call, CallRefused, multisend_calls, proxy_calls
from practice_exchange.chain.keys import RelayerKeys
from practice_exchange.chain.ledger import Chain, Relayed
from practice_exchange.chain.wallet_signatures import batch_digest, proxy_digest, safe_digest, safe_signer
from practice_exchange.web.responses import Answer, clob_invalid, clob_missing, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.timestamps import SECOND_MS

INVALID_PAYLOAD = "invalid transaction request payload"
METADATA_MAX = 500
_PLAIN, _DELEGATED = "0", "1"


class _Call(msgspec.Struct):
    target: str
    value: str
    data: str


class _WalletParams(msgspec.Struct):
    wallet: str = msgspec.field(name="depositWallet")
    deadline: str
    calls: list[_Call]


class _SignatureParams(msgspec.Struct):
    operation: str = _PLAIN
    gas_limit: str = msgspec.field(name="gasLimit", default="0")
    relay: str = ""
    relay_hub: str = msgspec.field(name="relayHub", default="")


class _Submitted(msgspec.Struct):
    """The body of ``POST /submit`` for every type; what a type does not have stays empty."""

    type: str
    owner: str = msgspec.field(name="from")
    to: str = ""
    wallet: str = msgspec.field(name="proxyWallet", default="")
    data: str = "0x"
    value: str = "0"
    nonce: str = "0"
    signature: str = "0x"
    metadata: str = ""
    params: _SignatureParams = msgspec.field(name="signatureParams", default_factory=_SignatureParams)
    wallet_params: _WalletParams | None = msgspec.field(name="depositWalletParams", default=None)


class Batch(NamedTuple):
    """Calls that a wallet's owner has signed, and the nonce that they use up."""

    wallet: str
    calls: list[Call]
    counter: str


class Relayer:
    """Handlers of the relayer. They raise WireError. ``is_known`` says whether an address has been a wallet here all along."""

    def __init__(
        self, chain: Chain, keys: RelayerKeys, seed: int, chain_id: int, is_known: Callable[[str], bool]
    ) -> None:
        self._chain = chain
        self._keys = keys
        self._chain_id = chain_id
        self._is_known = is_known
        # The address that pays for transactions, which a proxy's owner names in the signature.
        self._relay = checksum_address(hashlib.sha256(f"prescient practice/{seed}/relay".encode()).digest()[:20])

    def deployed(self, request: Request) -> Answer:
        """Whether a wallet exists."""
        return json_answer({"deployed": self._is_deployed(_address(request))})

    def nonce(self, request: Request) -> Answer:
        """The next nonce of a wallet, which its owner signs."""
        nonce = self._chain.nonce(self._counter(_address(request), request.query.text("type")))
        return json_answer({"address": self._relay, "nonce": str(nonce)})

    def transaction(self, request: Request) -> Answer:
        """What became of a transaction."""
        done = self._chain.state.relayed.get(request.name)
        if done is None:
            raise clob_missing("transaction not found")
        return json_answer(_transaction_row(done))

    def submit(self, request: Request) -> Answer:
        """Send a wallet's signed batch."""
        self._keys.check(request)
        return self._submit(request.body)

    def _is_deployed(self, wallet: str) -> bool:
        return wallet.lower() in self._chain.state.wallets or self._is_known(wallet)

    def _counter(self, owner: str, kind: str) -> str:
        if kind == "SAFE":
            return f"safe:{wallets.safe_wallet(owner).lower()}"
        if kind == "PROXY":
            return f"proxy:{wallets.proxy_wallet(owner).lower()}"
        if kind != "WALLET":
            raise clob_invalid("invalid type")
        older = wallets.upgradeable_deposit_wallet(owner)
        return f"wallet:{(older if self._is_deployed(older) else wallets.deposit_wallet(owner)).lower()}"

    # Submitting

    def _submit(self, body: bytes) -> Answer:
        try:
            given = msgspec.json.decode(body, type=_Submitted)
            owner = checksum_address(given.owner)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise clob_invalid(INVALID_PAYLOAD) from error
        if len(given.metadata) > METADATA_MAX:
            raise clob_invalid(f"metadata is longer than {METADATA_MAX} characters")
        if given.type == "WALLET-CREATE":
            return _taken(self._create(owner))
        try:
            batch = self._read(given, owner)
        except (SignatureInvalid, CallRefused) as error:
            raise clob_invalid(str(error)) from error
        except ValueError as error:
            raise clob_invalid(INVALID_PAYLOAD) from error
        if not self._is_deployed(batch.wallet):
            raise clob_invalid(f"wallet {batch.wallet} is not deployed")
        return _taken(self._chain.relay(batch.wallet, batch.calls, batch.counter))

    def _create(self, owner: str) -> Relayed:
        wallet = wallets.deposit_wallet(owner)
        if self._is_deployed(wallet):
            raise clob_invalid(f"wallet {wallet} is already deployed")
        done = self._chain.relay(wallet, [], f"create:{wallet.lower()}")
        self._chain.state.wallets.add(wallet.lower())
        return done

    def _read(self, given: _Submitted, owner: str) -> Batch:
        """What was signed, once the signature is the owner's. Raises ValueError, SignatureInvalid, CallRefused, WireError."""
        if given.type == "SAFE":
            return self._read_safe(given, owner)
        if given.type == "PROXY":
            return self._read_proxy(given, owner)
        if given.type == "WALLET":
            return self._read_wallet(given, owner)
        raise clob_invalid("invalid type")

    def _read_safe(self, given: _Submitted, owner: str) -> Batch:
        safe, nonce = checksum_address(given.wallet), _whole(given.nonce)
        if safe != wallets.safe_wallet(owner):
            raise clob_invalid(f"{owner} does not own the Safe {safe}")
        counter = f"safe:{safe.lower()}"
        self._check_nonce("Safe nonce", nonce, counter)
        call = Call(checksum_address(given.to), _hex(given.data), _whole(given.value))
        operation = given.params.operation
        if operation not in (_PLAIN, _DELEGATED):
            raise ValueError("a Safe calls or delegates")
        digest = safe_digest(safe, call, int(operation), nonce, self._chain_id)
        if safe_signer(digest, signature_bytes(given.signature)) != owner:
            raise SignatureInvalid("invalid signature")
        if operation == _PLAIN:
            return Batch(safe, [call], counter)
        if call.to.lower() != SAFE_MULTISEND.lower():
            raise clob_invalid("a Safe delegates to the multisend contract only")
        return Batch(safe, multisend_calls(call.data), counter)

    def _read_proxy(self, given: _Submitted, owner: str) -> Batch:
        proxy, nonce = checksum_address(given.wallet), _whole(given.nonce)
        if proxy != wallets.proxy_wallet(owner):
            raise clob_invalid(f"{owner} does not own the proxy {proxy}")
        counter = f"proxy:{proxy.lower()}"
        self._check_nonce("proxy nonce", nonce, counter)
        params, data = given.params, _hex(given.data)
        if checksum_address(given.to) != checksum_address(wallets.PROXY_FACTORY):
            raise clob_invalid("a proxy is called through its factory")
        if checksum_address(params.relay) != self._relay or checksum_address(params.relay_hub) != RELAY_HUB:
            raise clob_invalid("relay and relayHub are those of /relay-payload and of the venue")
        digest = proxy_digest(owner, given.to, data, _whole(params.gas_limit), nonce, RELAY_HUB, self._relay)
        if recover_address(digest, signature_bytes(given.signature)) != owner:
            raise SignatureInvalid("invalid signature")
        return Batch(proxy, proxy_calls(data), counter)

    def _read_wallet(self, given: _Submitted, owner: str) -> Batch:
        params = given.wallet_params
        if params is None or not params.calls:
            raise ValueError("a deposit wallet's batch has calls")
        wallet, nonce, deadline_s = checksum_address(params.wallet), _whole(given.nonce), _whole(params.deadline)
        if not wallets.owns_wallet(owner, wallet, SignatureType.DEPOSIT_WALLET):
            raise clob_invalid(f"{owner} does not own the deposit wallet {wallet}")
        counter = f"wallet:{wallet.lower()}"
        self._check_nonce("batch nonce", nonce, counter)
        if deadline_s * SECOND_MS < self._chain.venue_engine.now_ms:
            raise clob_invalid("batch deadline expired")
        calls = [Call(checksum_address(call.target), _hex(call.data), _whole(call.value)) for call in params.calls]
        digest = batch_digest(wallet, calls, nonce, deadline_s, self._chain_id)
        if recover_address(digest, signature_bytes(given.signature)) != owner:
            raise SignatureInvalid("invalid signature")
        return Batch(wallet, calls, counter)

    def _check_nonce(self, what: str, nonce: int, counter: str) -> None:
        """The text is the venue's for deposit wallets, which its client reads; assumed for the others."""
        expected = self._chain.nonce(counter)
        if nonce != expected:
            raise clob_invalid(f"{what} {nonce} does not match on-chain nonce {expected}")


def _taken(done: Relayed) -> Answer:
    return json_answer({"transactionID": done.transaction_id, "state": "STATE_NEW"})


def _transaction_row(done: Relayed) -> dict[str, str]:
    state = "STATE_FAILED" if done.error else "STATE_CONFIRMED"
    content = {"transaction_id": done.transaction_id, "transaction_hash": done.transaction_hash, "state": state}
    return content | ({"error_msg": done.error} if done.error else {})


def _address(request: Request) -> str:
    try:
        return checksum_address(request.query.text("address"))
    except ValueError as error:
        raise clob_invalid("invalid address") from error


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 78):
        raise ValueError("expected a whole number")
    return int(text)


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
