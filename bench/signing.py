"""How many orders a second are hashed, signed and verified, beside the venue's two official Python clients in the same run.

Run `python bench/signing.py`. Prints operations per second of one core's time and the ratio to each official client.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.backends import get_backend_class
from eth_utils.crypto import keccak
from msgspec.structs import replace
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket._internal.hmac import build_hmac_signature as second_hmac
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils import Side as ClientSide
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderV2
from py_clob_client_v2.order_utils.model.signature_type_v2 import SignatureTypeV2
from py_clob_client_v2.signer import Signer
from py_clob_client_v2.signing.hmac import build_hmac_signature as first_hmac

from polymarket_kit.messages.orders import PostedOrder, decode_order, encode_order
from polymarket_kit.model import Side
from polymarket_kit.signing.auth import l2_signature
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import (
    STANDARD_EXCHANGE,
    ContractOrder,
    SignatureType,
    order_id,
    recover_order_signer,
    sign_order,
    verify_order,
)

# A key of this bench alone; it owns nothing.
PRIVATE_KEY = f"0x{keccak(b'signing bench').hex()}"
TOKEN_ID = 71321045679252212594626385532706912750332728571942532289631379312455583992563
SECONDS = 0.7
ROUNDS = 3
SECRET = "A" * 43 + "="
CONTRACT = STANDARD_EXCHANGE

Operation = Callable[[int], object]
ACCOUNT = Account.from_key(PRIVATE_KEY)
KEY = SigningKey(PRIVATE_KEY)
PLAIN = ContractOrder(
    479249096354,
    KEY.address,
    KEY.address,
    TOKEN_ID,
    5_200_000,
    10_000_000,
    Side.BUY,
    SignatureType.EOA,
    1_777_824_065_000,
)
WALLET = "0x1111111111111111111111111111111111111111"
WRAPPED = replace(PLAIN, maker=WALLET, signer=WALLET, signature_type=SignatureType.DEPOSIT_WALLET)
BUILDER = ExchangeOrderBuilderV2(CONTRACT.address, CONTRACT.chain_id, Signer(PRIVATE_KEY, CONTRACT.chain_id))


def salted(order: ContractOrder, number: int) -> ContractOrder:
    """Every order another one, so that nothing is answered from memory."""
    return replace(order, salt=number)


def first_typed(order: ContractOrder, number: int) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "salt": str(number),
        "maker": order.maker,
        "signer": order.signer,
        "tokenId": str(order.token_id),
        "makerAmount": str(order.maker_amount_micro),
        "takerAmount": str(order.taker_amount_micro),
        "side": ClientSide.BUY,
        "signatureType": SignatureTypeV2(int(order.signature_type)),
        "timestamp": str(order.timestamp_ms),
        "metadata": order.metadata,
        "builder": order.builder,
    }
    typed: dict[str, Any] = BUILDER.build_order_typed_data(OrderV2(**fields))
    return typed


def second_unsigned(order: ContractOrder, number: int) -> UnsignedOrder:
    fields: dict[str, Any] = {
        "chain_id": CONTRACT.chain_id,
        "builder": order.builder,
        "exchange_address": CONTRACT.address,
        "expiration": 0,
        "maker": order.maker,
        "maker_amount": order.maker_amount_micro,
        "metadata": order.metadata,
        "order_type": "GTC",
        "salt": number,
        "side": "BUY",
        "signature_type": int(order.signature_type),
        "signer": order.signer,
        "taker_amount": order.taker_amount_micro,
        "timestamp": order.timestamp_ms,
        "token_id": str(order.token_id),
    }
    return UnsignedOrder(**fields)


def second_digest(number: int) -> str:
    message = encode_typed_data(full_message=build_order_typed_data(second_unsigned(PLAIN, number)))
    digest = keccak(b"\x19" + message.version + message.header + message.body)
    return f"0x{digest.hex()}"


def second_sign(order: ContractOrder, number: int) -> str:
    unsigned = second_unsigned(order, number)
    signed: Any = f"0x{ACCOUNT.sign_typed_data(full_message=build_order_typed_data(unsigned)).signature.hex()}"
    return str(build_order_signature(unsigned, signed))


def first_recover(signature: str, number: int) -> str:
    message = encode_typed_data(full_message=first_typed(PLAIN, number))
    return str(Account.recover_message(message, signature=signature))


def rate(operation: Operation) -> float:
    """Operations per second of this process's own time: the best of a few rounds, the others were disturbed."""
    operation(0)
    best, number = 0.0, 0
    for _ in range(ROUNDS):
        count, start = 0, process_time()
        while (spent := process_time() - start) < SECONDS / ROUNDS:
            number += 1
            count += 1
            operation(number)
        best = max(best, count / spent)
    return best


def contests() -> list[tuple[str, Operation, Operation | None, Operation | None]]:
    """Name, ours, the first official client's, the second's."""
    plain, wrapped = sign_order(PLAIN, CONTRACT, KEY), sign_order(WRAPPED, CONTRACT, KEY)
    posted = PostedOrder(PLAIN, plain, "f4f247b7-4ac7-ff29-a152-04fda0a8755a")
    body = encode_order(posted)
    text = body.decode()
    return [
        (
            "order id",
            lambda number: order_id(salted(PLAIN, number), CONTRACT),
            lambda number: BUILDER.build_order_hash(first_typed(PLAIN, number)),
            second_digest,
        ),
        (
            "sign, plain",
            lambda number: sign_order(salted(PLAIN, number), CONTRACT, KEY),
            lambda number: BUILDER.build_order_signature(first_typed(PLAIN, number)),
            lambda number: second_sign(PLAIN, number),
        ),
        (
            "sign, deposit wallet",
            lambda number: sign_order(salted(WRAPPED, number), CONTRACT, KEY),
            lambda number: BUILDER.build_order_signature(first_typed(WRAPPED, number)),
            lambda number: second_sign(WRAPPED, number),
        ),
        # The clients never verify: this is what their own library offers for it.
        (
            "recover, plain",
            lambda number: recover_order_signer(salted(PLAIN, number), plain, CONTRACT),
            lambda number: first_recover(plain, number),
            None,
        ),
        ("verify, plain", lambda number: verify_order(PLAIN, plain, CONTRACT, KEY.address), None, None),
        ("verify, deposit wallet", lambda number: verify_order(WRAPPED, wrapped, CONTRACT, KEY.address), None, None),
        (
            "HMAC of a request",
            lambda number: l2_signature(SECRET, str(number), "POST", "/order", body),
            lambda number: first_hmac(SECRET, str(number), "POST", "/order", text),
            lambda number: second_hmac(secret=SECRET, timestamp=number, method="POST", path="/order", body=text),
        ),
        ("body written", lambda number: encode_order(posted), None, None),
        ("body read and checked", lambda number: decode_order(body), None, None),
    ]


def main() -> None:
    print(f"Official clients' elliptic curve: {get_backend_class().__name__}")
    print(f"{'':24}{'Prescient':>12}{'py-clob-client-v2':>20}{'polymarket-client':>20}{'ratios':>16}")
    for name, ours, first, second in contests():
        rates = [rate(operation) if operation else None for operation in (ours, first, second)]
        shown = [f"{value:,.0f}/s" if value else "-" for value in rates]
        ratios = " ".join(f"{rates[0] / value:.1f}x" for value in rates[1:] if value and rates[0])
        print(f"{name:24}{shown[0]:>12}{shown[1]:>20}{shown[2]:>20}{ratios:>16}")


if __name__ == "__main__":
    main()
