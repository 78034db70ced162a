"""Handlers for what an API key may ask about its own account: orders, trades, balances, notifications, heartbeats."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from polymarket_kit.messages.order_messages import END_CURSOR, BalanceAllowanceMessage, HeartbeatMessage, PageMessage
from polymarket_kit.signing.order_signing import EXCHANGES, SignatureType
from polymarket_kit.signing.wallets import upgradeable_deposit_wallet, wallet_of
from practice_exchange.clob.notifications import Notifications
from practice_exchange.clob.order_gateway import is_order_id
from practice_exchange.clob.order_render import Renderer, scores
from practice_exchange.clob.public_routes import is_number, read_cursor
from practice_exchange.engine.accounts import COLLATERAL, Account
from practice_exchange.engine.orders import Order, OrderState, Restriction
from practice_exchange.engine.settlement import Trade
from practice_exchange.venue.accounts import ApiKey, wallets_of
from practice_exchange.venue.approvals import Approvals
from practice_exchange.venue.balances import BalanceCache
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer, clob_invalid, clob_missing, json_answer
from practice_exchange.web.route import Request
from practice_exchange.world.timestamps import SECOND_MS

# The venue's rule: more than ten seconds without one.
SILENCE_MAX_S = 10.0


class HeartbeatState(msgspec.Struct):
    """The last heartbeat of one API key."""

    key: ApiKey
    count: int
    last_s: float
    heartbeat_id: str


class Heartbeats:
    """The last heartbeat of each API key that sends them. They tell whether a client lives, so our own clock counts."""

    def __init__(self) -> None:
        self._pulses: dict[str, HeartbeatState] = {}

    def beat(self, key: ApiKey, given: str, now_s: float) -> Answer:
        """Take a heartbeat that names the one before; the first names none, or any. Another is refused with the expected one."""
        key_id = key.credentials.key
        heartbeat = self._pulses.get(key_id)
        if heartbeat is not None and given != heartbeat.heartbeat_id:
            text = "Invalid Heartbeat ID"
            return json_answer(HeartbeatMessage(heartbeat.heartbeat_id, error_msg=text, error=text), 400)
        count = heartbeat.count + 1 if heartbeat is not None else 0
        digits = hashlib.sha256(f"{key_id}/{count}".encode()).hexdigest()
        heartbeat_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
        self._pulses[key_id] = HeartbeatState(key, count, now_s, heartbeat_id)
        return json_answer(HeartbeatMessage(heartbeat_id))

    def fallen_silent(self, now_s: float) -> list[ApiKey]:
        """Return the keys whose heartbeat has stopped, once each: after that they have to begin anew."""
        silent = [key_id for key_id, heartbeat in self._pulses.items() if now_s - heartbeat.last_s > SILENCE_MAX_S]
        return [self._pulses.pop(key_id).key for key_id in silent]

    def any_silent(self, now_s: float) -> bool:
        """Whether a heartbeat has stopped."""
        return any(now_s - heartbeat.last_s > SILENCE_MAX_S for heartbeat in self._pulses.values())

    def dump_state(self) -> list[HeartbeatState]:
        return list(self._pulses.values())

    def load_state(self, kept: list[HeartbeatState]) -> None:
        self._pulses = {heartbeat.key.credentials.key: heartbeat for heartbeat in kept}

    def forgive(self, now_s: float) -> None:
        """Count silence from now on: while this exchange was down, nobody could have been heard."""
        for heartbeat in self._pulses.values():
            heartbeat.last_s = max(heartbeat.last_s, now_s)


T = TypeVar("T")
PAGE_LENGTH = 100
BAD_ORDERS_QUERY = "invalid order params payload"
BAD_TRADES_QUERY = "Invalid trade params payload"


def fits(wanted: tuple[str, ...], has: tuple[str, ...]) -> bool:
    """Whether everything that was asked for is so; what was not asked for is empty."""
    return all(not asked or asked == given for asked, given in zip(wanted, has, strict=True))


def signature_type_of(query: Query) -> SignatureType:
    """Which kind of wallet is asked about; the plain one if none is named. Raises WireError."""
    number = query.text("signature_type", "0")
    if number not in ("0", "1", "2", "3"):
        raise clob_invalid("Invalid signature_type")
    return SignatureType(int(number))


def moment_s(query: Query, name: str) -> int | None:
    """A time in seconds, or None where none is given. Raises WireError."""
    text = query.text(name)
    if text and not is_number(text):
        raise clob_invalid(BAD_TRADES_QUERY)
    return int(text) if text else None


def made_by(trade: Trade, query: Query) -> bool:
    """Whether an address took part in a trade, on either side; no address asked for is any."""
    asked = query.text("maker_address").lower()
    return not asked or asked in (trade.account_id.lower(), *(maker.account_id.lower() for maker in trade.makers))


def page_of(query: Query, found: Sequence[T], render: Callable[[T], object], malformed: str) -> Answer:
    """The page that the query's cursor names; ``malformed`` is the refusal of what is no cursor. Raises WireError."""
    start = read_cursor(query.text("next_cursor"), malformed)
    page = found[start : start + PAGE_LENGTH]
    end = start + PAGE_LENGTH
    cursor = END_CURSOR if end >= len(found) else b64encode(str(end).encode()).decode()
    return json_answer(PageMessage(PAGE_LENGTH, len(page), cursor, [render(each) for each in page]))


