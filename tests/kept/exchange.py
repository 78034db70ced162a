"""The practice exchange as a process, and what its wallets see of themselves; asked over HTTP alone, as any client does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import AssetType, BalanceAllowanceParams, OpenOrderParams

CHAIN_ID = 137


@contextmanager
def running(environment: Mapping[str, str], *options: str) -> Iterator[dict[str, Any]]:
    """Run ``prescient practice`` and yield what it says of itself; it is killed at the end, as a crash would."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prescient", "practice", "--json", *options],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        with process.stdout:
            line = process.stdout.readline()
            assert line, "the practice exchange did not start"
            yield json.loads(line)
    finally:
        process.kill()
        process.wait(timeout=30)


def ask(url: str, body: object = None) -> Any:
    """One request without a log-in; with a body it is a POST."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=30) as answer:
        return json.loads(answer.read())


def client_of(known: Mapping[str, Any], wallet: Mapping[str, Any]) -> ClobClient:
    """The venue's own client, logged in."""
    client = ClobClient(
        known["clob_url"],
        CHAIN_ID,
        key=wallet["private_key"],
        signature_type=wallet["signature_type"],
        funder=wallet["funder"],
    )
    client.set_api_creds(client.create_or_derive_api_key())
    return client


def wallet_named(known: Mapping[str, Any], wallet_type: str) -> dict[str, Any]:
    found: dict[str, Any] = next(wallet for wallet in known["wallets"] if wallet["wallet_type"] == wallet_type)
    return found


def seen(known: Mapping[str, Any], wallet: Mapping[str, Any]) -> dict[str, Any]:
    """Orders, fills, money and shares of one wallet."""
    client, funder = client_of(known, wallet), wallet["funder"]
    orders: Any = client.get_open_orders(OpenOrderParams())
    trades: Any = client.get_trades()
    dollars: Any = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))
    held = ask(f"{known['data_url']}/positions?user={funder}&sizeThreshold=0&limit=500")
    activity = ask(f"{known['data_url']}/activity?user={funder}&excludeDepositsWithdrawals=false&limit=500")
    return {
        "key": client.creds.api_key,
        "dollars": dollars["balance"],
        "allowances": dollars["allowances"],
        "orders": sorted([each["id"], each["price"], each["original_size"], each["size_matched"]] for each in orders),
        "trades": sorted([each["id"], each["status"], each["side"], each["price"], each["size"]] for each in trades),
        "positions": sorted([each["asset"], each["size"]] for each in held),
        "activity": sorted([each["type"], each["timestamp"], each["size"], each["usdcSize"]] for each in activity),
    }


def now_ms(known: Mapping[str, Any]) -> int:
    told: int = ask(f"{known['clob_url'].removesuffix('/clob')}/practice/time")["now_ms"]
    return told
