"""Every refusal that the venue documents can be earned over HTTP, in its words, with its status."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from polymarket_kit import rejections
from polymarket_kit.messages.orders import encode_order
from polymarket_kit.rejections import Rejection
from practice_exchange import clob as trading
from practice_exchange.app.server import PracticeServer
from practice_exchange.engine.orders import Mode, OrderState

from .rejection_access import FAULTS, LOG_INS, MODES, PEOPLE, READS
from .rejection_cases import POST_ONLY, Case, ask_cents, in_mode, post
from .rejection_orders import ORDERS
from .trading_http import HttpUser, funded_wallet, serve_in_thread

TESTS = Path(__file__).resolve().parent
CASES = [*(case._replace(area="Log-in") for case in LOG_INS), *PEOPLE, *ORDERS, *MODES, *READS, *FAULTS]
KINDS = [("buy", 4, 2), ("sell", 2, 4), ("market buy", 2, 4), ("market sell", 2, 4)]
_names = count()


@pytest.fixture(scope="module")
def server() -> Iterator[PracticeServer]:
    with serve_in_thread() as served:
        yield served


@pytest.fixture
def user(server: PracticeServer) -> Iterator[HttpUser]:
    """A user with a wallet of its own on the shared exchange, which is set back to normal behind it."""
    user = HttpUser(server, funded_wallet(server, f"rejected {next(_names)}"))
    yield user
    engine = user.trading.venue_engine.engine
    engine.set_mode(Mode.NORMAL, user.trading.venue_engine.now_ms)
    user.market.accepting_orders = True
    user.world.revision += 1
    user.trading.advance()
    engine.cancel_all(user.wallet.funder, user.trading.venue_engine.now_ms)


def claimed(case: Case) -> object:
    mark = pytest.mark.fidelity(
        f"{case.rule}: `{case.status} {case.text}`", area=case.area, evidence=case.evidence, source=case.source
    )
    return pytest.param(case, id=case.name, marks=mark)


def pattern(text: str, user: HttpUser) -> str:
    whole = re.escape(text.replace("{address}", user.wallet.funder))
    return whole.replace(re.escape("{id}"), re.escape("{id}")).replace(re.escape("{n}"), r"[\d.]+")


@pytest.mark.parametrize("case", [claimed(case) for case in CASES])
def test_the_venue_says_no(case: Case, user: HttpUser) -> None:
    heard = case.deed(user)
    assert heard.status == case.status
    assert heard.headers["content-type"].startswith("application/json")
    assert re.fullmatch(pattern(case.text, user), heard.body["error"]), heard.body


def plain(text: str) -> str:
    """A text without the numbers, ids and addresses in it."""
    return re.sub(r"\{\w+\}|0x[0-9a-fA-F]+|\d[\d.]*", "#", text)


def known_rejections() -> Iterator[Rejection]:
    """Every refusal that is written down in the engine and in the trading side, made with some numbers where it has them."""
    modules = [rejections, *_modules_of_trading()]
    for module in modules:
        yield from (value for value in vars(module).values() if isinstance(value, Rejection))
    for name, make in inspect.getmembers(rejections, inspect.isfunction):
        if make.__module__ != rejections.__name__ or name.startswith("_") or name == "amount_precision":
            continue
        given = inspect.signature(make, eval_str=True).parameters.values()
        yield make(*("0x0" if each.annotation is str else 7 for each in given))
    yield from (rejections.amount_precision(*kind) for kind in KINDS)


def _modules_of_trading() -> Iterator[object]:
    for found in pkgutil.iter_modules(trading.__path__, f"{trading.__name__}."):
        yield importlib.import_module(found.name)


def test_every_refusal_of_the_exchange_is_earned_somewhere() -> None:
    earned = {plain(case.text) for case in CASES}
    # Terms of zero are left out of what is said about money: with all terms it is the longest form.
    earned |= {text.replace("sum of active orders: #, sum of matched orders: #, ", "") for text in earned}
    known = {rejection.text for rejection in known_rejections()} - {rejections.MATCH_DELAYED.text}
    missing = {text for text in known if plain(text) not in earned and "the allowance is" not in text}
    assert not missing
    assert len(known) > 25


def refusals_in(path: Path) -> Iterator[str]:
    """The texts that a module of routes says no with, where they are written out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id in ("clob_invalid", "clob_missing") and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def test_every_text_of_the_routes_is_asserted_in_a_test() -> None:
    asserted = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.glob("*.py"))
    folder = Path(str(trading.__file__)).parent
    texts = {text for path in folder.glob("*.py") for text in refusals_in(path)}
    assert texts and not {text for text in texts if text not in asserted}


@pytest.mark.fidelity(
    "The post-only window says how long it lasts: `code`, `retry_after_seconds` and the header `Retry-After`",
    area="Limits and modes",
    evidence="specification",
    source="OpenAPI, POST /order",
)
def test_the_post_only_window_says_how_long_it_lasts(user: HttpUser) -> None:
    heard = in_mode(Mode.POST_ONLY, post())(user)
    assert heard.body == {"error": POST_ONLY, "code": "post_only_mode", "retry_after_seconds": 79}
    assert heard.headers["retry-after"] == "79"