READABLE = (OrderState.LIVE, OrderState.MATCHED, OrderState.DELAYED)


@dataclass(frozen=True, slots=True, eq=False)
class AccountRoutes:
    """Each handler gets the key that asks, then the request. They raise WireError.

    ``known`` are the accounts from before the deposit wallets; ``machine_s`` is this machine's clock.
    """

    venue_engine: VenueEngine
    renderer: Renderer
    approvals: Approvals
    balances: BalanceCache
    notifications: Notifications
    heartbeats: Heartbeats
    known: set[str]
    machine_s: Callable[[], float]
    chain_id: int

    # Orders and trades

    def _own_order(self, key: ApiKey, order_id: str) -> Order:
        if not is_order_id(order_id):
            raise clob_invalid("Invalid orderID")
        order = self.venue_engine.engine.order(order_id)
        if order is None or order.account_id not in wallets_of(key.address) or order.status not in READABLE:
            raise clob_missing("Order not found")
        return order

    def order(self, key: ApiKey, request: Request) -> Answer:
        """One order."""
        return json_answer(self.renderer.order(self._own_order(key, request.name)))

    def pre_migration_orders(self, key: ApiKey, request: Request) -> Answer:
        """Orders of the first contracts: none."""
        return page_of(request.query, (), str, BAD_ORDERS_QUERY)

    def orders(self, key: ApiKey, request: Request) -> Answer:
        """Open orders, by page."""
        query = request.query
        wanted = (query.text("id"), query.text("market"), query.text("asset_id"))
        found = [
            order
            for account_id in wallets_of(key.address)
            for order in self.venue_engine.engine.open_orders(account_id)
            if fits(wanted, (order.order_id, order.condition_id, order.token_id))
        ]
        return page_of(query, found, self.renderer.order, BAD_ORDERS_QUERY)

    def trades(self, key: ApiKey, request: Request) -> Answer:
        """Trades, by page.

        ``after`` and ``before`` are seconds, both included; newest first (assumed).
        """
        query = request.query
        accounts = wallets_of(key.address)
        numbers = {number for account_id in accounts for number in self.venue_engine.trades_of.get(account_id, ())}
        wanted = (query.text("id"), query.text("market"), query.text("asset_id"))
        after, before = moment_s(query, "after") or 0, moment_s(query, "before")
        found: list[Trade] = []
        for number in sorted(numbers, reverse=True):
            trade = self.venue_engine.engine.trade(number)
            if trade is None or not fits(wanted, (self.renderer.trade_id(number), trade.condition_id, trade.token_id)):
                continue
            matched_s = trade.matched_ms // SECOND_MS
            if after <= matched_s and (before is None or matched_s <= before) and made_by(trade, query):
                found.append(trade)
        return page_of(query, found, lambda trade: self.renderer.trade(trade, accounts), BAD_TRADES_QUERY)

    # The account

    def closed_only(self, key: ApiKey, request: Request) -> Answer:
        """Whether one may only close positions."""
        found = map(self.venue_engine.engine.find_account, wallets_of(key.address))
        closed = any(each is not None and each.restriction is Restriction.CLOSED_ONLY for each in found)
        return json_answer({"closed_only": closed})

    def _asked_holding(self, key: ApiKey, query: Query) -> tuple[Account, str]:
        """Whose balance of what is asked for. Raises WireError."""
        kind, token_id = query.text("asset_type"), query.text("token_id")
        if kind not in ("COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2"):
            raise clob_invalid("Invalid asset type")
        if kind != "COLLATERAL" and not is_number(token_id):
            raise clob_invalid("Invalid token id")
        account = self.venue_engine.engine.account(self._wallet(key.address, signature_type_of(query)))
        return account, COLLATERAL if kind == "COLLATERAL" else token_id

    def update_balance(self, key: ApiKey, request: Request) -> Answer:
        """Look at a balance anew."""
        self.balances.update(*self._asked_holding(key, request.query))
        return json_answer({})

    def balance(self, key: ApiKey, request: Request) -> Answer:
        """A balance."""
        account, asset = self._asked_holding(key, request.query)
        usable_micro, contracts = self.approvals.usable_micro, EXCHANGES[self.chain_id]
        spenders = {each.address: str(usable_micro(account.account_id, asset, each.address)) for each in contracts}
        return json_answer(BalanceAllowanceMessage(str(self.balances.shown_micro(account, asset)), spenders))

    def unread_notifications(self, key: ApiKey, request: Request) -> Answer:
        """Notifications."""
        return json_answer(self.notifications.unread(self._wallet(key.address, signature_type_of(request.query))))

    def drop_notifications(self, key: ApiKey, request: Request) -> Answer:
        """Drop notifications."""
        numbers = [text.strip() for text in request.query.text("ids").split(",")]
        if not all(is_number(text) for text in numbers):
            raise clob_invalid("Invalid ids")
        self.notifications.drop(wallets_of(key.address), map(int, numbers))
        return json_answer("OK")

    def _wallet(self, address: str, kind: SignatureType) -> str:
        """The owner's wallet of this kind; of two deposit wallets the one that has been funded."""
        older = upgradeable_deposit_wallet(address)
        return older if kind is SignatureType.DEPOSIT_WALLET and older in self.known else wallet_of(address, kind)

    def old_heartbeat(self, key: ApiKey, request: Request) -> Answer:
        """Say that one is alive, in the old way."""
        return json_answer({"status": "ok"})

    def heartbeat(self, key: ApiKey, request: Request) -> Answer:
        """Say that one is alive."""
        try:
            given = msgspec.json.decode(request.body or b"{}", type=_Beat).heartbeat_id
        except msgspec.MsgspecError as error:
            raise clob_invalid("Invalid payload") from error
        return self.heartbeats.beat(key, given or "", self.machine_s())

    def order_scoring(self, key: ApiKey, request: Request) -> Answer:
        """Whether an order earns rewards."""
        order_id = request.query.text("order_id")
        if not is_order_id(order_id):
            raise clob_invalid("Invalid order_id")
        return json_answer({"scoring": self._is_scoring(key, order_id)})

    def posted_scoring(self, key: ApiKey, request: Request) -> Answer:
        """Whether orders earn rewards."""
        try:
            order_ids = msgspec.json.decode(request.body, type=list[str])
        except msgspec.MsgspecError as error:
            raise clob_invalid("Invalid payload") from error
        return self._scoring_of(key, order_ids)

    def queried_scoring(self, key: ApiKey, request: Request) -> Answer:
        """Whether orders earn rewards.

        The older form, with ids in the query: as repeated keys or in one, parted by commas.
        """
        return self._scoring_of(key, [name for text in request.query.all("order_ids") for name in text.split(",")])

    def _scoring_of(self, key: ApiKey, order_ids: list[str]) -> Answer:
        if not all(map(is_order_id, order_ids)):
            raise clob_invalid("Invalid orderID")
        return json_answer({order_id: self._is_scoring(key, order_id) for order_id in order_ids})

    def _is_scoring(self, key: ApiKey, order_id: str) -> bool:
        order = self.venue_engine.engine.order(order_id)
        if order is None or order.account_id not in wallets_of(key.address) or order.status is not OrderState.LIVE:
            return False
        return scores(order, self.venue_engine.market_of(order.condition_id))


class _Beat(msgspec.Struct):
    heartbeat_id: str | None = ""
