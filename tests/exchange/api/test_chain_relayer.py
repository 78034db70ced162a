"""The relayer of the practice exchange: who may use it, whose signatures it takes, and which batches it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account
from polymarket._internal.actions.relayer.auth import build_builder_key_headers
from polymarket._internal.actions.relayer.calls import TransactionCall, encode_proxy_call, encode_safe_multisend_call
from polymarket._internal.actions.relayer.signing.deposit_wallet import sign_deposit_wallet_batch
from polymarket._internal.actions.relayer.signing.proxy import build_proxy_transaction_hash, sign_proxy_message
from polymarket._internal.actions.relayer.signing.safe import sign_safe_transaction
from polymarket.auth import BuilderApiKey
from polymarket.types import EvmAddress, HexString

from polymarket_kit.signing.contracts import DOLLARS, RELAY_HUB, SAFE_MULTISEND, STANDARD_ADAPTER
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.wallets import PROXY_FACTORY, deposit_wallet, safe_wallet
from practice_exchange.app.chain_and_data_routes import ChainAndDataRoutes

from .chain_user import ChainUser, split_data
from .trading_user import MACHINE_S
from .trading_venue import wallet_of_type

TEN = 10_000_000
KINDS = {"safe": "SAFE", "proxy": "PROXY", "deposit_wallet": "WALLET"}
OTHER = Account.from_key("0x" + "77" * 32)
RELAYED = tuple(KINDS)


class RelayerUser(ChainUser):
    """Owner of a wallet that the relayer moves; batches are signed by the official client's own functions."""

    def __init__(self, wallet_type: str) -> None:
        super().__init__(wallet_type)
        self.kind = KINDS[wallet_type]
        self.signer = Account.from_key(self.wallet.private_key)
        self.deadline_s = self.world.now_ms // 1000 + 600

    @property
    def outside(self) -> ChainAndDataRoutes:
        assert self.exchange.chain_and_data is not None
        return self.exchange.chain_and_data

    @property
    def login(self) -> dict[str, str]:
        key = self.control("relayer-key", address=self.wallet.address)[1]["apiKey"]
        return {"relayer_api_key": key, "relayer_api_key_address": self.wallet.address}

    def relay(self, method: str, path: str, query: str = "", body: bytes = b"", **headers: str) -> tuple[int, Any]:
        answer = self.exchange.handle(method, f"/relayer{path}", query, body, headers)
        return answer.status, json.loads(answer.body)

    def submit(self, payload: object) -> tuple[int, Any]:
        return self.relay("POST", "/submit", body=json.dumps(payload).encode(), **self.login)

    def nonce(self) -> str:
        path = "/relay-payload" if self.kind == "PROXY" else "/v1/account/transactions/params"
        status, told = self.relay("GET", path, f"address={self.wallet.address}&type={self.kind}")
        assert status == 200
        self.relay_address = told["address"]
        return str(told["nonce"])

    def split_call(self) -> TransactionCall:
        data = f"0x{split_data(self.market.condition_id, TEN).hex()}"
        return TransactionCall(to=EvmAddress(STANDARD_ADAPTER), data=HexString(data))

    def payload(self, *calls: TransactionCall, signer: Any = None, **changes: Any) -> dict[str, Any]:
        """A signed batch of these calls (one split, if none are given), with fields changed after signing."""
        made = {"SAFE": self._safe, "PROXY": self._proxy, "WALLET": self._batch}[self.kind]
        body = {"type": self.kind, "from": self.wallet.address, "metadata": "a test"}
        return body | made(list(calls) or [self.split_call()], signer or self.signer) | changes

    def _safe(self, calls: list[TransactionCall], signer: Any) -> dict[str, Any]:
        nonce, several = self.nonce(), len(calls) > 1
        to, data = (SAFE_MULTISEND, encode_safe_multisend_call(calls)) if several else (calls[0].to, calls[0].data)
        signature = sign_safe_transaction(
            signer,
            safe_address=EvmAddress(self.wallet.funder),
            to=EvmAddress(to),
            data=data,
            value=0,
            operation=int(several),
            nonce=nonce,
            chain_id=137,
        )
        body = {"to": to, "proxyWallet": self.wallet.funder, "data": data, "nonce": nonce, "signature": signature}
        return body | {"signatureParams": {"operation": str(int(several)), "gasPrice": "0"}}

    def _proxy(self, calls: list[TransactionCall], signer: Any) -> dict[str, Any]:
        nonce, data = self.nonce(), encode_proxy_call(calls)
        digest = build_proxy_transaction_hash(
            from_address=EvmAddress(self.wallet.address),
            to=EvmAddress(PROXY_FACTORY),
            data=data,
            relayer_fee="0",
            gas_price="0",
            gas_limit="200000",
            nonce=nonce,
            relay_hub=EvmAddress(RELAY_HUB),
            relay=self.relay_address,
        )
        params = {"gasLimit": "200000", "gasPrice": "0", "relay": self.relay_address, "relayHub": RELAY_HUB}
        body = {"to": PROXY_FACTORY, "proxyWallet": self.wallet.funder, "data": data, "nonce": nonce}
        return body | {"signature": sign_proxy_message(signer, digest), "signatureParams": params}

    def _batch(self, calls: list[TransactionCall], signer: Any) -> dict[str, Any]:
        nonce, wallet, deadline = self.nonce(), self.wallet.funder, str(self.deadline_s)
        signature = sign_deposit_wallet_batch(
            signer, wallet=EvmAddress(wallet), calls=calls, nonce=nonce, deadline=deadline, chain_id=137
        )
        told = [{"target": call.to, "value": "0", "data": call.data} for call in calls]
        params = {"depositWallet": wallet, "deadline": deadline, "calls": told}
        return {"to": wallet, "nonce": nonce, "signature": signature, "depositWalletParams": params}


