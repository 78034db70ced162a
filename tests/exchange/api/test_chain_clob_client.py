"""The venue's order-book client, which never talks to a chain itself, sees what approvals and deposits on it change."""

from __future__ import annotations

import json

import pytest
from py_clob_client_v2.clob_types import AssetType, BalanceAllowanceParams, OrderArgsV2, OrderType
from py_clob_client_v2.exceptions import PolyApiException

from polymarket_kit.signing.contracts import DOLLARS, SHARES
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import STANDARD_EXCHANGE
from practice_exchange.chain import calldata
from practice_exchange.venue.accounts import PracticeWallet

from .chain_user import ChainUser, pair_data
from .test_trading_sdk import world_of
from .trading_http import hear, serve_in_thread
from .trading_venue import client_of, quiet_market, trading_of

SECRET = "0x" + "6b" * 32
NOTHING, UNLIMITED = "0", str(2**256 - 1)


@pytest.mark.fidelity(
    "Balance and allowances of an account follow its deposits and approvals on the chain",
    area="Account",
    evidence="official client",
    source="py-clob-client-v2 1.2.1: get_balance_allowance",
)
def test_a_new_account_is_funded_and_approves() -> None:
    with serve_in_thread() as server:
        market = quiet_market(world_of(server))
        token, owner = market.token_ids[0], SigningKey(SECRET).address
        wallet = PracticeWallet(SECRET, owner, owner, "eoa", 0)
        client = client_of(server, wallet)
        dollars = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)
        shares = BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=token)
        told = client.get_balance_allowance(dollars)
        assert told["balance"] == "0" and set(told["allowances"].values()) == {NOTHING}
        deposit = json.dumps({"address": owner, "usd": 50}).encode()
        assert hear(server, "POST", "/practice/deposit", deposit).status == 200
        assert client.get_balance_allowance(dollars)["balance"] == "50000000"
        bid = OrderArgsV2(token_id=token, price=0.02, size=10, side="BUY")
        with pytest.raises(PolyApiException, match="not enough balance / allowance: the allowance is not enough"):
            client.create_and_post_order(bid, order_type=OrderType.GTC)
        user = object.__new__(ChainUser)
        user.wallet, user.exchange, user.trading = wallet, server.exchange, trading_of(server)
        exchange = STANDARD_EXCHANGE.address
        assert "error" not in user.transact(DOLLARS, pair_data(calldata.APPROVE, exchange, 2**256 - 1))
        told = client.get_balance_allowance(dollars)["allowances"]
        assert told[exchange] == UNLIMITED and sorted(told.values()) == [NOTHING, NOTHING, UNLIMITED]
        assert client.create_and_post_order(bid, order_type=OrderType.GTC)["success"] is True
        assert client.get_balance_allowance(shares)["allowances"][exchange] == NOTHING
        assert "error" not in user.transact(SHARES, pair_data(calldata.APPROVE_ALL, exchange, 1))
        assert client.get_balance_allowance(shares)["allowances"][exchange] == UNLIMITED
