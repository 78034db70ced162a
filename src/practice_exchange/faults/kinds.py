"""The catalogue of faults: each kind's name, effect, the trouble it imitates, its parameters; and a fault as it is ordered."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType


class Group(StrEnum):
    """When a fault acts.

    A REQUEST fault stops a request before the exchange; what was asked for does not happen. With an ANSWER fault it
    happens, and the client does not learn of it properly. STANDING ones hold from now on until they are cleared.
    MARKET ones change one market at once and for good. STREAM ones disturb the websockets until they are cleared.
    """

    REQUEST = "request"
    ANSWER = "answer"
    PERSISTENT = "standing"
    MARKET = "market"
    STREAM = "stream"


class Parameter(msgspec.Struct, frozen=True):
    """A number or text that a kind takes. Texts have no bounds; a market is named by condition id or slug."""

    name: str
    does: str
    default: float | str
    lowest: float | None = None
    highest: float | None = None


class Kind(msgspec.Struct, frozen=True):
    """One row of the catalogue."""

    name: str
    group: Group
    does: str
    imitates: str
    parameters: tuple[Parameter, ...] = ()

    @property
    def is_single_use(self) -> bool:
        """Whether it acts on single requests, and is used up by them."""
        return self.group in (Group.REQUEST, Group.ANSWER)


def _seconds(does: str, default: float, highest: float, lowest: float = 0.0) -> Parameter:
    return Parameter("seconds", does, default, lowest, highest)


def _text(does: str, default: str) -> Parameter:
    return Parameter("text", does, default)


RETRY = Parameter("retry_after_s", "What Retry-After says.", 1, 0, 3_600)
STATUS = Parameter("status", "The HTTP status.", 500, 500, 599)
MARKET = Parameter("market", "Condition id or slug; the first open market if none is named.", "")
ADDRESS = Parameter("address", "The account; all practice wallets if none is named.", "")
TOKEN = Parameter("token_id", "The token.", "")
CHANNEL = Parameter("channel", "market or user.", "market")
SOCKET = Parameter("socket", "One connection by its number, from 1; all if 0.", 0, 0, 1_000_000)
RATE = Parameter("rate", "Share of those that it strikes.", 1.0, 0.0, 1.0)
ERROR = _text("The error's text.", "Internal server error")


def _kinds(group: Group) -> Callable[..., Kind]:
    """Return what makes the rows of a group: name, effect, what it imitates, parameters."""
    return lambda name, does, imitates, *parameters: Kind(name, group, does, imitates, parameters)


_request, _answer, _standing, _market, _stream = map(_kinds, Group)
_REQUEST = (
    _request("429", "Refuses with 429 and Retry-After.", "rate limit exceeded", RETRY),
    _request("html", "Answers 403 with a challenge page.", "an edge that takes the client for a robot"),
    _request("portal", "Answers 200 with a web page.", "a captive portal or a wrong proxy"),
    _request("redirect", "Answers 302 to another host.", "a redirect that must not get the credentials"),
    _request("401", "Refuses the log-in.", "a key that was revoked, a storm of 401"),
    _request("403", "Refuses the region.", "the geographic check, which comes before the log-in"),
    _request("425", "Answers `service not ready`.", "a restart of the matching engine"),
    _request("refused", "Answers a server error; nothing was done.", "a 5xx before acceptance", STATUS, ERROR),
    _request("reset", "Hangs up without an answer; nothing was done.", "a connection that breaks on the way"),
    _request("404", "Answers `Order not found`.", "an order that is not told of any more, though it was filled"),
    _request("version", "Answers 400 `order_version_mismatch`.", "a client that has become too old"),
    _request(
        "cancel_refused",
        "Cancels nothing, and says why not.",
        "a cancel that is refused while the order's match is delayed",
        _text("The reason for each order.", "order match delayed due to market conditions"),
    ),
    _request(
        "empty_id",
        "Answers a post with success, an error text and no order id.",
        "a refusal that claims success",
        _text("The error's text.", "could not insert order"),
    ),
)
_ANSWER = (
    _answer(
        "500",
        "Does what was asked and answers a server error.",
        "a 5xx after acceptance: the status proves nothing",
        STATUS,
        ERROR,
    ),
    _answer("silence", "Does what was asked and never answers.", "a time-out after acceptance"),
    _answer("hang_up", "Does what was asked and hangs up.", "a connection that breaks on the way back"),
    _answer("half", "Breaks off in the middle of the answer.", "a connection that breaks inside a page"),
    _answer("garbage", "Cuts the JSON, with the length that it then has.", "malformed JSON from an edge"),
    _answer("slow", "Does it at once and answers later.", "a slow way back", _seconds("The wait.", 5, 120)),
    _answer(
        "held",
        "Lets the request wait, then does it and answers.",
        "an edge that queues requests over the limit: a post arrives late",
        _seconds("The wait.", 20, 120),
    ),
    _answer(
        "late",
        "Answers a server error at once and does what was asked later.",
        "an order that is accepted after its posting seemed to have failed",
        _seconds("How much later.", 5, 120),
        STATUS,
        _text("The error's text.", "order timed out"),
    ),
    _answer("twice", "Does it twice and answers the second.", "a proxy that repeats a post: `Duplicated`"),
    _answer("repeat", "Answers a path truly once, and the same again from then on.", "a stale cache, a repeated page"),
    _answer("missing_page", "Empties a page and goes on to the next.", "a page that is missing"),
    _answer("short_page", "Leaves out half of a page's rows.", "rows that are missing"),
    _answer("stuck_cursor", "Names the same page as the next one.", "a cursor that does not move"),
    _answer(
        "dust",
        "Writes sizes that are off by a little.",
        "fills above or below the order's size",
        Parameter("shares", "How much is added.", 0.009, -1, 1),
    ),
    _answer("lies", "Writes prices of 1.2 and sizes of -5.", "numbers that cannot be true"),
)
_STANDING = (
    _standing(
        "failed_settlement",
        "Lets a share of all trades fail after some attempts.",
        "ghost fills: matched, then the transaction reverts",
        RATE,
        Parameter("retries", "Attempts before.", 1, 0, 10),
    ),
    _standing(
        "retrying",
        "Lets a share of all trades be tried again before they are mined.",
        "a chain that is busy: RETRYING, then MINED",
        RATE,
        Parameter("retries", "Attempts before.", 2, 1, 10),
    ),
    _standing(
        "slow_settlement",
        "Lets trades wait before they are mined.",
        "settlement that takes minutes",
        _seconds("The wait.", 600, 86_400),
    ),
    _standing(
        "stale_balance",
        "Answers and checks balances as they were, until the client asks for an update or the time is over.",
        "the venue's balance cache: a full-size sale after a match is refused",
        _seconds("How old a balance may become.", 60, 86_400),
    ),
    _standing(
        "clock_skew",
        "Sets the exchange's clock for log-ins and /time apart.",
        "a clock that is wrong on either side",
        _seconds("How far, ahead if positive.", 120, 86_400, -86_400),
    ),
    _standing(
        "gtd_early",
        "Ends orders with an expiration earlier still than a minute before it; for orders posted from now on.",
        "expiries that come early",
        _seconds("How much earlier.", 30, 100),
    ),
    _standing("banned", "Bans an address.", "an address that is banned", ADDRESS),
    _standing("closed_only", "Lets an address sell only.", "close-only mode of an address", ADDRESS),
)
_MARKET = (
    _market(
        "tick",
        "Changes the tick.",
        "a tick that changes in the middle of a session",
        MARKET,
        Parameter("tick_size", "The new one.", 0.001, 0.0001, 0.1),
    ),
    _market(
        "terms",
        "Changes the smallest size and the fee rate.",
        "terms that change in the middle of a session",
        MARKET,
        Parameter("minimum_size", "Shares.", 15, 1, 1_000),
        Parameter("fee_rate", "Of the fee formula.", 0.05, 0, 1),
    ),
    _market("suspend", "Stops taking orders.", "accepting_orders becomes false", MARKET),
    _market("reopen", "Takes orders again.", "the end of a suspension or delisting", MARKET),
    _market("delist", "Archives the market and takes its book away.", "a market that is delisted", MARKET),
    _market("end", "Lets the market end now; it is proposed and resolved as usual.", "an early end", MARKET),
    _market("dispute", "Lets the next resolution be disputed.", "a dispute and a new proposal", MARKET),
    _market("void", "Lets it resolve to one half each.", "a 50/50 resolution", MARKET),
    _market(
        "jump",
        "Quotes around another price until the makers look again.",
        "a price that jumps within a tick and back",
        MARKET,
        Parameter("price", "The new middle.", 0.9, 0.05, 0.95),
    ),
    _market("empty_book", "Takes the makers' levels away until they look again.", "an empty side", MARKET),
)
_STREAM = (
    _stream(
        "stalled_socket",
        "Lets open connections fall silent; PING is still answered.",
        "a feed that stalls while the connection looks alive",
        CHANNEL,
        SOCKET,
    ),
    _stream("dropped_socket", "Breaks open connections off.", "a storm of disconnects", CHANNEL, SOCKET),
    _stream("stalled_token", "Says nothing more about one token.", "one asset that stalls", TOKEN),
    _stream(
        "missing_snapshot",
        "Leaves out the first books of the next subscriptions.",
        "changes that come before a snapshot",
        Parameter("count", "How many subscriptions.", 1, 1, 1_000_000),
    ),
    _stream("lost_tokens", "Forgets a share of subscribed tokens.", "a subscription in part", RATE),
    _stream("doubled_frames", "Sends a share of frames twice.", "messages that repeat", RATE),
    _stream("missing_frames", "Loses a share of frames.", "events that never arrive", RATE),
    _stream("garbled_frames", "Makes a share of frames no JSON.", "malformed messages", RATE),
    _stream("reordered_frames", "Swaps a share of frames with the next.", "messages out of order", RATE),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in (*_REQUEST, *_ANSWER, *_STANDING, *_MARKET, *_STREAM)}
# What random faults are drawn from unless kinds are named: troubles that pass by themselves.
_PASSING = (
    "425 429 500 garbage half hang_up held html late missing_page refused repeat reset short_page silence slow twice"
)
RANDOM_KINDS = tuple(_PASSING.split())
_ORDERS = ("/clob/order", "/clob/orders")
_CANCELS = (*_ORDERS, "/clob/cancel-all", "/clob/cancel-market-orders")
_LISTS = ("/gamma/events", "/gamma/markets", "/clob/data/", "/clob/markets", "/clob/sampling", "/clob/simplified")


def suits(kind: str, method: str, path: str) -> bool:
    """Whether a kind can make anything of such a request."""
    if kind in ("empty_id", "version", "twice", "late"):
        return (method == "POST" and path in _ORDERS) or (kind in ("twice", "late") and _cancels(method, path))
    if kind == "cancel_refused":
        return _cancels(method, path)
    if kind in ("missing_page", "short_page", "stuck_cursor"):
        return method == "GET" and path.startswith(_LISTS)
    if kind in ("repeat", "lies", "garbage", "half"):
        return method == "GET"
    return kind != "425" or (method == "POST" and path in _ORDERS) or _cancels(method, path)


def _cancels(method: str, path: str) -> bool:
    return method == "DELETE" and path in _CANCELS


COUNT_MAX = 1_000_000
# Every fault may have these; all else must be a parameter of its kind.
GENERAL = frozenset({"path", "kind", "count", "retry_after_s", "method"})


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One fault of the catalogue (faults/kinds.py), with the parameters of its kind.

    ``path`` is a pattern such as ``/gamma/events*`` and ``method`` one method or any: a fault that acts on requests
    strikes the next ``count`` that match. ``seconds`` are of this machine's time except where trades settle.
    """

    path: str = "*"
    kind: str = ""
    count: int = 1
    retry_after_s: int = 1
    method: str | UnsetType = UNSET
    seconds: float | UnsetType = UNSET
    status: int | UnsetType = UNSET
    text: str | UnsetType = UNSET
    rate: float | UnsetType = UNSET
    retries: int | UnsetType = UNSET
    address: str | UnsetType = UNSET
    market: str | UnsetType = UNSET
    token_id: str | UnsetType = UNSET
    tick_size: float | UnsetType = UNSET
    minimum_size: float | UnsetType = UNSET
    fee_rate: float | UnsetType = UNSET
    price: float | UnsetType = UNSET
    shares: float | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    socket: int | UnsetType = UNSET

    def number(self, name: str) -> float:
        """A parameter's value: the given one, or its kind's default."""
        given = getattr(self, name)
        return float(self._default(name) if given is UNSET else given)

    def words(self, name: str) -> str:
        given = getattr(self, name)
        return str(self._default(name) if given is UNSET else given)

    def _default(self, name: str) -> float | str:
        return next(each.default for each in KINDS[self.kind].parameters if each.name == name)


class FaultRefused(ValueError):
    """A fault that is not in the catalogue, or a parameter out of its bounds; the message says what would do."""


def check_fault(fault: Fault) -> None:
    """Raises FaultRefused unless the fault is one of the catalogue with parameters of its kind, within their bounds."""
    kind = KINDS.get(fault.kind)
    if kind is None:
        raise FaultRefused(f"there is no kind {fault.kind!r}. Choose one of: {', '.join(KINDS)}")
    if not 1 <= fault.count <= COUNT_MAX:
        raise FaultRefused(f"count must be between 1 and {COUNT_MAX}")
    known = {parameter.name: parameter for parameter in kind.parameters}
    for name in fault.__struct_fields__:
        value = getattr(fault, name)
        if value is UNSET or (name in GENERAL and name not in known):
            continue
        if name not in known:
            takes = ", ".join(known) or "no parameters"
            raise FaultRefused(f"{fault.kind} has no {name}; it takes {takes}")
        low, high = known[name].lowest, known[name].highest
        if low is not None and high is not None and not low <= value <= high:
            raise FaultRefused(f"{name} must be between {low:g} and {high:g}")
