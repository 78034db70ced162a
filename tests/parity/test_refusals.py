"""Every refusal that an order can earn at the venue, earned at the exchange and on paper: same code, same text, same winner.

The orders are all combinations of what can be wrong with one; which of two broken rules is told is stated here once more.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import pytest

from polymarket_kit import rejections
from polymarket_kit.model import OrderType, Side
from polymarket_kit.rejections import Rejection
from polymarket_kit.values import MICRO
from practice_exchange.clob import order_gateway
from prescient.domain import risk
from prescient.domain.order import OrderIntent, Refused

from .both import MARKET, START_MS, YES, Both, Said
from .parity import RICH_MICRO

GTC, GTD, FOK, FAK = OrderType.GTC, OrderType.GTD, OrderType.FOK, OrderType.FAK
PRECISION = "invalid amounts, the {} orders maker amount supports a max accuracy of # decimals, taker amount a max of # decimals"
# What an order can earn on both sides, first what is told first: (what is broken, code, text without its numbers).
RULES = (
    ("unknown market", "market_not_found", "No orderbook exists for the requested token id"),
    ("closed market", "market_closed", "No orderbook exists for the requested token id"),
    ("suspended market", "market_closed", "the market is not yet ready to process new orders"),
    ("market order with an end", "invalid_expiration", "invalid expiration"),
    ("post-only market order", "invalid_order", "Invalid order payload"),
    ("nothing for something", "invalid_order", "Invalid order payload"),
    ("market buy precision", "amount_precision", PRECISION.format("market buy")),
    ("market sell precision", "amount_precision", PRECISION.format("market sell")),
    ("off the grid", "price_off_grid", "order {id} is invalid. Price (#) breaks minimum tick size rule: #"),
    ("buy precision", "amount_precision", PRECISION.format("buy")),
    ("sell precision", "amount_precision", PRECISION.format("sell")),
    ("expiration", "invalid_expiration", "invalid expiration"),
    ("nothing to match", "not_filled", rejections.FAK_KILLED),
    ("nothing to fill", "not_filled", rejections.FOK_KILLED),
    ("too small to rest", "size_too_small", "order {id} is invalid. Size (#) lower than the minimum: #"),
    ("post-only crosses", "post_only_crosses", "invalid post-only order: order crosses book"),
    ("below a dollar", "below_minimum", "invalid amount for a marketable BUY order ($#), min size: $#"),
    ("not all to fill", "not_filled", rejections.FOK_KILLED),
)
RANKS = {name: rank for rank, (name, _, _) in enumerate(RULES)}

# The rest of the venue's catalogue, and why an order on paper cannot earn it.
NO_LOG_IN = "paper has no log-in, no keys and no signatures"
TYPED = "an intent has a side, a token and amounts; what cannot be read never becomes one"
OPERATION = "the state of the venue's own machinery, which public market data does not tell"
NOT_ON_PAPER = {
    "Unauthorized/Invalid api key": NO_LOG_IN,
    "Invalid L1 Request headers": NO_LOG_IN,
    "the order owner has to be the owner of the API KEY": NO_LOG_IN,
    "the order signer address has to be the address of the API KEY": NO_LOG_IN,
    "maker address not allowed, please use the deposit wallet flow": NO_LOG_IN,
    "invalid signature": NO_LOG_IN,
    "order_version_mismatch": NO_LOG_IN,
    "invalid order version": NO_LOG_IN,
    "'{address}' address banned": NO_LOG_IN,
    "'{address}' address in closed only mode": NO_LOG_IN,
    "Trading restricted in your region": NO_LOG_IN,
    "order {id} is invalid. Duplicated.": "the store reserves money for one order of an id and refuses the second",
    "order {id} crosses the book": "the text of the post-only window alone: " + OPERATION,
    "not enough balance / allowance: the balance is not enough": "the risk gate reserves first, and refuses before",
    "not enough balance / allowance: the allowance is not enough": "paper spends its own ledger, which no contract moves",
    "order match delayed due to market conditions": "said to a cancel; an order under way on paper has no handle yet",
    "Too many orders in payload: #, max allowed: #": "orders go one by one",
    "Too many orders in payload, max allowed: #": "said to a cancel of many; ours are cancelled one by one",
    "Invalid orderID": "said to a cancel; ours are looked up in our own store",
    "market not found": "said to reads of a market, not to orders",
    "Invalid token id": TYPED,
    "Invalid side": TYPED,
    "Invalid payload": TYPED,
    "Payload exceeds the limit": TYPED,
    "service not ready": OPERATION,
    "Too Many Requests": "a quota of requests; paper's own are to public data, and are spaced there",
    "order timed out": OPERATION,
    "could not run the execution": OPERATION,
    "could not insert order": OPERATION,
    "there are no matching orders": OPERATION,
    "the trade contains rounding issues": OPERATION,
    "Trading is currently disabled. Check polymarket.com for updates": OPERATION,
    "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.": OPERATION,
    "post-only mode: only post-only orders and cancels are allowed": OPERATION,
}


class Wrong(NamedTuple):
    """One choice for one part of an order, and what it breaks (nothing, if empty)."""

    value: object
    breaks: str = ""


MARKETS = [Wrong("open"), *(Wrong(name, f"{name} market") for name in ("unknown", "closed", "suspended"))]


def pattern(said: tuple[str, str]) -> tuple[str, str]:
    """A refusal without its numbers and ids."""
    code, text = said
    return code, re.sub(r"\d+(\.\d+)?", "#", text.replace("order:1", "{id}"))


def limit_orders(side: Side, order_type: OrderType) -> Iterator[tuple[str, OrderIntent, list[str]]]:
    """Every limit order that can be made of these parts, with its market's state and what it breaks."""
    crossing, other = (560_000, 540_000) if side is Side.BUY else (540_000, 560_000)
    middle, kind = (565_000, "buy") if side is Side.BUY else (535_000, "sell")
    prices = [Wrong(other), Wrong(crossing), Wrong(545_000, "off the grid"), Wrong(middle, "off the grid")]
    sizes = [
        Wrong(20 * MICRO),
        Wrong(20_005_000, f"{kind} precision"),
        Wrong(MICRO),
        Wrong(1_005_000, f"{kind} precision"),
    ]
    far_s = START_MS // 1000 + 600
    ends = [Wrong(0), Wrong(far_s, "expiration")]
    if order_type is GTD:
        ends = [Wrong(far_s), Wrong(START_MS // 1000 + 179, "expiration"), Wrong(0, "expiration")]
    for state, price, size, end, post_only in product(MARKETS, prices, sizes, ends, (False, True)):
        made = blank(side, order_type, price, size_micro=size.value, expiration_s=end.value, post_only=post_only)
        dollars = made.size_micro * made.limit_price_micro // MICRO
        crosses = price.value in (crossing, middle)
        by_book = [("too small to rest", not crosses and made.size_micro < 5 * MICRO)]
        by_book.append(("post-only crosses", crosses and post_only))
        by_book.append(("below a dollar", crosses and side is Side.BUY and dollars < MICRO))
        broken = [state.breaks, price.breaks, size.breaks, end.breaks, *(name for name, is_so in by_book if is_so)]
        yield str(state.value), made, [name for name in broken if name]


def market_orders(side: Side, order_type: OrderType) -> Iterator[tuple[str, OrderIntent, list[str]]]:
    """As ``limit_orders``, for orders that must match at once."""
    crossing, other = (560_000, 500_000) if side is Side.BUY else (540_000, 600_000)
    kind, part = ("buy", "amount_micro") if side is Side.BUY else ("sell", "size_micro")
    amounts = [Wrong(20 * MICRO), Wrong(20_005_000, f"market {kind} precision"), Wrong(500_000), Wrong(90 * MICRO)]
    if side is Side.SELL:
        amounts[3] = Wrong(160 * MICRO)
    ends = [Wrong(0), Wrong(START_MS // 1000 + 600, "market order with an end")]
    posts = [Wrong(False), Wrong(True, "post-only market order")]
    for state, price, amount, end, post in product(MARKETS, (crossing, other), amounts, ends, posts):
        given = {part: amount.value, "expiration_s": end.value, "post_only": post.value}
        made = blank(side, order_type, Wrong(price), **given)
        crosses, too_much = price == crossing, amount is amounts[3]
        by_book = [("nothing to match" if order_type is FAK else "nothing to fill", not crosses)]
        by_book.append(("below a dollar", crosses and side is Side.BUY and made.amount_micro < MICRO))
        by_book.append(("not all to fill", crosses and order_type is FOK and too_much))
        broken = [state.breaks, amount.breaks, end.breaks, post.breaks, *(name for name, is_so in by_book if is_so)]
        yield str(state.value), made, [name for name in broken if name]


def blank(side: Side, order_type: OrderType, price: Wrong, **given: object) -> OrderIntent:
    assert isinstance(price.value, int)
    return OrderIntent("order:1", 1, "signal:1", MARKET, YES, side, order_type, price.value, **given)  # type: ignore[arg-type] # fields of the intent


def put(both: Both, state: str) -> None:
    """Bring the market into a state, on both sides."""
    if state == "closed":
        both.engine.close_market(MARKET, both.now_ms)
    elif state == "suspended":
        both.engine.suspend_market(MARKET, both.now_ms)


async def sent(state: str, intent: OrderIntent, **terms: int | bool) -> tuple[Said, Said]:
    """What paper and the exchange say to one order in a market of its own."""
    both = await Both(**terms).open()
    put(both, state)
    both.data.known = state != "unknown"
    paper = await both.on_paper(intent)
    if state == "unknown":
        both.engine.core.tokens.clear()
    return paper, both.at_the_exchange(intent)


DELAYS: list[dict[str, int | bool]] = [{}, {"seconds_delay": 1}, {"taker_delay": True}]
BASES = [(order_type, side) for order_type in OrderType for side in Side]


def orders(side: Side, order_type: OrderType) -> list[tuple[str, OrderIntent, list[str]]]:
    make = limit_orders if order_type in (GTC, GTD) else market_orders
    return list(make(side, order_type))


@pytest.mark.parametrize(("order_type", "side"), BASES, ids=[f"{kind} {side}" for kind, side in BASES])
async def test_whatever_is_wrong_both_say_the_same(order_type: OrderType, side: Side) -> None:
    cases = orders(side, order_type)
    for number, (state, intent, broken) in enumerate(cases):
        paper, real = await sent(state, intent, **DELAYS[number % len(DELAYS)])
        assert paper == real, f"{state} {intent}: paper {paper}, the exchange {real}"
        if not broken:
            assert real is None, f"{state} {intent}: {real}"
            continue
        _, code, text = RULES[min(RANKS[name] for name in broken)]
        assert real is not None and pattern(real) == (code, text), f"{state} {intent} breaks {broken}: {real}"
    assert sum(len(broken) > 1 for _, _, broken in cases) > len(cases) // 2


# Market orders so small that their amounts round to nothing, or to a price beyond the grid's end.
TINY = [
    ("nothing for something", blank(Side.SELL, FAK, Wrong(5_000), size_micro=10_000)),
    ("off the grid", blank(Side.BUY, FOK, Wrong(999_000), amount_micro=10_000)),
]


@pytest.mark.parametrize(("rule", "intent"), TINY, ids=[rule for rule, _ in TINY])
async def test_amounts_that_round_to_nonsense_are_refused_alike(rule: str, intent: OrderIntent) -> None:
    paper, real = await sent("open", intent, tick_micro=1_000)
    assert paper == real is not None
    assert pattern(real) == RULES[RANKS[rule]][1:]


def test_every_rule_is_told_to_some_order() -> None:
    told = {
        min(broken, key=RANKS.__getitem__)
        for order_type, side in BASES
        for _, _, broken in orders(side, order_type)
        if broken
    }
    assert told | {rule for rule, _ in TINY} == set(RANKS)


def known_refusals() -> Iterator[Rejection]:
    """Every refusal of the rulebook and of the exchange's own gate, made with some numbers where it has them."""
    for module in (rejections, order_gateway):
        yield from (value for value in vars(module).values() if isinstance(value, Rejection))
    for name, make in inspect.getmembers(rejections, inspect.isfunction):
        if make.__module__ == rejections.__name__ and not name.startswith("_"):
            given = inspect.signature(make, eval_str=True).parameters.values()
            yield make(*("order:1" if each.annotation is str else 7 for each in given))


def test_what_paper_cannot_earn_is_listed_with_its_reason() -> None:
    told = {text for _, _, text in RULES}
    assert not told & set(NOT_ON_PAPER) and all(NOT_ON_PAPER.values())
    listed = {text.replace("{address}", "{id}") for text in (*told, *NOT_ON_PAPER)}
    for refusal in known_refusals():
        _, text = pattern((refusal.code, refusal.text))
        assert any(text.startswith(one) for one in listed) or "orders maker amount supports" in text, text


async def test_what_the_risk_gate_refuses_never_reaches_paper() -> None:
    """The exchange looks at the money behind an order; on paper the gate before it does."""
    both = await Both().open()
    rules = (await both.data.rules([MARKET]))[MARKET]
    dear = both.intent(Side.BUY, GTC, 540_000, size_micro=10 * RICH_MICRO)
    sale = both.intent(Side.SELL, GTC, 540_000, size_micro=10 * RICH_MICRO)
    for intent, code in ((dear, "insufficient_cash"), (sale, "insufficient_shares")):
        real = both.at_the_exchange(intent)
        assert real is not None and real[0] == "not_enough_balance"
        gate = risk.check(intent, rules, await both.holdings())
        assert isinstance(gate, Refused) and gate.code == code
