"""Write-ahead journal: state-changing requests are appended before they are applied, so no acknowledged request is lost.

Each checkpoint starts a new journal. A record is its length, its CRC-32 and its content; a record that a crash cut off
was never applied.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from practice_exchange.web.route import Effect

_HEAD = struct.Struct("<II")
RECORD_MAX_BYTES = 64 * 1024 * 1024


class Step(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The world begins to move to a moment (ms)."""

    until_ms: int


class Request(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A request that may change something, as it reached the exchange.

    ``now_ms`` and ``machine_s`` are what both clocks said. ``slices`` is how many slices of a step were done by then,
    -1 between two steps.
    """

    now_ms: int
    machine_s: float
    slices: int
    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str]


class Downtime(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Heartbeats have stopped: the exchange cancels orders by itself."""

    now_ms: int
    machine_s: float
    slices: int


Record = Step | Request | Downtime
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


class Journal:
    """The open journal of a world, append-only. A record is with the operating system when ``write`` returns."""

    def __init__(self, path: Path) -> None:
        """Continue or begin a file. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        self.size_bytes = os.fstat(self._file).st_size
        self._waiting: list[bytes] = []
        # Whether something is not yet flushed to disk.
        self.unsafe = False

    def write(self, record: Record) -> None:
        """Append a record, and those that wait. Raises OSError: then it must not be applied."""
        content = _encode(record)
        self._waiting.append(_HEAD.pack(len(content), zlib.crc32(content)) + content)
        data = b"".join(self._waiting)
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            # Half a record would hide everything that comes after it.
            os.ftruncate(self._file, self.size_bytes)
            self._waiting.pop()
            raise
        self._waiting.clear()
        self.size_bytes += len(data)
        self.unsafe = True

    def write_later(self, record: Record) -> None:
        """Append a record together with the next one that is written; alone it is not worth a write."""
        content = _encode(record)
        self._waiting.append(_HEAD.pack(len(content), zlib.crc32(content)) + content)

    def make_safe(self) -> None:
        """Flush to disk, in case the machine loses power. Raises OSError."""
        if self.unsafe:
            # First, as more may be written while the disk works.
            self.unsafe = False
            try:
                os.fsync(self._file)
            except OSError:
                self.unsafe = True
                raise

    def close(self) -> None:
        os.close(self._file)


def journal_path(checkpoint: Path, number: int) -> Path:
    return checkpoint.with_suffix(f".journal-{number}")


def journals_from(checkpoint: Path, number: int) -> list[Path]:
    """The journals that follow a checkpoint, in order: its own, and one more if the next checkpoint was never finished."""
    found = []
    while (path := journal_path(checkpoint, number)).exists():
        found.append(path)
        number += 1
    return found


def drop_journals_before(checkpoint: Path, number: int) -> None:
    """Delete the journals that a checkpoint has taken up. Raises OSError."""
    for path in checkpoint.parent.glob(f"{checkpoint.stem}.journal-*"):
        suffix = path.suffix.rpartition("-")[2]
        if suffix.isdigit() and int(suffix) < number:
            path.unlink(missing_ok=True)


def read_journal(path: Path) -> Iterator[Record]:
    """The whole records of a journal in order, as far as they are undamaged. Raises OSError."""
    data = path.read_bytes()
    position = 0
    while position + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, position)
        content = data[position + _HEAD.size : position + _HEAD.size + length]
        if length > RECORD_MAX_BYTES or len(content) < length or zlib.crc32(content) != check:
            return
        yield _decode(content)
        position += _HEAD.size + length


# The JSON-RPC method of a body that sends a transaction.
SENDS = b"eth_sendRawTransaction"
# Headers that change nothing; the others are how a request logs in.
IDLE_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)


def is_journalled(effect: Effect, body: bytes) -> bool:
    """Whether a request must be in the journal before it is handled."""
    if effect is Effect.READS:
        return False
    return effect is Effect.CHANGES or SENDS in body


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that a repetition needs."""
    return {name: value for name, value in headers.items() if name not in IDLE_HEADERS}
