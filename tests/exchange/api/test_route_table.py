"""The one table of routes: dispatch, document, limits, log-in, modes and journal follow from its rows and from nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from polymarket_kit.messages.orders import encode_order
from polymarket_kit.signing.auth import l1_headers, l2_headers
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.app.route_table import ROUTES
from practice_exchange.clob.account_routes import AccountRoutes
from practice_exchange.clob.order_gateway import OrderGateway
from practice_exchange.clob.public_routes import ClobRoutes
from practice_exchange.web.responses import Answer, json_answer
from practice_exchange.web.route import Effect, Login, Metered, Route, RouteIndex
from practice_exchange.world.world import World

from .chain_user import ChainUser, split_data
from .conftest import START
from .trading_user import NOW_S

Journal = list[tuple[str, str, str, bytes, dict[str, str]]]
SWEEP = Route(
    "DELETE /clob/sweep",
    OrderGateway.cancel_all,
    Effect.CHANGES,
    login=Login.KEY,
    limits="keys",
    metered=Metered.CANCEL_ALL,
)
MINE = Route("GET /clob/mine/{order_id}", AccountRoutes.order, Effect.READS, login=Login.KEY_OR_READ_ONLY)


class Trader(ChainUser):
    """A wallet that asks anything of an exchange whose journal is a list."""

    def __init__(self, routes: tuple[Route, ...] = ROUTES) -> None:
        super().__init__()
        self.journal: Journal = []
        self.exchange = PracticeExchange(self.world, trading=self.trading, routes=routes)
        self.exchange.before_change = lambda *call: self.journal.append((*call[:4], dict(call[4])))

    def do(self, operation: str, content: object = None, query: str = "", **headers: str) -> Answer:
        """Ask with the wallet's API key, or with other headers where some are given."""
        method, _, path = operation.partition(" ")
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        signed = l2_headers(self.credentials, self.key.address, NOW_S, method, path.removeprefix("/clob"), body)
        low = headers or {name.lower(): value for name, value in signed.items()}
        return self.exchange.handle(method, path, query, body, low)

    def resting_id(self) -> str:
        """Post an order that rests; its id."""
        answer = json.loads(self.do("POST /clob/order", encode_order(self.order())).body)
        return str(answer["orderID"])


@pytest.fixture
def trader() -> Trader:
    return Trader((*ROUTES, SWEEP, MINE))


def document_of(exchange: PracticeExchange) -> Any:
    return json.loads(exchange.handle("GET", "/practice/openapi.json").body)["paths"]


def documented(exchange: PracticeExchange) -> set[str]:
    return {f"{method.upper()} {path}" for path, methods in document_of(exchange).items() for method in methods}


def test_every_route_is_served_and_documented() -> None:
    trader = Trader()
    operations = {route.operation for route in ROUTES}
    assert {route.operation for route in trader.exchange.routes.routes} == operations == documented(trader.exchange)


def test_an_exchange_to_read_serves_and_documents_no_route_that_trades() -> None:
    exchange = PracticeExchange(World(7, 3, START))
    assert documented(exchange) == {route.operation for route in exchange.routes.routes}
    assert {route.login for route in exchange.routes.routes} == {Login.NONE}
    assert exchange.handle("POST", "/clob/order").status == exchange.handle("POST", "/practice/deposit").status == 404


def test_a_new_row_is_dispatched_and_documented(trader: Trader) -> None:
    order_id = trader.resting_id()
    assert json.loads(trader.do(f"GET /clob/mine/{order_id}").body)["id"] == order_id
    assert json.loads(trader.do("DELETE /clob/sweep").body)["canceled"] == [order_id]
    assert trader.do("GET /clob/sweep").body == b'{"error":"404 page not found"}'
    described = document_of(trader.exchange)
    assert described["/clob/sweep"]["delete"]["summary"] == "Cancel all orders"
    assert "401" in described["/clob/sweep"]["delete"]["responses"]
    assert described["/clob/mine/{order_id}"]["get"]["parameters"][0]["in"] == "path"


def test_a_new_row_is_journalled_as_it_says(trader: Trader) -> None:
    trader.do("GET /clob/mine/0x1")
    assert trader.journal == []
    trader.do("DELETE /clob/sweep")
    assert [call[:2] for call in trader.journal] == [("DELETE", "/clob/sweep")]


def test_a_new_row_is_limited_by_address_signer_and_mode(trader: Trader) -> None:
    limits = trader.exchange.limits
    waits = [limits.addresses.wait_s("a", "DELETE", "/clob/sweep", 1.0) for _ in range(101)]
    assert not any(waits[:100]) and waits[100] > 0
    limits.switch(True)
    left = [int(trader.do("DELETE /clob/sweep").headers["Poly-RateLimit-Remaining"]) for _ in range(2)]
    assert left[0] - left[1] == 1
    trader.do("POST /practice/mode", {"mode": "disabled"})
    # The mode refuses before anybody looks who asks.
    assert trader.do("DELETE /clob/sweep", poly_api_key="nobody").status == 503


def test_a_new_row_lets_in_whom_it_says(trader: Trader) -> None:
    order_id = trader.resting_id()
    key = json.loads(trader.do("POST /clob/auth/readonly-api-key").body)["apiKey"]
    bare = {"poly_api_key": key, "poly_address": trader.key.address}
    assert trader.do(f"GET /clob/mine/{order_id}", **bare).status == 200
    assert trader.do("DELETE /clob/sweep", **bare).status == 401


