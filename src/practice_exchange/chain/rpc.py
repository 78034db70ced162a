"""The chain's JSON-RPC, limited to what the venue's official clients call; other methods are refused by name."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from polymarket_kit.signing.contracts import DOLLARS, SHARE_CONTRACTS
from polymarket_kit.signing.eip712 import checksum_address
from polymarket_kit.signing.wallets import PROXY_FACTORY, proxy_wallet
from practice_exchange.chain import calldata
from practice_exchange.chain.calldata import (
    Call,
    CallRefused,
    MalformedData,
    Words,
    number_answer,
    numbers_answer,
    proxy_calls,
)
from practice_exchange.chain.ledger import GAS, GAS_PRICE_WEI, Chain, Transaction
from practice_exchange.chain.raw_transaction import TransactionRefused, read_transaction
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.timestamps import SECOND_MS

BATCH_MAX = 200
REVERTED, FAILED, NO_METHOD, BAD_PARAMS, NO_REQUEST, NO_JSON = 3, -32_000, -32_601, -32_602, -32_600, -32_700


class _Request(msgspec.Struct):
    method: str
    params: list[object] = []
    id: int | str | None = None


class _CallParams(msgspec.Struct):
    to: str
    data: str = "0x"
    sender: str = msgspec.field(name="from", default="0x" + "00" * 20)
    value: str = "0x0"


class RpcRefused(Exception):
    """A request that JSON-RPC answers with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class RpcSide:
    """Answers ``POST /rpc``: one request or a batch of them, always with status 200, as JSON-RPC has it."""

    def __init__(self, chain: Chain, chain_id: int) -> None:
        self._chain = chain
        self._chain_id = chain_id
        self._methods: dict[str, Callable[[list[object]], object]] = {
            "eth_chainId": lambda params: hex(chain_id),
            "eth_gasPrice": lambda params: hex(GAS_PRICE_WEI),
            "eth_getBlockByNumber": self._block,
            "eth_getTransactionCount": self._count,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionReceipt": self._receipt,
        }

    def answer(self, request: Request) -> Answer:
        """The chain's JSON-RPC."""
        try:
            given = msgspec.json.decode(request.body)
        except (msgspec.MsgspecError, RecursionError):
            return json_answer(_error(None, NO_JSON, "the body is not JSON"))
        if not isinstance(given, list):
            return json_answer(self._one(given))
        if not 0 < len(given) <= BATCH_MAX:
            return json_answer(_error(None, NO_REQUEST, f"a batch has between 1 and {BATCH_MAX} requests"))
        return json_answer([self._one(each) for each in given])

    def _one(self, given: object) -> dict[str, object]:
        try:
            request = msgspec.convert(given, _Request)
        except msgspec.ValidationError as error:
            return _error(None, NO_REQUEST, f"not a JSON-RPC request: {error}")
        route = self._methods.get(request.method)
        if route is None:
            text = f"the method {request.method} does not exist/is not available on the practice chain"
            return _error(request.id, NO_METHOD, text)
        try:
            return {"jsonrpc": "2.0", "id": request.id, "result": route(request.params)}
        except RpcRefused as error:
            return _error(request.id, error.code, str(error))

    # Methods

    def _block(self, params: list[object]) -> object:
        if params[:1] != ["latest"]:
            raise RpcRefused(BAD_PARAMS, "eth_getBlockByNumber knows the latest block only")
        return {"number": hex(self._chain.block), "timestamp": hex(self._chain.venue_engine.now_ms // SECOND_MS)}

    def _count(self, params: list[object]) -> object:
        return hex(self._chain.nonce(eoa_counter(_address(params))))

    def _call(self, params: list[object]) -> object:
        asked, data = _read_call(params)
        target, function = asked.to.lower(), data[:4]
        words = Words(data, 4)
        try:
            if target == DOLLARS.lower() and function == calldata.ALLOWANCE:
                return number_answer(self._chain.approvals.allowance(words.address(0), words.address(1)))
            if target in SHARE_CONTRACTS and function == calldata.IS_APPROVED:
                return number_answer(self._chain.approvals.is_operator(words.address(0), target, words.address(1)))
            if target in SHARE_CONTRACTS and function == calldata.BALANCE:
                return number_answer(self._chain.balance(words.address(0), str(words.number(1))))
            if target in SHARE_CONTRACTS and function == calldata.BALANCES:
                return numbers_answer(self._balances(words))
        except MalformedData as error:
            raise RpcRefused(REVERTED, f"execution reverted: {error}") from error
        raise RpcRefused(REVERTED, f"execution reverted: {asked.to} has no function 0x{function.hex()} to read here")

    def _balances(self, words: Words) -> list[int]:
        owners, token_ids = words.addresses(0), words.numbers(1)
        if len(owners) != len(token_ids):
            raise MalformedData("ERC1155: owners and IDs must have same lengths")
        return [self._chain.balance(owner, str(token)) for owner, token in zip(owners, token_ids, strict=True)]

    def _estimate(self, params: list[object]) -> object:
        """Try the call out: a proxy's owner asks about the factory's call, which its proxy would make."""
        asked, data = _read_call(params)
        try:
            sender = checksum_address(asked.sender)
            if asked.to.lower() == PROXY_FACTORY.lower():
                self._chain.attempt(proxy_wallet(sender), proxy_calls(data))
            else:
                self._chain.attempt(sender, [Call(asked.to, data, int(asked.value, 16))])
        except CallRefused as error:
            raise _reverted(error) from error
        except ValueError as error:
            raise RpcRefused(BAD_PARAMS, f"invalid call: {error}") from error
        return hex(GAS)

    def _send(self, params: list[object]) -> object:
        if not params or not isinstance(params[0], str):
            raise RpcRefused(BAD_PARAMS, "eth_sendRawTransaction wants the hex of a signed transaction")
        try:
            raw = read_transaction(params[0], self._chain_id)
        except TransactionRefused as error:
            raise RpcRefused(FAILED, str(error)) from error
        if raw.transaction_hash in self._chain.state.transactions:
            raise RpcRefused(FAILED, "already known")
        counter = eoa_counter(raw.sender)
        expected = self._chain.nonce(counter)
        if raw.nonce != expected:
            what = "nonce too low" if raw.nonce < expected else "nonce too high"
            raise RpcRefused(FAILED, f"{what}: next nonce {expected}, tx nonce {raw.nonce}")
        try:
            self._chain.perform(raw.sender, [raw.call], counter, raw.transaction_hash)
        except CallRefused as error:
            raise _reverted(error) from error
        return raw.transaction_hash

    def _receipt(self, params: list[object]) -> object:
        if not params or not isinstance(params[0], str):
            raise RpcRefused(BAD_PARAMS, "eth_getTransactionReceipt wants a transaction's hash")
        done = self._chain.state.transactions.get(params[0].lower())
        return None if done is None else _receipt(done)


def eoa_counter(address: str) -> str:
    """The name of the nonce of an account with a key of its own."""
    return f"eoa:{address.lower()}"


def _receipt(done: Transaction) -> dict[str, object]:
    return {
        "transactionHash": done.transaction_hash,
        "blockNumber": hex(done.block),
        "from": done.sender,
        "to": done.target,
        "gasUsed": hex(GAS),
        "effectiveGasPrice": hex(GAS_PRICE_WEI),
        "status": "0x1",
        "logs": [],
    }


def _address(params: list[object]) -> str:
    try:
        return checksum_address(str(params[0]))
    except (IndexError, ValueError) as error:
        raise RpcRefused(BAD_PARAMS, "expected an address: 0x and 40 hexadecimal digits") from error


def _read_call(params: list[object]) -> tuple[_CallParams, bytes]:
    try:
        asked = msgspec.convert(params[0], _CallParams)
        return asked, bytes.fromhex(asked.data.removeprefix("0x"))
    except (IndexError, ValueError, msgspec.ValidationError) as error:
        raise RpcRefused(BAD_PARAMS, f"expected a call with to and data: {error}") from error


def _reverted(error: CallRefused) -> RpcRefused:
    text = str(error)
    return RpcRefused(REVERTED, text if text.startswith("execution reverted") else f"execution reverted: {text}")


def _error(request_id: int | str | None, code: int, message: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
