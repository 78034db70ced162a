"""Orders on their way to the exchange and its answers on their way back: bodies become checked values, and values exact bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from polymarket_kit.errors import PrescientError
from polymarket_kit.messages.numbers import amount_from_wire
from polymarket_kit.messages.order_messages import (
    CancelAnswer,
    ErrorMessage,
    OpenOrderMessage,
    OrderMessage,
    PageMessage,
    SendOrderAnswer,
    SendOrderMessage,
    TradeMessage,
)
from polymarket_kit.messages.pages import REASON_LENGTH_MAX, MalformedMessage, printable, reason_of
from polymarket_kit.model import OrderType
from polymarket_kit.signing.eip712 import address_bytes, bytes32
from polymarket_kit.signing.order_signing import ZERO_BYTES32, ContractOrder, SignatureType

T = TypeVar("T")
INVALID_ORDER = "Invalid order payload"
OTHER_VERSION = "order_version_mismatch"
UINT256_DIGITS_MAX = 78

_encoder = msgspec.json.Encoder()
_send_order = msgspec.json.Decoder(SendOrderMessage)
_array = msgspec.json.Decoder(list[msgspec.Raw])
_answer = msgspec.json.Decoder(SendOrderAnswer)
_answers = msgspec.json.Decoder(list[SendOrderAnswer])
_open_order = msgspec.json.Decoder(OpenOrderMessage)
_open_orders = msgspec.json.Decoder(PageMessage[OpenOrderMessage])
_trades = msgspec.json.Decoder(PageMessage[TradeMessage])
_cancel = msgspec.json.Decoder(CancelAnswer)
_error = msgspec.json.Decoder(ErrorMessage)


class OrderMalformed(PrescientError):
    """A body that is no order. The message is what the venue answers with status 400; ``reason`` says what was wrong."""

    code = "order_malformed"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class PostedOrder(msgspec.Struct, frozen=True, gc=False):
    """A signed order with what goes along unsigned. ``expiration_s`` is Unix seconds, zero unless GTD; ``owner`` the API key."""

    order: ContractOrder
    signature: str
    owner: str
    order_type: OrderType = OrderType.GTC
    expiration_s: int = 0
    post_only: bool = False
    defer_exec: bool = False


def encode_order(posted: PostedOrder) -> bytes:
    """Return the body of ``POST /order``: compact JSON in the official client's key order, the bytes that L2 signs."""
    return _encoder.encode(_to_message(posted))


def encode_orders(posted: Sequence[PostedOrder]) -> bytes:
    """Return the body of ``POST /orders``. The venue takes at most 15."""
    return _encoder.encode([_to_message(each) for each in posted])


def decode_order(body: bytes | msgspec.Raw) -> PostedOrder:
    """Return an order that was posted, every field in range; its signature is not looked at here.

    Raises OrderMalformed, also for an order to the venue's first contracts.
    """
    try:
        return _to_posted(_send_order.decode(body))
    except (ValueError, RecursionError) as error:
        raise OrderMalformed(INVALID_ORDER, reason_of(error)) from error


def split_orders(body: bytes) -> list[msgspec.Raw]:
    """Cut the body of ``POST /orders`` into its orders, each read by itself. Raises OrderMalformed."""
    try:
        return _array.decode(body)
    except (ValueError, RecursionError) as error:
        raise OrderMalformed(INVALID_ORDER, reason_of(error)) from error


def decode_answer(body: bytes) -> SendOrderAnswer:
    """Return the answer to one order. Raises MalformedMessage: the order's fate is then unknown, not refused."""
    return _read(_answer, body)


def decode_answers(body: bytes) -> list[SendOrderAnswer]:
    """Return the answers to a batch, in its order. Raises MalformedMessage."""
    return _read(_answers, body)


def matched_micro(answer: SendOrderAnswer) -> tuple[int, int]:
    """Return what was given and what was taken at once, in micro-units. Raises ValueError.

    The venue writes dollars and shares as decimals here, whatever its specification says about base units.
    """
    return amount_from_wire(answer.making_amount), amount_from_wire(answer.taking_amount)


def decode_open_order(body: bytes) -> OpenOrderMessage:
    """Return one order. Raises MalformedMessage, also for the empty answer that old orders get."""
    return _read(_open_order, body)


def decode_open_orders(body: bytes) -> PageMessage[OpenOrderMessage]:
    """Return one page of open orders. Raises MalformedMessage: a page that cannot be read is not an empty one."""
    return _read(_open_orders, body)


def decode_trades(body: bytes) -> PageMessage[TradeMessage]:
    """Return one page of trades. Raises MalformedMessage."""
    return _read(_trades, body)


def decode_cancels(body: bytes) -> CancelAnswer:
    """Return what a cancel did. Raises MalformedMessage."""
    return _read(_cancel, body)


def decode_error(body: bytes) -> ErrorMessage:
    """Return the error in an answer; what is no JSON of the venue (a page of its proxy) becomes the start of its text."""
    try:
        return _error.decode(body)
    except (ValueError, RecursionError):
        return ErrorMessage(printable(body[:REASON_LENGTH_MAX].decode("utf-8", "replace"), REASON_LENGTH_MAX))


def _read(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"The answer is not as documented: {reason_of(error)}") from error


def _to_message(posted: PostedOrder) -> SendOrderMessage:
    order = posted.order
    message = OrderMessage(
        salt=order.salt,
        maker=order.maker,
        signer=order.signer,
        token_id=str(order.token_id),
        maker_amount=str(order.maker_amount_micro),
        taker_amount=str(order.taker_amount_micro),
        side=order.side,
        expiration=str(posted.expiration_s),
        signature_type=int(order.signature_type),
        timestamp=str(order.timestamp_ms),
        metadata=order.metadata,
        builder=order.builder,
        signature=posted.signature,
    )
    return SendOrderMessage(message, posted.owner, posted.order_type, posted.defer_exec, posted.post_only)


def _to_posted(sent: SendOrderMessage) -> PostedOrder:
    """Check what the types do not say: digits, addresses, and lengths in hex. Raises ValueError and OrderMalformed."""
    message = sent.order
    if not isinstance(message.timestamp, str):
        if isinstance(message.nonce, msgspec.UnsetType):
            raise ValueError("the order has no timestamp")
        raise OrderMalformed(OTHER_VERSION, "an order for the first contracts: nonce and no timestamp")
    address_bytes(message.maker)
    address_bytes(message.signer)
    order = ContractOrder(
        _uint256(message.salt),
        message.maker,
        message.signer,
        _uint256(message.token_id),
        _uint256(message.maker_amount),
        _uint256(message.taker_amount),
        message.side,
        SignatureType(message.signature_type),
        _uint256(message.timestamp),
        _hash(message.metadata),
        _hash(message.builder),
    )
    return PostedOrder(
        order,
        message.signature,
        sent.owner,
        sent.order_type,
        _uint256(message.expiration),
        sent.post_only,
        sent.defer_exec,
    )


def _uint256(value: int | str) -> int:
    """Return a number of 0..2**256-1 given as such or as decimal digits. Raises ValueError."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= UINT256_DIGITS_MAX):
            raise ValueError("expected a whole number in decimal digits")
        value = int(value)
    if not 0 <= value < 1 << 256:
        raise ValueError("number does not fit into 256 bits without a sign")
    return value


def _hash(text: str) -> str:
    """Return 32 bytes in hex; the empty text stands for zeros. Raises ValueError."""
    if text in ("", ZERO_BYTES32):
        return ZERO_BYTES32
    bytes32(text)
    return text
