"""A wire between a client and PostgreSQL that breaks at a chosen COMMIT: before the server has it, or before its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK_BYTES = 65_536


@dataclass
class Wire:
    """Cuts the connection that carries the ``number``-th COMMIT from now on. ``lost`` is "question" or "answer"."""

    dsn: str = ""
    lost: str = ""
    number: int = 0
    commits: int = 0
    cuts: int = 0
    _cut_at_answer: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut_at(self, number: int, lost: str) -> None:
        assert lost in ("question", "answer")
        self.commits, self.number, self.lost, self.cuts = 0, number, lost, 0

    def mend(self) -> None:
        self.number = self.commits = 0

    def loses_question(self, data: bytes, client: asyncio.StreamWriter) -> bool:
        """Whether what the client says now is never to arrive."""
        if b"COMMIT;" not in data:
            return False
        self.commits += 1
        if self.commits != self.number:
            return False
        self.cuts += 1
        if self.lost == "answer":
            self._cut_at_answer.add(client)
            return False
        return True

    def loses_answer(self, client: asyncio.StreamWriter) -> bool:
        return client in self._cut_at_answer


@asynccontextmanager
async def wire_to(dsn: str) -> AsyncIterator[Wire]:
    """Listen on a free port and carry every connection to the server of ``dsn``."""
    address = urlsplit(dsn)
    wire = Wire()
    tasks: set[asyncio.Task[None]] = set()

    async def carry(client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        server_reader, server = await asyncio.open_connection(address.hostname, address.port)
        pumps = (
            _pump(client_reader, server, lambda data: wire.loses_question(data, client)),
            _pump(server_reader, client, lambda data: wire.loses_answer(client)),
        )
        running = [asyncio.create_task(pump) for pump in pumps]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for writer in (client, server):
            writer.transport.abort()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(carry(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    wire.dsn = address._replace(netloc=f"{address.username}@127.0.0.1:{port}").geturl()
    try:
        yield wire
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_lost: object) -> None:
    """Carry bytes one way until a side closes or the wire breaks here."""
    assert callable(is_lost)
    try:
        while data := await reader.read(CHUNK_BYTES):
            if is_lost(data):
                return
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
