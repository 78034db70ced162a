"""The other side of the benches: a large practice world that stands still, served by the practice exchange in a process of its own.

Commands on its standard input: ``stir`` moves every market's figures (and the next ``stir`` moves them back), so that a
second cycle finds all rows known and all of them changed. Every page and book is rendered before it is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from datetime import UTC, datetime

import uvloop

from polymarket_kit.values import MICRO
from practice_exchange.app.server import PracticeServer
from practice_exchange.world.world import World

START = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
SEED = 7
# Widens events with several options until there are six markets in an event, as the venue has.
BREADTH = 3.3
STIR_MICRO = 25 * MICRO
BOOKS_AT_ONCE = 500


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--markets", type=int, required=True)
    parser.add_argument("--port", type=int, default=0)
    # The venue's own taker delays pass this much faster: they are waited for, not worked for.
    parser.add_argument("--speed", type=float, default=1_000.0)
    arguments = parser.parse_args()
    world = make_world(arguments.events, arguments.markets)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(world, arguments.port, arguments.speed))


def make_world(events: int, markets: int) -> World:
    """A world of exactly so many events, and of so many markets: the last events' surplus options are not listed."""
    world = World(SEED, events, START, static=True, breadth=BREADTH)
    surplus = len(world.register.markets) - markets
    if surplus < 0:
        raise ValueError(f"the world has {len(world.register.markets)} markets, fewer than {markets}: raise BREADTH")
    for event in reversed(list(world.register.events.values())):
        while surplus > 0 and len(event.markets) > 2:
            drop_market(world, event.number)
            surplus -= 1
    return world


def drop_market(world: World, event_number: int) -> None:
    register = world.register
    event = register.events[event_number]
    register.remove(event)
    event.markets.pop()
    register.add(event)


async def serve(world: World, port: int, speed: float) -> None:
    server = PracticeServer(world, port=port, speed=speed)
    render_everything(server)
    render_books(world, server)
    gc.collect()
    gc.freeze()
    await server.start()
    say({"url": server.url, "events": len(world.register.events), "markets": len(world.register.markets)})
    stirred = False
    while (line := await asyncio.to_thread(sys.stdin.readline)).strip():
        if line.strip() == "stir":
            stirred = not stirred
            stir(world, STIR_MICRO if stirred else -STIR_MICRO)
            render_books(world, server)
        say({"bytes": render_everything(server)})
    await server.stop()


def stir(world: World, change_micro: int) -> None:
    """Move what was traded in every market, as minutes of trading would."""
    for market in world.register.markets.values():
        market.volume.total_micro += change_micro
        market.revision += 1
    world.revision += 1


def render_everything(server: PracticeServer) -> int:
    """Ask for the whole catalogue once; returns its size in bytes."""
    query, cursor, size = "limit=500&active=true&closed=false&archived=false", "", 0
    while True:
        page = server.exchange.handle("GET", "/gamma/events/keyset", query + cursor)
        assert page.status == 200
        size += len(page.body)
        following = json.loads(page.body).get("next_cursor")
        if not following:
            return size
        cursor = f"&after_cursor={following}"


def render_books(world: World, server: PracticeServer) -> None:
    """Ask for every book once."""
    tokens = list(world.register.tokens)
    for start in range(0, len(tokens), BOOKS_AT_ONCE):
        body = json.dumps([{"token_id": token} for token in tokens[start : start + BOOKS_AT_ONCE]])
        assert server.exchange.handle("POST", "/clob/books", "", body.encode()).status == 200


def say(fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
