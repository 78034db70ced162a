"""Schemathesis asks everything that the exchange's own OpenAPI document allows and forbids: no answer is the exchange's fault.

``PRESCIENT_SCHEMATHESIS_EXAMPLES`` makes the campaign longer (``make fuzz``); as it stands it is the same every time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from polymarket_kit.messages.orders import OrderMalformed, decode_order, encode_order
from polymarket_kit.model import Side
from polymarket_kit.signing.auth import l1_headers, l2_headers
from polymarket_kit.signing.order_signing import ContractOrder, contract_for, sign_order
from practice_exchange.app.route_table import ROUTES
from practice_exchange.app.server import PracticeServer
from practice_exchange.web.route import Login

from .trading_http import HttpUser, funded_wallet, hear, serve_in_thread
from .trading_user import NOW_S

EXAMPLES = int(os.environ.get("PRESCIENT_SCHEMATHESIS_EXAMPLES", "12"))
CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance)
ORDERS = ("POST /clob/order", "POST /clob/orders")
LOGGED_IN = {each.operation: each.login for each in ROUTES}


@pytest.fixture(scope="module")
def server() -> Iterator[PracticeServer]:
    with serve_in_thread() as served:
        yield served


@pytest.fixture(scope="module")
def user(server: PracticeServer) -> HttpUser:
    return HttpUser(server, funded_wallet(server, "fuzz"))


@pytest.fixture(scope="module")
def described(server: PracticeServer) -> Any:
    heard = hear(server, "GET", "/practice/openapi.json")
    assert heard.status == 200
    return schemathesis.openapi.from_dict(heard.body)


class LogIn(AuthBase):
    """Logs a request in when all else of it is written, so that it reaches what is behind the door."""

    def __init__(self, user: HttpUser, login: Login) -> None:
        self._user, self._login = user, login

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        user, path = self._user, urlsplit(str(request.url)).path.removeprefix("/clob")
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        if self._login is Login.WALLET:
            request.headers.update(l1_headers(user.key, NOW_S, 1, chain_id=137))
        if self._login in (Login.KEY, Login.KEY_OR_READ_ONLY, Login.KEY_OR_WALLET, Login.BUILDER):
            request.headers.update(
                l2_headers(user.credentials, user.key.address, NOW_S, str(request.method), path, body)
            )
        return request


def sensible(order: ContractOrder) -> ContractOrder:
    """Give every other order amounts that lie on the grid, as nobody meets it by chance."""
    if order.salt % 2:
        return order
    cents, shares = 1 + order.maker_amount_micro % 99, 1 + order.taker_amount_micro % 40
    amounts = (cents * shares * 10_000, shares * 1_000_000)
    made, taken = amounts if order.side is Side.BUY else amounts[::-1]
    return msgspec.structs.replace(order, maker_amount_micro=made, taker_amount_micro=taken)


def made_ours(user: HttpUser, body: Any) -> Any:
    """Put the user's own names and signature into an order that can be read, so that the engine sees it."""
    if isinstance(body, list):
        return [made_ours(user, each) for each in body]
    if not isinstance(body, dict) or not isinstance(body.get("order"), dict):
        return body
    mine = {
        "maker": user.wallet.funder,
        "signer": user.wallet.funder,
        "signatureType": 0,
        "tokenId": user.market.token_ids[0],
    }
    try:
        posted = decode_order(json.dumps({**body, "order": {**body["order"], **mine}}).encode())
        posted = msgspec.structs.replace(posted, order=sensible(posted.order))
        contract = contract_for(posted.order.token_id, user.market.negative_risk)
        signed = msgspec.structs.replace(
            posted, signature=sign_order(posted.order, contract, user.key), owner=user.credentials.key
        )
    except (OrderMalformed, ValueError):
        return body
    return json.loads(encode_order(signed))


@pytest.mark.parametrize("operation", [each.operation for each in ROUTES if each.area != "practice"])
def test_no_request_is_the_exchanges_fault(
    operation: str, described: Any, server: PracticeServer, user: HttpUser
) -> None:
    method, _, path = operation.partition(" ")
    asked = described[path][method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="PRESCIENT_SCHEMATHESIS_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=asked.as_strategy(GenerationMode.POSITIVE) | asked.as_strategy(GenerationMode.NEGATIVE))
    def ask(case: Any) -> None:
        if operation in ORDERS and isinstance(case.body, dict | list):
            case.body = made_ours(user, case.body)
        response = case.call(base_url=server.url, auth=LogIn(user, LOGGED_IN[operation]))
        case.validate_response(response, checks=list(CHECKS))

    ask()


def test_every_path_of_the_document_is_served(server: PracticeServer, user: HttpUser) -> None:
    for each in ROUTES:
        method, _, path = each.operation.partition(" ")
        asked = path.replace("{", "").replace("}", "")
        answer = hear(server, method, asked, headers={"POLY_API_KEY": "x"})
        assert b"404 page not found" not in answer.content, each.operation
        assert b"There is no" not in answer.content, each.operation
