"""No public method of the official order-book client is forgotten: each is called by a test, or asks for what is not served."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import BookParams, BuilderTradeParams, DropNotificationParams
from py_clob_client_v2.exceptions import PolyApiException

from .trading_http import serve_in_thread
from .trading_venue import client_of, trading_of, wallet_of_type

TESTS = Path(__file__).resolve().parent
# These ask for programmes of the venue that practice does not run: rewards, builders' trades, what its own pages show.
UNSERVED: dict[str, Callable[[ClobClient], object]] = {
    "get_current_rewards": lambda client: client.get_current_rewards(),
    "get_raw_rewards_for_market": lambda client: client.get_raw_rewards_for_market("0x" + "a" * 64),
    "get_earnings_for_user_for_day": lambda client: client.get_earnings_for_user_for_day("2026-01-05"),
    "get_total_earnings_for_user_for_day": lambda client: client.get_total_earnings_for_user_for_day("2026-01-05"),
    "get_user_earnings_and_markets_config": lambda client: client.get_user_earnings_and_markets_config("2026-01-05"),
    "get_reward_percentages": lambda client: client.get_reward_percentages(),
    "get_builder_trades": lambda client: client.get_builder_trades(BuilderTradeParams("0x" + "1" * 64)),
    "get_market_trades_events": lambda client: client.get_market_trades_events("0x" + "a" * 64),
}
# These neither send nor read anything.
LOCAL = {"assert_level_1_auth", "assert_level_2_auth"}


def public_methods() -> set[str]:
    return {name for name, _ in inspect.getmembers(ClobClient, inspect.isfunction) if not name.startswith("_")}


def test_every_public_method_is_called_by_a_test() -> None:
    tested = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.glob("*.py"))
    assert len(public_methods()) > 50
    assert {name for name in public_methods() - LOCAL if f".{name}(" not in tested} == set()


@pytest.mark.fidelity(
    "Rewards, earnings, builder trades and live activity can be read",
    area="Official clients",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
    seam="answered with 404: these programmes are not run",
)
def test_what_is_not_served_is_told_as_not_found() -> None:
    with serve_in_thread(20) as server:
        client = client_of(server, wallet_of_type(trading_of(server), "eoa"))
        for name, call in UNSERVED.items():
            with pytest.raises(PolyApiException) as caught:
                call(client)
            assert caught.value.status_code in (400, 404), name


@pytest.mark.fidelity(
    "Listings come as pages that end with `LTE=`; batches of tokens are answered by token",
    area="Market data",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
def test_every_public_read_of_the_client_is_answered() -> None:
    with serve_in_thread(20) as server:
        client = client_of(server, wallet_of_type(trading_of(server), "eoa"))
        market = next(each for each in server.world.register.markets.values() if each.trading and each.last_trade_micro)
        for page in (
            client.get_markets(),
            client.get_simplified_markets(),
            client.get_sampling_markets(),
            client.get_sampling_simplified_markets(),
        ):
            assert page["next_cursor"] == "LTE=" and page["count"] == len(page["data"]) > 0
        token = market.token_ids[0]
        asked = [BookParams(token, "BUY")]
        assert set(client.get_midpoints(asked)) == set(client.get_spreads(asked)) == {token}
        assert set(client.get_prices(asked)[token]) == {"BUY"}
        assert client.get_last_trades_prices(asked)[0]["token_id"] == token
        assert client.get_pre_migration_orders() == []
        assert client.drop_notifications(DropNotificationParams(ids=["1", "2"])) == "OK"


@pytest.mark.fidelity(
    "Builders' keys are made, listed and revoked with an account's own log-in",
    area="Log-in",
    evidence="official client",
    source="py-clob-client-v2 1.2.1; the SDK revokes with the builder's key itself",
)
def test_builders_keys_are_made_listed_and_revoked() -> None:
    with serve_in_thread(20) as server:
        client = client_of(server, wallet_of_type(trading_of(server), "eoa"))
        first, second = client.create_builder_api_key(), client.create_builder_api_key()
        assert set(first) >= {"key", "secret", "passphrase"} and first["key"] != second["key"]
        assert len(client.get_builder_api_keys()) == 2
        assert client.revoke_builder_api_key() == "OK"
        assert len(client.get_builder_api_keys()) == 1
        assert client.revoke_builder_api_key() == "OK"
        with pytest.raises(PolyApiException, match="Invalid revoke builder api key body"):
            client.revoke_builder_api_key()


@pytest.mark.fidelity(
    "Read-only keys are made, listed and deleted",
    area="Log-in",
    evidence="official client",
    source="py-clob-client-v2 1.2.1",
)
def test_read_only_keys_are_made_listed_and_deleted() -> None:
    with serve_in_thread(20) as server:
        client = client_of(server, wallet_of_type(trading_of(server), "eoa"))
        made = client.create_readonly_api_key()
        assert made["apiKey"] in str(client.get_readonly_api_keys())
        client.delete_readonly_api_key(made["apiKey"])
        assert made["apiKey"] not in str(client.get_readonly_api_keys())
