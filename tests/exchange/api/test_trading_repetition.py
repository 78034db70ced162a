"""Random days on a fast world, cut off at random moments: what is repeated is what was, to the last byte that is remembered."""

from __future__ import annotations

import asyncio
import json
import time
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import msgspec
import pytest

from polymarket_kit.messages.orders import PostedOrder, encode_order
from polymarket_kit.model import OrderType, Side
from polymarket_kit.signing.auth import ApiCredentials, l1_headers, l2_headers
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import ContractOrder, SignatureType, contract_for, sign_order
from practice_exchange.app.checkpoint import checkpoint_path, read_checkpoint
from practice_exchange.app.server import PracticeServer
from practice_exchange.clob.trading_routes import decode_state
from practice_exchange.venue.accounts import PracticeWallet
from practice_exchange.web.responses import Answer
from practice_exchange.world.state import MarketState
from practice_exchange.world.world import World

from .trading_kept import SEED, copy_of, reopen
from .trading_venue import trading_of

SPEED = 7_200.0
ACTS = 80
CONTROLS: tuple[tuple[str, object], ...] = (
    ("POST /practice/faults", {"kind": "failed_settlement", "rate": 0.4}),
    ("POST /practice/faults", {"kind": "slow_settlement", "seconds": 900}),
    ("DELETE /practice/faults", {}),
    ("POST /practice/mode", {"mode": "post_only", "seconds": 600}),
    ("POST /practice/mode", {"mode": "open"}),
    ("POST /practice/limits", {"on": True, "per_second": 5, "burst": 5}),
    ("POST /practice/limits", {"on": False}),
)


class Player:
    """A wallet that does something at random, at one moment each time, as requests do."""

    def __init__(self, server: PracticeServer, wallet: PracticeWallet, random: Random) -> None:
        self.server, self.wallet, self.random = server, wallet, random
        self.key, self.salt, self.beat = SigningKey(wallet.private_key), random.randrange(2**40), ""
        made = json.loads(ask(server, "POST /clob/auth/api-key", b"", l1_headers(self.key, now_s(), chain_id=137)).body)
        self.credentials = ApiCredentials(made["apiKey"], made["secret"], made["passphrase"])
        self.order_ids: list[str] = []

    def act(self, markets: list[MarketState]) -> None:
        draw, market = self.random.random(), self.random.choice(markets)
        if draw < 0.5:
            self._order(market, crossing=draw < 0.2)
        elif draw < 0.65 and self.order_ids:
            gone = self.order_ids.pop(self.random.randrange(len(self.order_ids)))
            self._send("DELETE", "/order", {"orderID": gone})
        elif draw < 0.75:
            answer = self._send("POST", "/v1/heartbeats", {"heartbeat_id": self.beat})
            self.beat = json.loads(answer.body)["heartbeat_id"]
        elif draw < 0.85:
            body = {"address": self.wallet.funder, "usd": self.random.randrange(1, 50)}
            ask(self.server, f"POST /practice/{'deposit' if draw < 0.8 else 'withdraw'}", msgspec.json.encode(body))
        else:
            action, content = self.random.choice(CONTROLS)
            ask(self.server, action, msgspec.json.encode(content))

    def _order(self, market: MarketState, crossing: bool) -> None:
        self.salt += 1
        best, size = (
            market.book.best_ask_micro if crossing else market.book.best_bid_micro,
            self.random.randrange(5, 60),
        )
        price = min(max(best, market.tick_micro), 1_000_000 - market.tick_micro)
        kind, token_id = SignatureType(self.wallet.signature_type), int(market.token_ids[0])
        order = ContractOrder(
            self.salt,
            self.wallet.funder,
            self.wallet.funder if kind is SignatureType.DEPOSIT_WALLET else self.wallet.address,
            token_id,
            price * size,
            size * 1_000_000,
            Side.BUY,
            kind,
            now_s() * 1000,
        )
        signature = sign_order(order, contract_for(token_id, market.negative_risk), self.key)
        answer = self._send_bytes(
            "POST", "/order", encode_order(PostedOrder(order, signature, self.credentials.key, OrderType.GTC))
        )
        if answer.status == 200:
            self.order_ids.append(json.loads(answer.body)["orderID"])

    def _send(self, method: str, path: str, content: object) -> Answer:
        return self._send_bytes(method, path, msgspec.json.encode(content))

    def _send_bytes(self, method: str, path: str, body: bytes) -> Answer:
        headers = l2_headers(self.credentials, self.key.address, now_s(), method, path, body)
        return ask(self.server, f"{method} /clob{path}", body, headers)


def now_s() -> int:
    return int(time.time())


def ask(server: PracticeServer, action: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    """A request as the server handles it, at one moment."""
    method, path = action.split(" ")
    small = {name.lower(): value for name, value in (headers or {}).items()}
    server.clock.hold()
    try:
        return server.exchange.handle(method, path, "", body, small)
    finally:
        server.clock.release()


def remembered(server: PracticeServer) -> dict[str, Any]:
    """Everything that a checkpoint would keep of the trading side."""
    trading = trading_of(server)
    kept = decode_state(trading.dump_state())
    state = msgspec.to_builtins(kept)
    # As values: a whole number may be kept as either kind, and sets have no order.
    state["parts"] = {name: as_values(part) for name, part in kept.parts.items()}
    assert server.exchange.chain_and_data is not None
    state["parts"]["approvals"] = deepcopy(trading.approvals.state)
    state["parts"]["chain"] = deepcopy(server.exchange.chain_and_data.chain.state)
    return dict(state)


def as_values(kept: Any) -> Any:
    """What is in packed bytes, and in those inside."""
    if isinstance(kept, bytes):
        return as_values(msgspec.msgpack.decode(kept))
    if isinstance(kept, list):
        return [as_values(each) for each in kept]
    return kept


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_happened_happens_again(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    server = reopen(tmp_path / "home", speed=SPEED)
    await server.start()
    copies: list[tuple[Path, dict[str, Any]]] = []
    statuses: set[int] = set()
    try:
        assert isinstance(server.world, World)
        markets = [market for market in server.world.register.markets.values() if market.trading][:12]
        players = [Player(server, wallet, random) for wallet in trading_of(server).wallets]
        for number in range(ACTS):
            await server.checkpoint_writer.gate.wait()
            random.choice(players).act(markets)
            if number % 30 == 27:
                statuses.add(await checkpoint(server))
            elif number % 10 == 5 and server.checkpoint_writer.slices < 0:
                # A last request, so that nothing happens by itself between what is written and what is compared.
                ask(server, "POST /practice/mode", b'{"mode": "open"}')
                copies.append((copy_of(tmp_path / "home", tmp_path / f"left-{number}"), remembered(server)))
            await asyncio.sleep(random.random() * 0.06)
    finally:
        await server.stop()
    assert statuses == {200} and len(copies) > 3
    last = copies[-1][1]
    assert last["floor"]["trades_of"] and last["pulses"], "players have traded and sent heartbeats"
    for left, expected in copies:
        path = checkpoint_path(left, SEED)
        kept = read_checkpoint(path)
        assert kept is not None
        # As far as the journal goes, and not on to the moment that was promised.
        path.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(kept, promise_ms=0)))
        again = remembered(await asyncio.to_thread(reopen, left))
        # Only where it begins to wait for heartbeats anew is the restart itself.
        for one, other in zip(again.pop("pulses"), expected.pop("pulses"), strict=True):
            assert one | {"last_s": 0} == other | {"last_s": 0}
        assert again == expected, left.name


async def checkpoint(server: PracticeServer) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/practice/advance", json={"seconds": 1}) as response,
    ):
        return response.status
