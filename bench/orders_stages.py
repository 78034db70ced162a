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

from polymarket_kit.messages.orders import PostedOrder, decode_order
from polymarket_kit.signing.auth import WalletClaim
from polymarket_kit.signing.eip712 import SigningKey
from polymarket_kit.signing.order_signing import SignatureType, contract_for, verify_order
from practice_exchange.app.journal import Journal, Request, kept_headers
from practice_exchange.clob.authenticator import Authenticator
from practice_exchange.clob.order_render import Renderer
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import OrderRequest, Placed
from practice_exchange.engine.snapshot import load, save
from practice_exchange.venue.accounts import KeyRing, practice_wallets
from practice_exchange.venue.venue_engine import VenueEngine
from practice_exchange.web.query import Query
from practice_exchange.web.responses import json_answer
from practice_exchange.web.route import Request as WebRequest
from practice_exchange.world.world import World

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
    venue_engine, risks = _open_venue_engine(world, traders)
    writer = Writer(traders, list(risks.items()), Random(7))
    asked = [_parts(request) for request in writer.requests(count)]
    orders = [(headers, body) for method, headers, body in asked if method == "POST"]
    authenticator = Authenticator(keys, 137, lambda: now_ms, lambda: float(orders[0][0]["poly_timestamp"]))
    micros: dict[str, float] = {}
    _, micros["log-in (HMAC over the body)"] = _each(
        lambda order: authenticator.key(WebRequest("POST", "/order", "", Query(), order[1], order[0])), orders
    )
    posted, micros["decoding and checking the order"] = _each(lambda order: decode_order(order[1]), orders)
    addresses = {trader.credentials.key: trader.key.address for trader in traders}

    def verify(each: PostedOrder) -> str:
        contract = contract_for(each.order.token_id, risks[each.order.token_id])
        return verify_order(each.order, each.signature, contract, addresses[each.owner])

    ids, micros["signature and order id"] = _each(verify, posted)
    requests = [_request(order_id, each) for order_id, each in zip(ids, posted, strict=True)]
    alone: Exchange = load(save(venue_engine.engine))
    _, micros["engine"] = _each(lambda request: (alone.place(request, now_ms), alone.drain_events()), requests)
    placed, whole = _each(venue_engine.place, requests)
    micros["books as all see them"] = max(whole - micros["engine"], 0.0)
    render = Renderer(world.seed, venue_engine.market_of)
    taken = [answer for answer in placed if isinstance(answer, Placed)]
    _, micros["answer"] = _each(lambda answer: json_answer(render.placed(answer)), taken)
    micros["journal"] = _journal(orders, now_ms)
    return micros


def _open_venue_engine(world: World, traders: Sequence[Trader]) -> tuple[VenueEngine, dict[int, bool]]:
    """A venue engine with twenty markets; and their first tokens, with whether they are negative-risk ones."""
    venue_engine = VenueEngine(world, lambda: world.now_ms)
    for trader in traders:
        venue_engine.engine.deposit(trader.funder, FUNDS_MICRO)
    markets = [market for market in world.register.markets.values() if market.trading and not market.taker_delay][:20]
    for market in markets:
        venue_engine.enter(market)
    return venue_engine, {int(market.token_ids[0]): market.negative_risk for market in markets}


def _request(order_id: str, posted: PostedOrder) -> OrderRequest:
    order = posted.order
    return OrderRequest(
        order_id,
        order.maker,
        posted.owner,
        str(order.token_id),
        order.side,
        posted.order_type,
        order.maker_amount_micro,
        order.taker_amount_micro,
    )


def _journal(orders: Sequence[tuple[dict[str, str], bytes]], now_ms: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal")

        def write(order: tuple[dict[str, str], bytes]) -> None:
            headers, body = order
            journal.write(Request(now_ms, 0.0, -1, "POST", "/clob/order", "", body, kept_headers(headers)))

        _, micros = _each(write, orders)
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