@pytest.mark.parametrize("wallet_type", RELAYED)
def test_a_batch_goes_through_once(wallet_type: str) -> None:
    user = RelayerUser(wallet_type)
    payload = user.payload(user.split_call(), user.split_call())
    status, taken = user.submit(payload)
    assert status == 200 and taken["state"] == "STATE_NEW"
    status, told = user.relay("GET", f"/v1/account/transactions/{taken['transactionID']}")
    assert status == 200 and told["state"] == "STATE_CONFIRMED"
    assert user.result("eth_getTransactionReceipt", told["transaction_hash"])["status"] == "0x1"
    assert user.told("/positions")[0]["size"] == 20
    status, again = user.submit(payload)
    assert status == 400 and "nonce 0 does not match on-chain nonce 1" in again["error"]
    assert user.nonce() == "1" and user.told("/positions")[0]["size"] == 20


@pytest.mark.fidelity(
    "A stale batch of a deposit wallet is refused with both nonces, from which the client signs anew",
    area="Chain and relayer",
    evidence="official client",
    source="polymarket-client 0.14.0: its pattern for nonce errors",
)
def test_the_text_of_a_stale_nonce() -> None:
    user = RelayerUser("deposit_wallet")
    status, told = user.submit(user.payload(nonce="4"))
    assert (status, told["error"]) == (400, "batch nonce 4 does not match on-chain nonce 0")


@pytest.mark.fidelity(
    "Only the owner's signature of exactly this batch moves a wallet",
    area="Chain and relayer",
    evidence="official client",
    source="polymarket-client 0.14.0: its signing functions",
)
@pytest.mark.parametrize("wallet_type", RELAYED)
def test_signatures_are_checked(wallet_type: str) -> None:
    user = RelayerUser(wallet_type)
    assert user.submit(user.payload(signer=OTHER)) == (400, {"error": "invalid signature"})
    good = user.payload()
    bad = "0x" + "00" * 65
    for signature in (bad, "0x", "none", good["signature"][:-2], good["signature"][:-2] + "07"):
        assert user.submit(good | {"signature": signature})[0] == 400, signature
    foreign = good | {"from": OTHER.address}
    assert "does not own" in user.submit(foreign)[1]["error"]
    if wallet_type == "deposit_wallet":
        params = good["depositWalletParams"]
        changed = [good | {"depositWalletParams": params | {"deadline": str(user.deadline_s + 1)}}]
        changed.append(good | {"depositWalletParams": params | {"calls": [*params["calls"], *params["calls"]]}})
    else:
        changed = [good | {"data": good["data"][:-1] + ("0" if good["data"][-1] != "0" else "1")}]
        changed.append(good | {"signatureParams": good["signatureParams"] | {"gasLimit": "1", "operation": "1"}})
    for payload in changed:
        status, told = user.submit(payload)
        assert (status, told["error"]) == (400, "invalid signature")
    assert user.told("/activity") == [] and user.nonce() == "0"
    assert user.submit(good)[0] == 200


@pytest.mark.parametrize("wallet_type", RELAYED)
def test_nonsense_is_refused(wallet_type: str) -> None:
    user = RelayerUser(wallet_type)
    good = user.payload()
    bodies: list[object] = [None, [], {}, "x", good | {"type": "SAFE-CREATE"}, good | {"nonce": "-1"}]
    bodies += [good | {"from": "0x12"}, good | {"metadata": "x" * 501}, good | {"nonce": 7}]
    if wallet_type == "deposit_wallet":
        bodies += [good | {"depositWalletParams": None}, good | {"depositWalletParams": {"calls": []}}]
    else:
        bodies += [good | {"proxyWallet": "x"}, good | {"data": "0xz"}, good | {"to": "x"}]
    for body in bodies:
        status, told = user.submit(body)
        assert status == 400 and told["error"], body
    for raw in (b"", b"{", b"\xff", b"[" * 100_000):
        assert user.relay("POST", "/submit", body=raw, **user.login)[0] == 400
    assert user.nonce() == "0"


def test_a_batch_has_a_deadline() -> None:
    user = RelayerUser("deposit_wallet")
    late = user.payload()
    user.pass_time(601)
    assert user.submit(late) == (400, {"error": "batch deadline expired"})


