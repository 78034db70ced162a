"""Every answer of the practice exchange validates against the venue's own OpenAPI files, save for the listed exceptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from polymarket_kit.messages.orders import encode_order, encode_orders
from polymarket_kit.signing.auth import l1_headers
from practice_exchange.app.server import PracticeServer

from .deviations import DEVIATIONS, SERVED, UNSERVED
from .rejection_cases import ask_cents
from .specifications import Specification
from .trading_http import Heard, HttpUser, funded_wallet, hear, serve_in_thread
from .trading_user import NOW_S

NOWHERE = "0x" + "a" * 64
Answers = Iterator[tuple[str, Heard]]


@pytest.fixture(scope="module")
def server() -> Iterator[PracticeServer]:
    with serve_in_thread(300) as served:
        yield served


def public_answers(user: HttpUser) -> Answers:
    """Every public read of the order-book API, well asked and badly."""
    market = user.market
    token, other = market.token_ids
    plain: dict[str, str] = {}

    def get(path: str, query: str = "", named: str = "") -> tuple[str, Heard]:
        return f"GET {named or path}", user.hear("GET", path, query=query, headers=plain)

    def post(path: str, asked: object) -> tuple[str, Heard]:
        return f"POST {path}", user.hear("POST", path, json.dumps(asked).encode(), headers=plain)

    yield get("/time")
    for path in ("/book", "/midpoint", "/spread", "/last-trade-price", "/tick-size", "/neg-risk", "/fee-rate"):
        for query in (f"token_id={token}", f"token_id={other}", "token_id=1", "token_id=x"):
            yield get(path, query)
    for path in ("/tick-size", "/neg-risk", "/fee-rate", "/markets-by-token"):
        for name in (token, "1"):
            yield get(f"{path}/{name}", named=f"{path}/{{token_id}}")
    for side in ("BUY", "SELL", "LEFT"):
        yield get("/price", f"token_id={token}&side={side}")
    asked = [{"token_id": token, "side": "BUY"}, {"token_id": other, "side": "SELL"}, {"token_id": "1", "side": "BUY"}]
    for path in ("/books", "/prices", "/midpoints", "/spreads", "/last-trades-prices"):
        yield post(path, asked)
        yield post(path, {"token_id": token})
        if path != "/spreads":
            yield get(path, f"token_ids={token}&sides=BUY")
    for path in ("/simplified-markets", "/sampling-markets", "/sampling-simplified-markets"):
        yield get(path)
        yield get(path, "next_cursor=LTE=")
    for each in list(user.world.register.markets.values())[:200]:
        yield get(f"/clob-markets/{each.condition_id}", named="/clob-markets/{condition_id}")
    yield get("/clob-markets/x", named="/clob-markets/{condition_id}")
    yield get("/prices-history", f"market={token}&interval=1d&fidelity=60")
    yield get("/prices-history", f"market={token}&interval=1m&fidelity=1")


def account_answers(user: HttpUser) -> Answers:
    """Every read and write of an account: keys, orders of each fate, cancels of each form, trades, balances."""

    def ask(method: str, path: str, query: str = "", body: bytes = b"", named: str = "") -> tuple[str, Heard]:
        return f"{method} {named or path}", user.hear(method, path, body or None, query)

    l1 = l1_headers(user.key, NOW_S, 0, chain_id=137)
    second = l1_headers(user.key, NOW_S, 1, chain_id=137)
    yield "POST /auth/api-key", user.hear("POST", "/auth/api-key", headers=second)
    yield "POST /auth/api-key", user.hear("POST", "/auth/api-key", headers=second)
    yield "POST /auth/api-key", user.hear("POST", "/auth/api-key", headers={})
    yield "GET /auth/derive-api-key", user.hear("GET", "/auth/derive-api-key", headers=l1)
    yield "GET /auth/api-keys", user.hear("GET", "/auth/api-keys", headers=l1)
    yield ask("GET", "/auth/ban-status/closed-only")
    yield from order_answers(user)
    for method, path in (
        ("GET", "/data/orders"),
        ("POST", "/order"),
        ("DELETE", "/cancel-all"),
        ("GET", "/data/trades"),
    ):
        yield f"{method} {path}", user.hear(method, path, headers={})
    for kind in ("COLLATERAL", f"CONDITIONAL&token_id={user.market.token_ids[0]}", "GOLD"):
        yield ask("GET", "/balance-allowance", f"asset_type={kind}&signature_type=0")
        yield ask("PUT", "/balance-allowance", f"asset_type={kind}&signature_type=0")
        yield ask("GET", "/balance-allowance/update", f"asset_type={kind}&signature_type=0")
    yield ask("GET", "/notifications", "signature_type=0")
    yield ask("DELETE", "/notifications", "ids=1,2")
    heartbeat = ask("POST", "/v1/heartbeats", body=b'{"heartbeat_id":""}')
    yield heartbeat
    yield ask("POST", "/v1/heartbeats", body=b'{"heartbeat_id":"00000000-0000-0000-0000-000000000000"}')
    yield ask("POST", "/heartbeats")
    yield ask("POST", "/auth/builder-api-key")
    yield ask("GET", "/auth/builder-api-key")
    yield "DELETE /auth/builder-api-key", user.hear("DELETE", "/auth/builder-api-key", headers={})
    yield ask("DELETE", "/auth/api-key")


def order_answers(user: HttpUser) -> Answers:
    """Orders that rest, match, are refused and are cancelled."""

    def ask(method: str, path: str, query: str = "", body: bytes = b"", named: str = "") -> tuple[str, Heard]:
        return f"{method} {named or path}", user.hear(method, path, body or None, query)

    live = ask("POST", "/order", body=encode_order(user.order()))
    matched = ask("POST", "/order", body=encode_order(user.order(price_cents=ask_cents(user))))
    yield live
    yield matched
    yield ask("POST", "/order", body=encode_order(user.order(size=4)))
    yield ask("POST", "/orders", body=encode_orders([user.order(), user.order(size=4), user.order()]))
    yield ask("POST", "/orders", body=b"[]")
    yield ask("GET", "/data/orders")
    yield ask("GET", "/data/orders", "next_cursor=LTE=")
    ids = [live[1].body["orderID"], matched[1].body["orderID"], NOWHERE]
    for order_id in (*ids, "x"):
        yield ask("GET", f"/data/order/{order_id}", named="/data/order/{orderID}")
    yield ask("GET", "/data/trades")
    yield ask("GET", "/data/trades", f"id={matched[1].body['tradeIDs'][0]}")
    yield ask("GET", "/data/trades", "after=x")
    user.trading.venue_engine.engine.advance(user.trading.venue_engine.now_ms + 60_000)
    yield ask("GET", "/data/trades")
    yield ask("GET", "/order-scoring", f"order_id={ids[0]}")
    yield ask("POST", "/orders-scoring", body=json.dumps(ids).encode())
    yield ask("POST", "/orders-scoring", body=b"{}")
    for asked in (f"order_ids={ids[0]}&order_ids={ids[1]}", f"order_ids={ids[0]},{ids[1]}", "order_ids=x"):
        yield ask("GET", "/orders-scoring", asked)
    for order_id in (*ids, "x"):
        yield ask("DELETE", "/order", body=json.dumps({"orderID": order_id}).encode())
    yield ask("DELETE", "/orders", body=json.dumps(ids).encode())
    yield ask("DELETE", "/orders", body=b"x")
    yield ask("DELETE", "/cancel-market-orders", body=json.dumps({"market": user.market.condition_id}).encode())
    yield ask("DELETE", "/cancel-market-orders", body=b"{}")
    yield ask("DELETE", "/cancel-all")


def catalogue_answers(server: PracticeServer) -> Answers:
    """Every read of the catalogue, with all its events, markets and tags."""
    register = server.exchange.world.register

    def get(path: str, query: str = "", named: str = "") -> tuple[str, Heard]:
        return f"GET {named or path}", hear(server, "GET", f"/gamma{path}", query=query)

    for offset in range(0, len(register.events), 100):
        yield get("/events", f"limit=100&offset={offset}")
    for closed in ("true", "false"):
        yield get("/markets", f"limit=100&closed={closed}&include_tag=true")
    yield get("/events/keyset", "limit=50")
    yield get("/markets/keyset", "limit=50")
    yield get("/events/keyset", "offset=1")
    yield get("/markets/keyset", "limit=x")
    event, market = next(iter(register.events.values())), next(iter(register.markets.values()))
    tag = next(iter(register.tags))
    for kind, number, slug in (
        ("events", event.number, event.slug),
        ("markets", market.number, market.slug),
        ("tags", register.tags[tag][0], tag),
    ):
        yield get(f"/{kind}/{number}", named=f"/{kind}/{{id}}")
        yield get(f"/{kind}/999999999", named=f"/{kind}/{{id}}")
        yield get(f"/{kind}/slug/{slug}", named=f"/{kind}/slug/{{slug}}")
        yield get(f"/{kind}/slug/no-such-slug", named=f"/{kind}/slug/{{slug}}")
    yield get("/tags", "limit=100")
    yield get("/public-search", "q=will")
    yield get("/status")


def data_answers(server: PracticeServer, user: HttpUser) -> Answers:
    """What the Data API tells of an account that has bought and holds something, and of one that has not."""
    user.post(user.order(price_cents=ask_cents(user)))
    hear(server, "POST", "/practice/advance", b'{"seconds":30}')

    def get(path: str, query: str = "") -> tuple[str, Heard]:
        return f"GET {path}", hear(server, "GET", f"/data{path}", query=query)

    yield get("/")
    for path in ("/positions", "/closed-positions", "/trades", "/activity", "/value"):
        for asked in (f"user={user.wallet.funder}", "user=0x" + "a" * 40, "user=x", "user=&limit=x"):
            yield get(path, asked)
    yield get("/trades", "limit=1000")
    yield get("/activity", f"user={user.wallet.funder}&excludeDepositsWithdrawals=false")
    yield get("/trades", f"market={user.market.condition_id}&takerOnly=false")


def relayer_answers(server: PracticeServer, user: HttpUser) -> Answers:
    """A new deposit wallet, asked for with a relayer's key, and what refuses it."""

    def ask(method: str, path: str, query: str = "", body: bytes | None = None, **given: str) -> tuple[str, Heard]:
        headers = {name.upper(): value for name, value in given.items()}
        return f"{method} {path}", hear(server, method, f"/relayer{path}", body, query, headers)

    owner = json.dumps({"address": user.wallet.address}).encode()
    key = hear(server, "POST", "/practice/relayer-key", owner).body["apiKey"]
    login = {"relayer_api_key": key, "relayer_api_key_address": user.wallet.address}
    for query in (f"address={user.wallet.address}&type=WALLET", "address=x&type=WALLET", "address=x"):
        yield ask("GET", "/deployed", query)
        yield ask("GET", "/relay-payload", query)
    wallet = json.dumps({"type": "WALLET-CREATE", "from": user.wallet.address, "to": user.wallet.address}).encode()
    yield ask("POST", "/submit", body=wallet)
    yield ask("POST", "/submit", body=b"{}", **login)
    yield ask("POST", "/submit", body=wallet, **login)


