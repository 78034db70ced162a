"""The order gateway: validates posted orders in the venue's order and words, hands them to the engine, and cancels orders."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from polymarket_kit import rejections
from polymarket_kit.messages.order_messages import CancelAnswer, CancelMarketBody, CancelOrderBody, SendOrderAnswer
from polymarket_kit.messages.orders import OrderMalformed, PostedOrder, decode_order, split_orders
from polymarket_kit.rejections import Rejection
from polymarket_kit.signing.eip712 import SignatureInvalid, checksum_address
from polymarket_kit.signing.order_signing import EXCHANGES, ExchangeContract, SignatureType, contract_for, verify_order
from polymarket_kit.signing.wallets import owns_wallet
from practice_exchange.clob.order_render import Renderer, refused
from practice_exchange.engine.matching import CANCELS_MAX
from practice_exchange.engine.orders import OrderRequest, Placed
from practice_exchange.venue.accounts import ApiKey, wallets_of
from practice_exchange.venue.approvals import Approvals
from practice_exchange.venue.balances import BalanceCache
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.web.responses import Answer, WireError, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.world import WorldView

T = TypeVar("T")
BATCH_MAX = 15
NOT_THE_OWNER = Rejection("not_the_owner", "the order owner has to be the owner of the API KEY")
NOT_THE_SIGNER = Rejection("not_the_signer", "the order signer address has to be the address of the API KEY")
NOT_ALLOWED = Rejection("maker_not_allowed", "maker address not allowed, please use the deposit wallet flow")
INVALID_SIGNATURE = Rejection("invalid_signature", "invalid signature")
OTHER_VERSION = Rejection("other_version", "invalid order version")
TOO_MANY_CANCELS = Rejection("too_many_cancels", f"Too many orders in payload, max allowed: {CANCELS_MAX}")


@dataclass(frozen=True, slots=True, eq=False)
class OrderGateway:
    """Takes and cancels orders of authenticated clients.

    ``known`` are the accounts from before the deposit wallets: as on the venue only they may trade with an address, a
    proxy or a Safe; everybody may trade with a deposit wallet.
    """

    world: WorldView
    venue_engine: VenueEngine
    renderer: Renderer
    known: set[str]
    approvals: Approvals
    balances: BalanceCache
    chain_id: int

    def post_one(self, key: ApiKey, request: Request) -> Answer:
        """Post an order."""
        answer = self._place(key, request.body)
        return refused(answer) if isinstance(answer, Rejection) else json_answer(self.renderer.placed(answer))

    def post_many(self, key: ApiKey, request: Request) -> Answer:
        """Post up to 15 orders.

        An order that is refused does not keep the others out, and says so in its own answer.
        """
        try:
            orders = split_orders(request.body)
        except OrderMalformed as error:
            return json_answer({"error": str(error)}, 400)
        if len(orders) > BATCH_MAX:
            return refused(rejections.too_many_orders(len(orders)))
        if not orders:
            return refused(rejections.INVALID_PAYLOAD)
        return json_answer([self._leg(self._place(key, order)) for order in orders])

    def _leg(self, answer: Placed | Rejection) -> SendOrderAnswer:
        if isinstance(answer, Rejection):
            return SendOrderAnswer(error_msg=answer.text, order_id="", status="", success=True)
        return self.renderer.placed(answer)

    def _place(self, key: ApiKey, body: bytes | msgspec.Raw) -> Placed | Rejection:
        try:
            posted = decode_order(body)
        except OrderMalformed as error:
            return Rejection("malformed", str(error))
        refusal = self._refuse_stranger(key, posted)
        if refusal is not None:
            return refusal
        found = self.world.register.tokens.get(str(posted.order.token_id))
        if found is None or not found[0].order_book_enabled:
            return rejections.MARKET_NOT_FOUND
        if found[0].closed:
            return rejections.MARKET_CLOSED
        contract = contract_for(posted.order.token_id, found[0].negative_risk, self.chain_id)
        try:
            order_id = verify_order(posted.order, posted.signature, contract, key.address)
        except (SignatureInvalid, ValueError):
            return OTHER_VERSION if self._is_for_another_version(posted, contract, key) else INVALID_SIGNATURE
        self.venue_engine.enter(found[0])
        order, maker = posted.order, checksum_address(posted.order.maker)
        refusal = self.approvals.refuse(maker, contract.address, order.side, order.maker_amount_micro)
        if refusal is not None:
            return refusal
        return self._take(
            OrderRequest(
                order_id,
                maker,
                posted.owner,
                str(order.token_id),
                order.side,
                posted.order_type,
                order.maker_amount_micro,
                order.taker_amount_micro,
                posted.expiration_s,
                posted.post_only,
            )
        )

    def _take(self, request: OrderRequest) -> Placed | Rejection:
        """Place an order, unless its account's cached balance is too small."""
        if self.balances.frozen:
            refusal = self.balances.refuse(self.venue_engine.engine.account(request.account_id), request)
            if refusal is not None:
                return refusal
        return self.venue_engine.place(request)

    def _is_for_another_version(self, posted: PostedOrder, contract: ExchangeContract, key: ApiKey) -> bool:
        """Whether a signature that is no good here is good for an exchange of another version (assumed: so the venue's text)."""
        for other in EXCHANGES[self.chain_id]:
            if other.version == contract.version:
                continue
            with suppress(SignatureInvalid, ValueError):
                verify_order(posted.order, posted.signature, other, key.address)
                return True
        return False

    def _refuse_stranger(self, key: ApiKey, posted: PostedOrder) -> Rejection | None:
        """Who may post for whom: the API key's owner, its signer, and the wallets that the signer owns."""
        order = posted.order
        if posted.owner != key.credentials.key:
            return NOT_THE_OWNER
        if order.signature_type == SignatureType.DEPOSIT_WALLET:
            mine = checksum_address(order.signer) == checksum_address(order.maker)
            mine = mine and owns_wallet(key.address, order.maker, order.signature_type)
            return None if mine else NOT_THE_SIGNER
        if checksum_address(order.signer) != key.address:
            return NOT_THE_SIGNER
        maker = checksum_address(order.maker)
        if maker not in self.known or not owns_wallet(key.address, maker, order.signature_type):
            return NOT_ALLOWED
        return None

    # Cancels

    def cancel_one(self, key: ApiKey, request: Request) -> Answer:
        """Cancel an order."""
        asked = _read(request.body, CancelOrderBody)
        if not is_order_id(asked.order_id):
            return refused(rejections.INVALID_ORDER_ID)
        return self._cancel(key, [asked.order_id])

    def cancel_many(self, key: ApiKey, request: Request) -> Answer:
        """Cancel orders."""
        order_ids = _read(request.body, list[str])
        if len(order_ids) > CANCELS_MAX:
            return refused(TOO_MANY_CANCELS)
        if not all(map(is_order_id, order_ids)):
            return refused(rejections.INVALID_ORDER_ID)
        return self._cancel(key, order_ids)

    def cancel_all(self, key: ApiKey, request: Request) -> Answer:
        """Cancel all orders.

        Whatever the owner of this key has open, in any wallet.
        """
        return self._cancel(key, self._open_ids(key))

    def cancel_market(self, key: ApiKey, request: Request) -> Answer:
        """Cancel a market's orders."""
        asked = _read(request.body, CancelMarketBody)
        if not asked.market and not asked.asset_id:
            return refused(rejections.INVALID_PAYLOAD)
        return self._cancel(key, self._open_ids(key, asked.market, asked.asset_id))

    def matching_orders(self, key: ApiKey, body: bytes) -> list[str]:
        """The open orders that a cancel-all or cancel-market request matches; an empty body matches all. Raises WireError."""
        asked = _read(body, CancelMarketBody) if body else CancelMarketBody()
        return self._open_ids(key, asked.market, asked.asset_id)

    def _open_ids(self, key: ApiKey, condition_id: str = "", token_id: str = "") -> list[str]:
        return [
            order.order_id
            for account_id in wallets_of(key.address)
            for order in self.venue_engine.engine.open_orders(account_id)
            if (not condition_id or order.condition_id == condition_id) and (not token_id or order.token_id == token_id)
        ]

    def _cancel(self, key: ApiKey, order_ids: list[str]) -> Answer:
        """Cancel each order in the account that made it, if that is one of the asker's; another's is not found."""
        engine, mine = self.venue_engine.engine, wallets_of(key.address)
        canceled: list[str] = []
        not_canceled: dict[str, str] = {}
        for asked_id in dict.fromkeys(order_ids):
            order = engine.order(asked_id)
            account_id = order.account_id if order is not None and order.account_id in mine else mine[0]
            report = engine.cancel(account_id, asked_id, self.venue_engine.now_ms)
            if isinstance(report, Rejection):
                return refused(report)
            canceled += report.canceled
            not_canceled |= dict(report.not_canceled)
        self.venue_engine.advance()
        return json_answer(CancelAnswer(canceled, not_canceled))

    def cancel_key(self, key: ApiKey) -> None:
        """Cancel what one API key posted: its heartbeat stopped."""
        for account_id in wallets_of(key.address):
            self.venue_engine.engine.cancel_all(account_id, self.venue_engine.now_ms, owner=key.credentials.key)
        self.venue_engine.advance()


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WireError(refused(rejections.INVALID_PAYLOAD)) from error


def is_order_id(text: str) -> bool:
    return len(text) == 66 and text.startswith("0x") and all(digit in "0123456789abcdefABCDEF" for digit in text[2:])
