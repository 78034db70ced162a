"""What each step of taking an order costs, measured by itself in this process: log-in, decoding, signature, engine, answer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TypeVar

from bench.orders_client import Trader, Writer

from prescient.exchange.matching import Exchange
from prescient.exchange.orders import OrderRequest
from prescient.exchange.snapshot import load, save
from prescient.surfaces.practice.answers import json_answer
from prescient.surfaces.practice.journal import Journal, Request, kept_headers
from prescient.surfaces.practice.trading.accounts import KeyRing, practice_wallets
from prescient.surfaces.practice.trading.door import Door
from prescient.surfaces.practice.trading.floor import Floor
from prescient.surfaces.practice.trading.render import Renderer
from prescient.surfaces.practice.world import World
from prescient.wire.auth import WalletClaim
from prescient.wire.eip712 import SigningKey
from prescient.wire.order_signing import SignatureType, contract_for, order_id, verify_order
from prescient.wire.orders import decode_order

A = TypeVar("A")
B = TypeVar("B")
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
FUNDS_MICRO = 10**12
SLICE = 50
EVENTS = 60


def stages(count: int) -> dict[str, float]:
    """Microseconds of each stage for one order that rests, undisturbed: the mean of the fastest half of slices."""
    world = World(7, EVENTS, START)
    now_ms = world.now_ms
    keys = KeyRing(world.seed)
    traders = [
        _trader(keys, wallet.private_key, wallet.funder, wallet.signature_type) for wallet in practice_wallets(7)
    ]
    floor = Floor(world, lambda: now_ms)
    for trader in traders:
        floor.engine.deposit(trader.funder, FUNDS_MICRO)
    markets = [market for market in world.register.markets.values() if market.trading and not market.taker_delay][:20]
    for market in markets:
        floor.enter(market)
    tokens = [(int(market.token_ids[0]), market.negative_risk) for market in markets]
    risks = dict(tokens)
    writer = Writer(traders, tokens, Random(7))
    asked = [_parts(request) for request in writer.requests(count)]
    orders = [(headers, body) for method, headers, body in asked if method == "POST"]
    door = Door(keys, 137, lambda: now_ms, lambda: float(orders[0][0]["poly_timestamp"]))
    micros: dict[str, float] = {}
    _, micros["log-in (HMAC over the body)"] = _each(
        lambda order: door.key("POST", "/order", order[0], order[1]), orders
    )
    posted, micros["decoding and checking the order"] = _each(lambda order: decode_order(order[1]), orders)
    by_key = {trader.credentials.key: trader.key.address for trader in traders}

    def verify(each: object) -> str:
        assert isinstance(each, type(posted[0]))
        contract = contract_for(each.order.token_id, risks[each.order.token_id])
        verify_order(each.order, each.signature, contract, by_key[each.owner])
        return order_id(each.order, contract)

    ids, micros["signature and order id"] = _each(verify, posted)
    requests = [
        OrderRequest(
            name,
            each.order.maker,
            each.owner,
            str(each.order.token_id),
            each.order.side,
            each.order_type,
            each.order.maker_amount_micro,
            each.order.taker_amount_micro,
        )
        for name, each in zip(ids, posted, strict=True)
    ]
    alone: Exchange = load(save(floor.engine))
    _, micros["engine"] = _each(lambda request: (alone.place(request, now_ms), alone.drain_events()), requests)
    placed, whole = _each(floor.place, requests)
    micros["books as all see them, streams"] = max(whole - micros["engine"], 0.0)
    render = Renderer(world.seed, floor.market_of)
    taken = [answer for answer in placed if hasattr(answer, "trade_ids")]
    _, micros["answer"] = _each(lambda answer: json_answer(render.placed(answer)), taken)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal")
        _, micros["journal"] = _each(
            lambda order: journal.write(
                Request(now_ms, 0.0, -1, "POST", "/clob/order", "", order[1], kept_headers(order[0]))
            ),
            orders,
        )
        journal.close()
    return micros


def _trader(keys: KeyRing, private_key: str, funder: str, kind: int) -> Trader:
    key = SigningKey(private_key)
    made = keys.create(WalletClaim(key.address, 0, 0))
    assert made is not None
    return Trader(funder, SignatureType(kind), key, made.credentials)


def _parts(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return first.split()[0], {name.lower(): value for name, value in pairs}, body


def _each(work: Callable[[A], B], items: Sequence[A]) -> tuple[list[B], float]:
    """Do all; return the results and the microseconds of one."""
    results: list[B] = []
    times: list[float] = []
    for start in range(0, len(items) - SLICE + 1, SLICE):
        part = items[start : start + SLICE]
        began_s = perf_counter()
        results += [work(item) for item in part]
        times.append((perf_counter() - began_s) / SLICE)
    results += [work(item) for item in items[len(times) * SLICE :]]
    half = sorted(times)[: max(len(times) // 2, 1)]
    return results, sum(half) / len(half) * 1e6
