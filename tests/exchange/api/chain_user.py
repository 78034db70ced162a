"""A user with a key of its own who sends calls to the practice chain over JSON-RPC, signed by another library than ours."""

from __future__ import annotations

import json
from typing import Any

from eth_account import Account

from polymarket_kit.signing.contracts import ADAPTERS, DOLLARS
from polymarket_kit.signing.eip712 import address_word, bytes32, uint256
from practice_exchange.chain import calldata
from practice_exchange.world.state import MarketState

from .trading_user import Venue

BOTH_OUTCOMES = (uint256(2), uint256(1), uint256(2))


class ChainUser(Venue):
    """A ``Venue`` whose wallet is its key's own address."""

    def call(self, method: str, *params: object) -> Any:
        """One JSON-RPC request: the whole answer."""
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
        answer = self.exchange.handle("POST", "/rpc", "", json.dumps(request).encode())
        assert answer.status == 200
        return json.loads(answer.body)

    def result(self, method: str, *params: object) -> Any:
        answer = self.call(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def sign(self, to: str, data: bytes, **changes: Any) -> str:
        nonce = int(self.result("eth_getTransactionCount", self.wallet.address, "pending"), 16)
        made = {"to": to, "data": data, "value": 0, "gas": 200_000, "gasPrice": 10**9, "nonce": nonce, "chainId": 137}
        signed = Account.from_key(self.wallet.private_key).sign_transaction(made | changes)
        return f"0x{signed.raw_transaction.hex()}"

    def transact(self, to: str, data: bytes, **changes: Any) -> Any:
        return self.call("eth_sendRawTransaction", self.sign(to, data, **changes))

    def split(self, market: MarketState, amount_micro: int) -> Any:
        return self.transact(ADAPTERS[market.negative_risk], split_data(market.condition_id, amount_micro))

    def merge(self, market: MarketState, amount_micro: int) -> Any:
        data = split_data(market.condition_id, amount_micro, calldata.MERGE)
        return self.transact(ADAPTERS[market.negative_risk], data)

    def redeem(self, market: MarketState) -> Any:
        return self.transact(ADAPTERS[market.negative_risk], redeem_data(market.condition_id))

    def ask(self, path: str, query: str = "") -> tuple[int, Any]:
        """A path of the Data API."""
        answer = self.exchange.handle("GET", f"/data{path}", query)
        return answer.status, json.loads(answer.body)

    def told(self, path: str, query: str = "") -> Any:
        """What the Data API tells of this user."""
        status, body = self.ask(path, f"user={self.wallet.funder}&{query}")
        assert status == 200, body
        return body

    def control(self, name: str, **content: object) -> tuple[int, Any]:
        answer = self.exchange.handle("POST", f"/practice/{name}", "", json.dumps(content).encode())
        return answer.status, json.loads(answer.body)

    def pass_time(self, seconds: float) -> None:
        assert self.control("advance", seconds=seconds)[0] == 200
        self.trading.advance()


def split_data(condition_id: str, amount_micro: int, function: bytes = calldata.SPLIT) -> bytes:
    words = (address_word(DOLLARS), bytes(32), bytes32(condition_id), uint256(160), uint256(amount_micro))
    return function + b"".join((*words, *BOTH_OUTCOMES))


def redeem_data(condition_id: str) -> bytes:
    words = (address_word(DOLLARS), bytes(32), bytes32(condition_id), uint256(128))
    return calldata.REDEEM + b"".join((*words, *BOTH_OUTCOMES))


def pair_data(function: bytes, address: str, number: int) -> bytes:
    """An approval, a transfer, or an operator."""
    return function + address_word(address) + uint256(number)
