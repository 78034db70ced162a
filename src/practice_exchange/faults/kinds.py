"""The catalogue of faults: each kind's name, effect, the venue's trouble it imitates, and its parameters."""

from __future__ import annotations

from enum import StrEnum

import msgspec


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
SERVER_ERROR = "Internal server error"

_REQUEST = (
    Kind("429", Group.REQUEST, "Refuses with 429 and Retry-After.", "rate limit exceeded", (RETRY,)),
    Kind("html", Group.REQUEST, "Answers 403 with a challenge page.", "an edge that takes the client for a robot"),
    Kind("portal", Group.REQUEST, "Answers 200 with a web page.", "a captive portal or a wrong proxy"),
    Kind("redirect", Group.REQUEST, "Answers 302 to another host.", "a redirect that must not get the credentials"),
    Kind("401", Group.REQUEST, "Refuses the log-in.", "a key that was revoked, a storm of 401"),
    Kind("403", Group.REQUEST, "Refuses the region.", "the geographic check, which comes before the log-in"),
    Kind("425", Group.REQUEST, "Answers `service not ready`.", "a restart of the matching engine"),
    Kind(
        "refused",
        Group.REQUEST,
        "Answers a server error; nothing was done.",
        "a 5xx before acceptance",
        (STATUS, _text("The error's text.", SERVER_ERROR)),
    ),
    Kind(
        "reset", Group.REQUEST, "Hangs up without an answer; nothing was done.", "a connection that breaks on the way"
    ),
    Kind(
        "404",
        Group.REQUEST,
        "Answers `Order not found`.",
        "an order that is not told of any more, though it was filled",
    ),
    Kind("version", Group.REQUEST, "Answers 400 `order_version_mismatch`.", "a client that has become too old"),
    Kind(
        "cancel_refused",
        Group.REQUEST,
        "Cancels nothing, and says why not.",
        "a cancel that is refused while the order's match is delayed",
        (_text("The reason for each order.", "order match delayed due to market conditions"),),
    ),
    Kind(
        "empty_id",
        Group.REQUEST,
        "Answers a post with success, an error text and no order id.",
        "a refusal that claims success",
        (_text("The error's text.", "could not insert order"),),
    ),
)
_ANSWER = (
    Kind(
        "500",
        Group.ANSWER,
        "Does what was asked and answers a server error.",
        "a 5xx after acceptance: the status proves nothing",
        (STATUS, _text("The error's text.", SERVER_ERROR)),
    ),
    Kind("silence", Group.ANSWER, "Does what was asked and never answers.", "a time-out after acceptance"),
    Kind("hang_up", Group.ANSWER, "Does what was asked and hangs up.", "a connection that breaks on the way back"),
    Kind("half", Group.ANSWER, "Breaks off in the middle of the answer.", "a connection that breaks inside a page"),
    Kind("garbage", Group.ANSWER, "Cuts the JSON, with the length that it then has.", "malformed JSON from an edge"),
    Kind(
        "slow", Group.ANSWER, "Does it at once and answers later.", "a slow way back", (_seconds("The wait.", 5, 120),)
    ),
    Kind(
        "held",
        Group.ANSWER,
        "Lets the request wait, then does it and answers.",
        "an edge that queues requests over the limit: a post arrives late",
        (_seconds("The wait.", 20, 120),),
    ),
    Kind(
        "late",
        Group.ANSWER,
        "Answers a server error at once and does what was asked later.",
        "an order that is accepted after its posting seemed to have failed",
        (_seconds("How much later.", 5, 120), STATUS, _text("The error's text.", "order timed out")),
    ),
    Kind("twice", Group.ANSWER, "Does it twice and answers the second.", "a proxy that repeats a post: `Duplicated`"),
    Kind(
        "repeat",
        Group.ANSWER,
        "Answers a path truly once, and the same again from then on.",
        "a stale cache, a repeated page",
    ),
    Kind("missing_page", Group.ANSWER, "Empties a page and goes on to the next.", "a page that is missing"),
    Kind("short_page", Group.ANSWER, "Leaves out half of a page's rows.", "rows that are missing"),
    Kind("stuck_cursor", Group.ANSWER, "Names the same page as the next one.", "a cursor that does not move"),
    Kind(
        "dust",
        Group.ANSWER,
        "Writes sizes that are off by a little.",
        "fills above or below the order's size",
        (Parameter("shares", "How much is added.", 0.009, -1, 1),),
    ),
    Kind("lies", Group.ANSWER, "Writes prices of 1.2 and sizes of -5.", "numbers that cannot be true"),
)
_STANDING = (
    Kind(
        "failed_settlement",
        Group.PERSISTENT,
        "Lets a share of all trades fail after some attempts.",
        "ghost fills: matched, then the transaction reverts",
        (RATE, Parameter("retries", "Attempts before.", 1, 0, 10)),
    ),
    Kind(
        "retrying",
        Group.PERSISTENT,
        "Lets a share of all trades be tried again before they are mined.",
        "a chain that is busy: RETRYING, then MINED",
        (RATE, Parameter("retries", "Attempts before.", 2, 1, 10)),
    ),
    Kind(
        "slow_settlement",
        Group.PERSISTENT,
        "Lets trades wait before they are mined.",
        "settlement that takes minutes",
        (_seconds("The wait.", 600, 86_400),),
    ),
    Kind(
        "stale_balance",
        Group.PERSISTENT,
        "Answers and checks balances as they were, until the client asks for an update or the time is over.",
        "the venue's balance cache: a full-size sale after a match is refused",
        (_seconds("How old a balance may become.", 60, 86_400),),
    ),
    Kind(
        "clock_skew",
        Group.PERSISTENT,
        "Sets the exchange's clock for log-ins and /time apart.",
        "a clock that is wrong on either side",
        (_seconds("How far, ahead if positive.", 120, 86_400, -86_400),),
    ),
    Kind(
        "gtd_early",
        Group.PERSISTENT,
        "Ends orders with an expiration earlier still than a minute before it; for orders posted from now on.",
        "expiries that come early",
        (_seconds("How much earlier.", 30, 100),),
    ),
    Kind("banned", Group.PERSISTENT, "Bans an address.", "an address that is banned", (ADDRESS,)),
    Kind("closed_only", Group.PERSISTENT, "Lets an address sell only.", "close-only mode of an address", (ADDRESS,)),
)
_MARKET = (
    Kind(
        "tick",
        Group.MARKET,
        "Changes the tick.",
        "a tick that changes in the middle of a session",
        (MARKET, Parameter("tick_size", "The new one.", 0.001, 0.0001, 0.1)),
    ),
    Kind(
        "terms",
        Group.MARKET,
        "Changes the smallest size and the fee rate.",
        "terms that change in the middle of a session",
        (
            MARKET,
            Parameter("minimum_size", "Shares.", 15, 1, 1_000),
            Parameter("fee_rate", "Of the fee formula.", 0.05, 0, 1),
        ),
    ),
    Kind("suspend", Group.MARKET, "Stops taking orders.", "accepting_orders becomes false", (MARKET,)),
    Kind("reopen", Group.MARKET, "Takes orders again.", "the end of a suspension or delisting", (MARKET,)),
    Kind(
        "delist", Group.MARKET, "Archives the market and takes its book away.", "a market that is delisted", (MARKET,)
    ),
    Kind(
        "end", Group.MARKET, "Lets the market end now; it is proposed and resolved as usual.", "an early end", (MARKET,)
    ),
    Kind("dispute", Group.MARKET, "Lets the next resolution be disputed.", "a dispute and a new proposal", (MARKET,)),
    Kind("void", Group.MARKET, "Lets it resolve to one half each.", "a 50/50 resolution", (MARKET,)),
    Kind(
        "jump",
        Group.MARKET,
        "Quotes around another price until the makers look again.",
        "a price that jumps within a tick and back",
        (MARKET, Parameter("price", "The new middle.", 0.9, 0.05, 0.95)),
    ),
    Kind(
        "empty_book", Group.MARKET, "Takes the makers' levels away until they look again.", "an empty side", (MARKET,)
    ),
)
_STREAM = (
    Kind(
        "stalled_socket",
        Group.STREAM,
        "Lets open connections fall silent; PING is still answered.",
        "a feed that stalls while the connection looks alive",
        (CHANNEL, SOCKET),
    ),
    Kind("dropped_socket", Group.STREAM, "Breaks open connections off.", "a storm of disconnects", (CHANNEL, SOCKET)),
    Kind("stalled_token", Group.STREAM, "Says nothing more about one token.", "one asset that stalls", (TOKEN,)),
    Kind(
        "missing_snapshot",
        Group.STREAM,
        "Leaves out the first books of the next subscriptions.",
        "changes that come before a snapshot",
        (Parameter("count", "How many subscriptions.", 1, 1, 1_000_000),),
    ),
    Kind("lost_tokens", Group.STREAM, "Forgets a share of subscribed tokens.", "a subscription in part", (RATE,)),
    Kind("doubled_frames", Group.STREAM, "Sends a share of frames twice.", "messages that repeat", (RATE,)),
    Kind("missing_frames", Group.STREAM, "Loses a share of frames.", "events that never arrive", (RATE,)),
    Kind("garbled_frames", Group.STREAM, "Makes a share of frames no JSON.", "malformed messages", (RATE,)),
    Kind("reordered_frames", Group.STREAM, "Swaps a share of frames with the next.", "messages out of order", (RATE,)),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in (*_REQUEST, *_ANSWER, *_STANDING, *_MARKET, *_STREAM)}
# What random faults are drawn from unless kinds are named: troubles that pass by themselves.
RANDOM_KINDS = (
    "425",
    "429",
    "500",
    "garbage",
    "half",
    "hang_up",
    "held",
    "html",
    "late",
    "missing_page",
    "refused",
    "repeat",
    "reset",
    "short_page",
    "silence",
    "slow",
    "twice",
)
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