def judged(specification: Specification, answers: Answers) -> tuple[set[tuple[str, str]], set[str]]:
    """The faults that answers have, by operation, and the operations that there are."""
    faults: set[tuple[str, str]] = set()
    served: set[str] = set()
    for operation, heard in answers:
        is_json = "json" in heard.headers.get("content-type", "")
        body = heard.body if is_json else heard.content.decode()
        faults |= {(operation, fault) for fault in specification.faults(operation, heard.status, body)}
        if "404 page not found" not in str(body):
            served.add(operation)
    return faults, served


def expected(specification: Specification) -> set[tuple[str, str]]:
    return {(each.operation, each.where) for each in DEVIATIONS if each.file == specification.file}


def unserved(specification: Specification) -> set[str]:
    return {name for each in UNSERVED if each.file == specification.file for name in each.operations}


def check_operations(specification: Specification, served: set[str]) -> None:
    """What is said to be served is served, and nothing that is documented is passed over."""
    told = set(SERVED[specification.file])
    assert served & specification.operations() == told
    assert specification.operations() - told == unserved(specification)


@pytest.mark.fidelity(
    "Answers of the order-book API have the documented form, in success and refusal",
    area="Official clients",
    evidence="specification",
    source="clob-openapi, with the exceptions below",
)
def test_the_order_book_api_is_as_documented(server: PracticeServer, recorded_data: Path) -> None:
    specification = Specification(recorded_data, "clob")
    user = HttpUser(server, funded_wallet(server, "conformance"))
    faults, served = judged(specification, chain(public_answers(user), account_answers(user)))
    assert faults == expected(specification)
    check_operations(specification, served)