def test_a_row_that_does_not_decide_fails_at_once() -> None:
    with pytest.raises(TypeError):
        Route("GET /clob/x", ClobRoutes.time)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="whether it changes"):
        Route("GET /clob/x", ClobRoutes.time, "reads")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="metered"):
        Route("POST /clob/x", ClobRoutes.time, Effect.READS, login=Login.KEY, metered=Metered.ORDER)
    with pytest.raises(ValueError, match="at its end"):
        Route("GET /clob/{x}/y", ClobRoutes.time, Effect.READS)
    with pytest.raises(ValueError, match="docstring"):
        Route("GET /clob/x", lambda request: json_answer("x"), Effect.READS)
    with pytest.raises(ValueError, match="two routes"):
        RouteIndex((*ROUTES, ROUTES[0]))


# The journal


def play(trader: Trader) -> None:
    """Every change once, each with something to change."""
    token_id, wallet = trader.market.token_ids[0], trader.wallet.funder
    asset = f"asset_type=CONDITIONAL&token_id={token_id}"
    trader.do("POST /practice/deposit", {"address": wallet, "usd": 50, "approve": True})
    trader.do("POST /practice/withdraw", {"address": wallet, "usd": 5})
    trader.do("POST /practice/watch", {"tokens": [token_id]})
    trader.do("POST /practice/faults", {"kind": "failed_settlement", "rate": 0.4})
    trader.do("DELETE /practice/faults", {})
    trader.do("POST /practice/limits", {"on": True, "tier": "gold"})
    trader.do("POST /practice/mode", {"mode": "open"})
    trader.do("POST /clob/auth/api-key", **low(l1_headers(trader.key, NOW_S, 5, chain_id=137)))
    key = json.loads(trader.do("POST /clob/auth/readonly-api-key").body)["apiKey"]
    trader.do("POST /clob/auth/readonly-api-key")
    trader.do("DELETE /clob/auth/readonly-api-key", {"key": key})
    trader.do("POST /clob/auth/builder-api-key")
    trader.do("POST /clob/auth/builder-api-key")
    trader.do("DELETE /clob/auth/builder-api-key")
    order_ids = [trader.resting_id() for _ in range(5)]
    trader.do("POST /clob/orders", b"[" + encode_order(trader.order()) + b"]")
    trader.do("DELETE /clob/order", {"orderID": order_ids[0]})
    trader.do("DELETE /clob/orders", order_ids[1:3])
    trader.do("DELETE /clob/cancel-market-orders", {"asset_id": token_id})
    trader.resting_id()
    trader.do("DELETE /clob/cancel-all")
    trader.resting_id()
    for operation in ("GET /clob/balance-allowance/update", "PUT /clob/balance-allowance"):
        trader.do(operation, query=asset)
    trader.do("PUT /clob/balance-allowance/update", query="asset_type=COLLATERAL")
    trader.do("DELETE /clob/notifications", query="ids=1,2")
    trader.do("POST /clob/v1/heartbeats", {"heartbeat_id": ""})
    trader.do("POST /clob/heartbeats", {})
    trader.transact("0x" + "11" * 20, split_data(trader.market.condition_id, 1_000_000))
    relayer_key = json.loads(trader.do("POST /practice/relayer-key", {"address": trader.key.address}).body)["apiKey"]
    proof = {"relayer_api_key": relayer_key, "relayer_api_key_address": trader.key.address}
    trader.do("POST /relayer/submit", {"type": "WALLET-CREATE", "from": trader.key.address}, **proof)
    trader.do("POST /practice/resolve", {"condition_id": trader.market.condition_id, "winner": 0})
    trader.do("POST /practice/advance", {"seconds": 5})
    trader.do("DELETE /clob/auth/api-key")


def low(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_every_change_is_journalled_and_can_be_repeated() -> None:
    first, later = Trader(), Trader()
    untouched = first.trading.dump_state()
    play(first)
    assert {f"{call[0]} {call[1]}" for call in first.journal} == {
        route.operation for route in ROUTES if route.effect is not Effect.READS
    }
    for call in first.journal:
        later.exchange.perform(*call)
    assert later.trading.dump_state() == first.trading.dump_state() != untouched


@pytest.fixture(scope="module")
def busy() -> Trader:
    trader = Trader()
    trader.resting_id()
    return trader


@pytest.mark.parametrize("operation", [route.operation for route in ROUTES if route.effect is Effect.READS])
def test_what_is_not_journalled_changes_nothing(operation: str, busy: Trader) -> None:
    market, wallet = busy.market, busy.wallet.funder
    token_id = market.token_ids[0]
    order_id = busy.trading.venue_engine.engine.open_orders(wallet)[0].order_id
    names = {"token_id": token_id, "condition_id": market.condition_id, "order_id": order_id, "id": "1"}
    path = operation.replace("{slug}", market.slug).replace("{transaction_id}", "none")
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", value)
    query = (
        f"token_id={token_id}&asset_type=COLLATERAL&side=BUY&user={wallet}&address={busy.key.address}&type=SAFE&q=a"
        f"&order_id={order_id}&order_ids={order_id}&market={token_id if 'prices-history' in path else ''}&interval=1d"
    )
    content: object = [order_id] if "scoring" in path else [{"token_id": token_id, "side": "BUY"}]
    headers = low(l1_headers(busy.key, NOW_S, chain_id=137)) if "derive" in path else {}
    busy.journal.clear()
    before = busy.trading.dump_state()
    answer = busy.do(path, content if path.startswith("POST") else None, query, **headers)
    assert answer.status in (200, 400, 401, 404)
    assert busy.trading.dump_state() == before
    assert busy.journal == []


def test_a_call_that_only_reads_the_chain_is_not_journalled(busy: Trader) -> None:
    busy.journal.clear()
    assert busy.result("eth_chainId") == "0x89"
    assert busy.journal == []
