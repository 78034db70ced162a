"""The clients of the bench of the exchange's market stream: many connections in one process, controlled by its standard input.

The first line says who reads what; the answer comes when every first book has. ``stop`` ends it: how many changes of each
market came, and, in a file, when (this machine's monotonic clock, which all processes share).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from array import array
from functools import partial
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

# A change of one level is a few hundred bytes; it begins with its market and ends with what it is.
BEGIN = b'{"market":"'
CONDITION = slice(len(BEGIN), len(BEGIN) + 66)
END = b'"event_type":"price_change"}'
FRAME_MAX_BYTES = 64 * 1024 * 1024
FIRST_BOOKS_TIMEOUT_S = 120.0


class Reader(WSListener):
    """One connection: counts first books, and notes each change with its moment."""

    def __init__(self, shared: Shared, token_ids: list[str]) -> None:
        self._shared = shared
        self._token_ids = token_ids

    def on_ws_connected(self, transport: WSTransport) -> None:
        asked = {"assets_ids": self._token_ids, "type": "market"}
        transport.send(WSMsgType.TEXT, json.dumps(asked).encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        now_ns = time.monotonic_ns()
        payload = frame.get_payload_as_bytes()
        shared = self._shared
        if payload.startswith(BEGIN) and payload.endswith(END):
            shared.markets.append(shared.numbers[payload[CONDITION]])
            shared.moments_ns.append(now_ns)
            shared.size_bytes += len(payload)
        elif payload.startswith(b"["):
            shared.books += len(json.loads(payload))
        else:
            shared.others += 1

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._shared.lost += not self._shared.stopping


class Shared:
    """What all connections note together."""

    def __init__(self, conditions: list[str]) -> None:
        self.numbers = {condition_id.encode(): number for number, condition_id in enumerate(conditions)}
        self.markets = array("i")
        self.moments_ns = array("q")
        self.size_bytes = self.books = self.others = self.lost = 0
        self.stopping = False


async def run(url: str, path: str) -> None:
    plan: dict[str, Any] = json.loads(await asyncio.to_thread(sys.stdin.readline))
    shared = Shared(plan["conditions"])
    wanted = sum(map(len, plan["clients"]))
    transports = []
    for token_ids in plan["clients"]:
        transport, _ = await ws_connect(
            partial(Reader, shared, token_ids),
            url,
            max_frame_size=FRAME_MAX_BYTES,
        )
        transports.append(transport)
    deadline_s = time.monotonic() + FIRST_BOOKS_TIMEOUT_S
    while shared.books < wanted and time.monotonic() < deadline_s:  # noqa: ASYNC110  # counted by many connections
        await asyncio.sleep(0.01)
    print(json.dumps({"books": shared.books}), flush=True)
    while (await asyncio.to_thread(sys.stdin.readline)).strip() == "count":
        print(json.dumps({"received": len(shared.markets)}), flush=True)
    shared.stopping = True
    for transport in transports:
        transport.disconnect()
    with open(path, "wb") as file:  # noqa: ASYNC230  # nothing else runs any more
        shared.markets.tofile(file)
        shared.moments_ns.tofile(file)
    figures = {"received": len(shared.markets), "bytes": shared.size_bytes, "others": shared.others}
    print(json.dumps(figures | {"lost_connections": shared.lost}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--path", required=True)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(arguments.url, arguments.path))


if __name__ == "__main__":
    main()
