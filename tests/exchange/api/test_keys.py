"""Keys that may only look: made and dropped by a full key, good for every read of an account and for nothing else."""

from __future__ import annotations

import json

import pytest
from py_clob_client_v2.exceptions import PolyApiException

from polymarket_kit.messages.orders import encode_order
from polymarket_kit.signing.auth import l1_headers

from .trading_http import serve_in_thread
from .trading_user import NOW_S, Venue
from .trading_venue import client_of, trading_of, wallet_of_type

REFUSED = (401, {"error": "Unauthorized/Invalid api key"})


def bare_headers(venue: Venue, key: str) -> dict[str, str]:
    return {"POLY_API_KEY": key, "POLY_ADDRESS": venue.key.address}


@pytest.mark.fidelity(
    "Read-only keys are made, listed and deleted with a full key's log-in",
    area="Log-in",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
def test_the_official_client_makes_lists_and_deletes_keys_that_may_only_look() -> None:
    with serve_in_thread(10) as server:
        client = client_of(server, wallet_of_type(trading_of(server), "eoa"))
        made = client.create_readonly_api_key()["apiKey"]
        other = client.create_readonly_api_key()["apiKey"]
        assert made != other and client.get_readonly_api_keys() == [made, other]
        assert client.delete_readonly_api_key(made) is True
        assert client.delete_readonly_api_key(made) is False
        assert client.get_readonly_api_keys() == [other]
        with pytest.raises(PolyApiException):
            client.cancel_orders(["nonsense"])


@pytest.mark.fidelity(
    "A read-only key reads trades",
    area="Log-in",
    evidence="specification",
    source="OpenAPI, GET /data/trades",
)
def test_such_a_key_reads_what_its_owner_reads() -> None:
    venue = Venue()
    made = venue.send("POST", "/auth/readonly-api-key")[1]["apiKey"]
    placed = venue.post(venue.order())[1]["orderID"]
    headers = bare_headers(venue, made)
    assert venue.send("GET", "/data/trades", headers=headers) == (200, venue.send("GET", "/data/trades")[1])
    assert [order["id"] for order in venue.send("GET", "/data/orders", headers=headers)[1]["data"]] == [placed]
    assert venue.send("GET", f"/data/order/{placed}", headers=headers)[1]["id"] == placed
    for path in ("/notifications", "/auth/ban-status/closed-only"):
        assert venue.send("GET", path, headers=headers)[0] == 200
    assert venue.send("GET", "/balance-allowance", query="asset_type=COLLATERAL", headers=headers)[0] == 200


@pytest.mark.fidelity(
    "A read-only key posts, cancels and manages nothing; it is sent without a signature",
    area="Log-in",
    evidence="assumed",
    source="that it only reads is its name; how it is sent is not documented",
)
def test_such_a_key_changes_nothing() -> None:
    venue = Venue()
    made = venue.send("POST", "/auth/readonly-api-key")[1]["apiKey"]
    placed = venue.post(venue.order())[1]["orderID"]
    headers = bare_headers(venue, made)
    body = json.dumps({"orderID": placed}).encode()
    changes = [
        ("POST", "/order", encode_order(venue.order())),
        ("POST", "/orders", b"[" + encode_order(venue.order()) + b"]"),
        ("DELETE", "/order", body),
        ("DELETE", "/cancel-all", b""),
        ("DELETE", "/notifications", b""),
        ("POST", "/auth/readonly-api-key", b""),
        ("DELETE", "/auth/api-key", b""),
        ("GET", "/balance-allowance/update", b""),
        ("POST", "/v1/heartbeats", b"{}"),
    ]
    for method, path, content in changes:
        assert venue.send(method, path, content, headers=headers) == REFUSED, path
    assert [order["id"] for order in venue.send("GET", "/data/orders")[1]["data"]] == [placed]


def test_such_a_key_is_good_for_its_own_address_until_it_is_deleted() -> None:
    venue = Venue()
    made = venue.send("POST", "/auth/readonly-api-key")[1]["apiKey"]
    check = f"address={venue.key.address}&key={made}"
    assert venue.send("GET", "/auth/validate-readonly-api-key", query=check, headers={}) == (200, "OK")
    other = {"POLY_API_KEY": made, "POLY_ADDRESS": "0x" + "1" * 40}
    assert venue.send("GET", "/data/trades", headers=other) == REFUSED
    assert venue.send("GET", "/data/trades", headers={**bare_headers(venue, made), "POLY_SIGNATURE": "x"}) == REFUSED
    venue.send("DELETE", "/auth/readonly-api-key", json.dumps({"key": made}).encode())
    assert venue.send("GET", "/data/trades", headers=bare_headers(venue, made)) == REFUSED
    assert venue.send("GET", "/auth/validate-readonly-api-key", query=check, headers={}) == REFUSED
    assert venue.send("DELETE", "/auth/readonly-api-key", b"[") == (400, {"error": "Invalid payload"})


def test_such_keys_are_kept() -> None:
    venue, later = Venue(), Venue()
    made = venue.send("POST", "/auth/readonly-api-key")[1]["apiKey"]
    later.trading.load_state(venue.trading.dump_state())
    assert later.send("GET", "/data/trades", headers=bare_headers(later, made))[0] == 200
    again = later.send("POST", "/auth/readonly-api-key")[1]["apiKey"]
    assert again != made


def test_a_deleted_key_is_refused_and_may_be_made_again() -> None:
    venue = Venue()
    former = venue.credentials
    assert venue.send("DELETE", "/auth/api-key") == (200, "OK")
    assert venue.send("GET", "/data/orders") == REFUSED
    claim = l1_headers(venue.key, NOW_S, chain_id=137)
    made = venue.send("POST", "/auth/api-key", headers=claim)[1]
    assert (made["apiKey"], made["secret"]) == (former.key, former.secret)
    assert venue.send("GET", "/data/orders")[0] == 200
