"""The venue's two official Python clients, called at the functions that hash, sign and round: what ours is held equal to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, cast

from eth_account import Account
from hypothesis import strategies as st
from polymarket._internal.actions.orders.limit import _compute_limit_order_amounts
from polymarket._internal.actions.orders.market import _compute_market_order_amounts
from polymarket._internal.actions.orders.post import build_post_order_request
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket.models.clob.orders import SignedOrder
from py_clob_client_v2.order_builder.builder import ROUNDING_CONFIG, OrderBuilder
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils import Side as ClientSide
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderV2, SignedOrderV2, order_to_json_v2
from py_clob_client_v2.order_utils.model.signature_type_v2 import SignatureTypeV2
from py_clob_client_v2.signer import Signer

from polymarket_kit.messages.orders import PostedOrder
from polymarket_kit.model import Side
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import EXCHANGES, ContractOrder, ExchangeContract, SignatureType
from polymarket_kit.values import micro_to_text

# The first account of every local test chain: known to all the world, and empty on every real one.
TEST_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
TEST_ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
TOKEN_ID = 71321045679252212594626385532706912750332728571942532289631379312455583992563
CONTRACTS = [contract for contracts in EXCHANGES.values() for contract in contracts]
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

uint256s = st.integers(0, 2**256 - 1)
hashes = st.binary(min_size=32, max_size=32).map(lambda raw: f"0x{raw.hex()}")
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: f"0x{raw.hex()}")
private_keys = st.integers(1, GROUP_ORDER - 1).map(lambda number: f"0x{number:064x}")


@st.composite
def signed_cases(draw: st.DrawFn) -> tuple[ContractOrder, ExchangeContract, str]:
    """An order, a contract and the key that may sign it: maker and signer as each signature type wants them."""
    private_key = draw(private_keys)
    owner = SigningKey(private_key).address
    kind = draw(st.sampled_from(SignatureType))
    maker = owner if kind is SignatureType.EOA else draw(addresses)
    order = ContractOrder(
        salt=draw(uint256s),
        maker=maker,
        signer=maker if kind is SignatureType.DEPOSIT_WALLET else owner,
        token_id=draw(uint256s),
        maker_amount_micro=draw(uint256s),
        taker_amount_micro=draw(uint256s),
        side=draw(st.sampled_from(Side)),
        signature_type=kind,
        timestamp_ms=draw(uint256s),
        metadata=draw(hashes),
        builder=draw(hashes),
    )
    return order, draw(st.sampled_from(CONTRACTS)), private_key


def first_client(contract: ExchangeContract, private_key: str) -> ExchangeOrderBuilderV2:
    signer = Signer(private_key, contract.chain_id)
    return ExchangeOrderBuilderV2(contract.address, contract.chain_id, signer, domain_version=contract.version)


def first_client_order(order: ContractOrder) -> dict[str, Any]:
    return {
        "salt": str(order.salt),
        "maker": order.maker,
        "signer": order.signer,
        "tokenId": str(order.token_id),
        "makerAmount": str(order.maker_amount_micro),
        "takerAmount": str(order.taker_amount_micro),
        "side": ClientSide.BUY if order.side is Side.BUY else ClientSide.SELL,
        "signatureType": SignatureTypeV2(int(order.signature_type)),
        "timestamp": str(order.timestamp_ms),
        "metadata": order.metadata,
        "builder": order.builder,
    }


def first_client_hash_and_signature(
    order: ContractOrder, contract: ExchangeContract, private_key: str
) -> tuple[str, str]:
    builder = first_client(contract, private_key)
    typed = builder.build_order_typed_data(OrderV2(**first_client_order(order)))
    return builder.build_order_hash(typed), builder.build_order_signature(typed)


def second_client_order(order: ContractOrder, contract: ExchangeContract) -> UnsignedOrder:
    fields: dict[str, Any] = {
        "chain_id": contract.chain_id,
        "builder": order.builder,
        "exchange_address": contract.address,
        "expiration": 0,
        "maker": order.maker,
        "maker_amount": order.maker_amount_micro,
        "metadata": order.metadata,
        "order_type": "GTC",
        "salt": order.salt,
        "side": order.side.value,
        "signature_type": int(order.signature_type),
        "signer": order.signer,
        "taker_amount": order.taker_amount_micro,
        "timestamp": order.timestamp_ms,
        "token_id": str(order.token_id),
        "protocol_version": cast(Literal["2", "3"], contract.version),
    }
    return UnsignedOrder(**fields)


def second_client_signature(order: ContractOrder, contract: ExchangeContract, private_key: str) -> str:
    unsigned = second_client_order(order, contract)
    signed = Account.from_key(private_key).sign_typed_data(full_message=build_order_typed_data(unsigned))
    return str(build_order_signature(unsigned, cast(Any, f"0x{signed.signature.hex()}")))


def first_client_body(posted: PostedOrder) -> dict[str, Any]:
    signed = SignedOrderV2(
        **first_client_order(posted.order), expiration=str(posted.expiration_s), signature=posted.signature
    )
    body = order_to_json_v2(signed, posted.owner, posted.order_type.value, posted.post_only, posted.defer_exec)
    return cast(dict[str, Any], body)


def second_client_body(posted: PostedOrder) -> dict[str, Any]:
    order = posted.order
    fields: dict[str, Any] = {
        "builder": order.builder,
        "expiration": posted.expiration_s,
        "maker": order.maker,
        "maker_amount": order.maker_amount_micro,
        "metadata": order.metadata,
        "order_type": posted.order_type.value,
        "salt": order.salt,
        "side": order.side.value,
        "signature": posted.signature,
        "signature_type": int(order.signature_type),
        "signer": order.signer,
        "taker_amount": order.taker_amount_micro,
        "timestamp": order.timestamp_ms,
        "token_id": str(order.token_id),
        "post_only": posted.post_only,
    }
    return build_post_order_request(SignedOrder(**fields), owner_api_key=posted.owner)[1]


def exact(micro: int) -> Decimal:
    return Decimal(micro_to_text(micro))


def first_client_limit(side: Side, price_micro: int, size_micro: int, tick_micro: int) -> tuple[int, int]:
    """The floats of the first client."""
    rounding = ROUNDING_CONFIG[micro_to_text(tick_micro)]
    amounts = _builder.get_order_amounts(side.value, size_micro / 1e6, price_micro / 1e6, rounding)
    return amounts[1], amounts[2]


def first_client_market(side: Side, price_micro: int, amount_micro: int, tick_micro: int) -> tuple[int, int]:
    rounding = ROUNDING_CONFIG[micro_to_text(tick_micro)]
    amounts = _builder.get_market_order_amounts(side.value, amount_micro / 1e6, price_micro / 1e6, rounding)
    return amounts[1], amounts[2]


def second_client_limit(side: Side, price_micro: int, size_micro: int, tick_micro: int) -> tuple[int, int]:
    """The decimals of the second client."""
    return _compute_limit_order_amounts(
        price=exact(price_micro), size=exact(size_micro), side=side.value, tick_size=exact(tick_micro)
    )


def second_client_market(side: Side, price_micro: int, amount_micro: int, tick_micro: int) -> tuple[int, int]:
    return _compute_market_order_amounts(
        price=exact(price_micro), amount=exact(amount_micro), side=side.value, tick_size=exact(tick_micro)
    )


_builder = OrderBuilder(Signer(TEST_KEY, 137))