@pytest.mark.fidelity(
    "Answers of the catalogue have the documented form",
    area="Catalogue",
    evidence="specification",
    source="gamma-openapi, with the exceptions below",
)
def test_the_catalogue_is_as_documented(server: PracticeServer, recorded_data: Path) -> None:
    specification = Specification(recorded_data, "gamma")
    faults, served = judged(specification, catalogue_answers(server))
    assert faults == expected(specification)
    check_operations(specification, served)


@pytest.mark.fidelity(
    "Answers of the Data API have the documented form",
    area="Data API",
    evidence="specification",
    source="data-openapi, with the exceptions below",
)
def test_the_data_api_is_as_documented(server: PracticeServer, recorded_data: Path) -> None:
    specification = Specification(recorded_data, "data")
    user = HttpUser(server, funded_wallet(server, "data"))
    answers = list(data_answers(server, user))
    told = {operation for operation, heard in answers if heard.status == 200 and heard.body}
    assert told >= {"GET /positions", "GET /trades", "GET /activity", "GET /value"}
    faults, served = judged(specification, iter(answers))
    assert faults == expected(specification)
    check_operations(specification, served)


@pytest.mark.fidelity(
    "Answers of the relayer have the documented form",
    area="Chain and relayer",
    evidence="specification",
    source="relayer-openapi, with the exceptions below",
)
def test_the_relayer_is_as_documented(server: PracticeServer, recorded_data: Path) -> None:
    specification = Specification(recorded_data, "relayer")
    user = HttpUser(server, funded_wallet(server, "relayer"))
    faults, served = judged(specification, relayer_answers(server, user))
    assert faults == expected(specification)
    check_operations(specification, served)


def test_what_is_said_not_to_be_served_is_not_served(server: PracticeServer, recorded_data: Path) -> None:
    for name, area in (("clob", "clob"), ("gamma", "gamma"), ("data", "data"), ("relayer", "relayer")):
        for operation in unserved(Specification(recorded_data, name)):
            method, _, path = operation.partition(" ")
            answer = hear(server, method, f"/{area}{path.replace('{', '').replace('}', '')}")
            assert answer.status in (400, 401, 404, 405, 422), operation