@pytest.mark.fidelity(
    "In the post-only window a batch refuses each order by itself, with `success: true`",
    area="Limits and modes",
    evidence="specification",
    source="matching engine restarts",
)
def test_in_the_post_only_window_a_batch_refuses_each_leg(user: HttpUser) -> None:
    now_ms = user.trading.venue_engine.now_ms
    user.trading.venue_engine.engine.set_mode(Mode.POST_ONLY, now_ms, now_ms + 60_000)
    status, answers = user.send("POST", "/orders", b"[" + encode_order(user.order()) + b"]")
    assert status == 200
    assert (answers[0]["success"], answers[0]["errorMsg"], answers[0]["orderID"]) == (True, POST_ONLY, "")


@pytest.mark.fidelity(
    "Cancel-only and post-only modes let cancels through",
    area="Limits and modes",
    evidence="specification",
    source="matching engine",
)
@pytest.mark.parametrize("mode", [Mode.CANCEL_ONLY, Mode.POST_ONLY])
def test_cancels_go_through_in_the_milder_modes(user: HttpUser, mode: Mode) -> None:
    _, placed = user.post(user.order())
    now_ms = user.trading.venue_engine.now_ms
    user.trading.venue_engine.engine.set_mode(mode, now_ms, now_ms + 60_000)
    assert user.send("DELETE", "/cancel-all")[1] == {"canceled": [placed["orderID"]], "not_canceled": {}}


@pytest.mark.fidelity(
    "A cancel says why not: `order already matched`, `Order not found or already canceled`",
    area="Cancels",
    evidence="specification",
    source="error codes",
)
def test_a_cancel_says_why_it_was_not(user: HttpUser) -> None:
    _, matched = user.post(user.order(price_cents=ask_cents(user)))
    assert matched["status"] == "matched"
    _, gone = user.post(user.order())
    user.send("DELETE", "/cancel-all")
    body = f'["{matched["orderID"]}","{gone["orderID"]}"]'.encode()
    reasons = {matched["orderID"]: "order already matched", gone["orderID"]: "Order not found or already canceled"}
    assert user.send("DELETE", "/orders", body) == (200, {"canceled": [], "not_canceled": reasons})


@pytest.mark.fidelity(
    "During the taker delay an order cannot be cancelled: `order match delayed due to market conditions`",
    area="Cancels",
    evidence="assumed",
    source="that it cannot is documented; the text is the venue's, its place is assumed",
)
def test_a_delayed_order_cannot_be_cancelled(user: HttpUser) -> None:
    market = next(
        market
        for market in user.world.register.markets.values()
        if market.trading and market.seconds_delay and market.book.ask_prices and market.book.ask_sizes[-1] > 20_000_000
    )
    cents = market.book.best_ask_micro // 10_000 + 1
    _, placed = user.post(user.order(price_cents=cents, size=20, market=market))
    assert (placed["status"], placed["makingAmount"], placed["tradeIDs"]) == ("delayed", "", [])
    reasons = {placed["orderID"]: "order match delayed due to market conditions"}
    assert user.send("DELETE", "/cancel-all")[1] == {"canceled": [], "not_canceled": reasons}
    order = user.trading.venue_engine.engine.order(placed["orderID"])
    assert order is not None and order.status is OrderState.DELAYED


@pytest.mark.fidelity(
    "An account does not trade with itself: its own resting order is cancelled when its match comes to it",
    area="Matching",
    evidence="assumed",
)
def test_an_account_does_not_trade_with_itself(user: HttpUser) -> None:
    bid = user.market.book.best_bid_micro // 10_000 + 1
    _, resting = user.post(user.order(price_cents=bid))
    assert resting["status"] == "live"
    token = int(user.market.token_ids[1])
    mirrored = user.order(price_cents=100 - bid, token_id=token)
    _, second = user.post(mirrored)
    assert second["status"] == "live"
    assert [order["id"] for order in user.send("GET", "/data/orders")[1]["data"]] == [second["orderID"]]
    assert user.send("GET", "/data/trades")[1]["data"] == []


@pytest.mark.fidelity(
    "The salt is taken as a number and as a string",
    area="Orders",
    evidence="specification",
    source="POST /order; older documents show a string",
)
def test_the_salt_is_a_number_or_a_string(user: HttpUser) -> None:
    first, second = user.order(), user.order()
    text = encode_order(second).replace(
        f'"salt":{second.order.salt},'.encode(), f'"salt":"{second.order.salt}",'.encode()
    )
    assert b'"salt":"' in text and user.post(first)[0] == 200
    assert user.send("POST", "/order", text)[1]["status"] == "live"


@pytest.mark.fidelity(
    "A log-in may be used again while it is fresh; an order posted again with it is a duplicate",
    area="Log-in",
    evidence="specification",
    source="L2 carries no nonce",
)
def test_a_whole_request_sent_again_is_a_duplicate_order(user: HttpUser) -> None:
    body = encode_order(user.order())
    first, second = user.send("POST", "/order", body), user.send("POST", "/order", body)
    assert first[0] == 200
    assert second == (400, {"error": f"order {first[1]['orderID']} is invalid. Duplicated."})