def test_a_safe_delegates_to_the_multisend_contract_alone() -> None:
    user = RelayerUser("safe")
    data, nonce = user.split_call().data, user.nonce()
    signature = sign_safe_transaction(
        user.signer,
        safe_address=EvmAddress(user.wallet.funder),
        to=EvmAddress(STANDARD_ADAPTER),
        data=data,
        value=0,
        operation=1,
        nonce=nonce,
        chain_id=137,
    )
    body = {"to": STANDARD_ADAPTER, "data": data, "signature": signature, "signatureParams": {"operation": "1"}}
    status, told = user.submit(user.payload() | body)
    assert status == 400 and "multisend" in told["error"]


@pytest.mark.parametrize("wallet_type", RELAYED)
def test_a_batch_that_reverts_fails_whole(wallet_type: str) -> None:
    user = RelayerUser(wallet_type)
    impossible = TransactionCall(to=EvmAddress(DOLLARS), data=HexString("0xdeadbeef"))
    status, taken = user.submit(user.payload(user.split_call(), impossible))
    assert status == 200
    told = user.relay("GET", f"/v1/account/transactions/{taken['transactionID']}")[1]
    assert told["state"] == "STATE_FAILED" and "has no function 0xdeadbeef" in told["error_msg"]
    assert told["transaction_hash"] == "" and user.told("/activity") == [] and user.nonce() == "0"


@pytest.mark.fidelity(
    "Submitting needs a relayer's key with its address, or a builder's key that signed the request",
    area="Chain and relayer",
    evidence="specification",
    source="relayer-openapi: POST /submit",
)
def test_who_may_submit() -> None:
    user = RelayerUser("safe")
    body = json.dumps(user.payload()).encode()
    builder = user.send("POST", "/auth/builder-api-key")[1]
    assert user.send("GET", "/auth/builder-api-key")[1] == [builder["key"]]
    key = BuilderApiKey(**builder)
    signed = build_builder_key_headers(creds=key, method="POST", path="/submit", body=body.decode())
    small = {name.lower(): value for name, value in signed.items()}
    # The client signs with this machine's time, the test's exchange has another: so it is too old here.
    refused = (401, {"error": "invalid authorization"})
    assert user.relay("POST", "/submit", body=body, **small) == refused
    user.machine_s = float(small["poly_builder_timestamp"])
    wrong = [{}, user.login | {"relayer_api_key": "x"}, user.login | {"relayer_api_key_address": OTHER.address}]
    wrong += [user.login | {"relayer_api_key_address": "x"}, small | {"poly_builder_passphrase": "x"}]
    wrong += [small | {"poly_builder_timestamp": str(MACHINE_S)}, small | {"poly_builder_api_key": "x"}]
    for headers in wrong:
        assert user.relay("POST", "/submit", body=body, **headers) == refused
    assert user.relay("POST", "/submit", body=body + b" ", **small) == refused
    assert user.relay("POST", "/submit", body=body, **small)[0] == 200


@pytest.mark.fidelity(
    "The relayer tells which wallets are deployed, and deploys a deposit wallet once",
    area="Chain and relayer",
    evidence="official client",
    source="polymarket-client 0.14.0: GET /deployed, WALLET-CREATE",
)
def test_wallets_are_deployed_once() -> None:
    user = RelayerUser("deposit_wallet")
    for kind in ("eoa", "proxy", "safe", "deposit_wallet"):
        funder = wallet_of_type(user.trading, kind).funder
        assert user.relay("GET", "/deployed", f"address={funder.lower()}") == (200, {"deployed": True})
    wallet = deposit_wallet(OTHER.address)
    asked = f"address={wallet}&type=WALLET"
    assert user.relay("GET", "/deployed", asked) == (200, {"deployed": False})
    create = {"type": "WALLET-CREATE", "from": OTHER.address, "to": wallet, "metadata": ""}
    status, taken = user.submit(create)
    assert status == 200 and taken["state"] == "STATE_NEW"
    assert user.relay("GET", "/deployed", asked) == (200, {"deployed": True})
    status, again = user.submit(create)
    assert status == 400 and "already deployed" in again["error"]


def test_a_wallet_that_is_not_there_does_nothing() -> None:
    user = RelayerUser("safe")
    key = SigningKey(bytes(OTHER.key))
    user.wallet = type(user.wallet)(f"0x{bytes(OTHER.key).hex()}", key.address, safe_wallet(key.address), "safe", 2)
    user.signer = OTHER
    status, told = user.submit(user.payload())
    assert status == 400 and "is not deployed" in told["error"]


def test_what_the_relayer_does_not_know() -> None:
    user = RelayerUser("safe")
    for query in ("", "address=x", "address="):
        assert user.relay("GET", "/deployed", query) == (400, {"error": "invalid address"})
    params = "/v1/account/transactions/params"
    assert user.relay("GET", params, f"address={OTHER.address}&type=EOA") == (400, {"error": "invalid type"})
    assert user.relay("GET", "/v1/account/transactions/7") == (404, {"error": "transaction not found"})
    assert user.relay("GET", "/nonce")[0] == user.relay("DELETE", "/submit")[0] == 404
