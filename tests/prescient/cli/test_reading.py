"""What people read: answers of a service that says what it was asked, in tables that stay whole on a narrow terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.running import Installation

QUESTION = "Will the Federal Reserve lower its rate by 25 basis points after the meeting of December 2026?"
CYCLE_ID = "cycle-01JZ8K3M5N7P9QRSTVWXYZ0123"


def decisions(count: int) -> dict[str, Any]:
    listed = [{"step": "screen", "title": QUESTION, "text": f"reason {number}"} for number in range(count)]
    return {"message": "", "reasons": {"volume_low": 500}, "decisions": listed}


def trades() -> dict[str, Any]:
    trade = {
        "timestamp": "2026-05-17T06:05:01.123Z",
        "portfolio_id": 1,
        "action": "BUY",
        "outcome": "Yes",
        "market_question": QUESTION,
        "size": 1234.567891,
        "entry_price": 0.5605,
        "amount": 1234.56,
        "fee": 12.34,
        "status": "filled",
    }
    return {"trades": [trade]}


def cycles() -> dict[str, Any]:
    summary = {"signals": 12, "trades_executed": 11}
    cycle = {"cycle_id": CYCLE_ID, "started_at": "2026-05-17T06:05:01Z", "status": "completed", "message": "11 of 12"}
    return {"cycles": [cycle | {"execution_summary": summary}]}


class Answers(BaseHTTPRequestHandler):
    """Plays the services the commands ask."""

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query = parse_qs(place.query)
        answer = {
            "/trading/explain": lambda: decisions(int(query.get("limit", ["100"])[0])),
            "/paper-trading/trades-history": trades,
            "/trading/cycles": cycles,
        }[place.path]()
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    servers = [ThreadingHTTPServer(("127.0.0.1", installation.port(port)), Answers) for port in (8003, 8004)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield installation
    for server in servers:
        server.shutdown()
        server.server_close()


def on_terminal(installation: Installation, columns: int, *arguments: str) -> list[str]:
    """Run a command on a terminal of this many columns and return the lines it shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in installation.environment.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "prescient", *arguments],
        env=environment | {"TERM": "xterm", "NO_COLOR": "1"},
        cwd=installation.home,
        stdout=theirs,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:
            # A terminal whose other end is closed reads as broken.
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(30) == 0, said
    return said.decode().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()


@pytest.mark.parametrize("limit", [5, 500])
def test_explain_lists_as_many_decisions_as_it_was_asked_for(reader: Installation, limit: int) -> None:
    done = reader.run("explain", "--cycle", CYCLE_ID, "--limit", str(limit))
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"reason \d", done.stdout)) == limit
    answer = json.loads(reader.run("explain", "--cycle", CYCLE_ID, "--limit", str(limit), "--json").stdout)
    assert len(answer["decisions"]) == limit


@pytest.mark.parametrize("columns", [80, 90, 100, 140])
def test_numbers_ids_and_times_stay_whole_on_a_narrow_terminal(reader: Installation, columns: int) -> None:
    traded = on_terminal(reader, columns, "trades")
    assert all(len(line) <= columns for line in traded)
    row = next(line for line in traded if "2026-05-17" in line)
    for text in ("2026-05-17 06:05", "1,234.57", "0.5605", "1,234.56"):
        assert text in row
    assert ("no room for" in traded[-1]) is (columns < 140)
    ran = on_terminal(reader, columns, "cycle", "list")
    assert all(len(line) <= columns for line in ran)
    assert any(CYCLE_ID in line and "completed" in line for line in ran)


def test_into_a_file_every_row_is_one_line_with_every_column(reader: Installation) -> None:
    lines = reader.run("trades").stdout.splitlines()
    assert len(lines) == 3
    assert QUESTION in lines[2] and "12.34" in lines[2] and "filled" in lines[2]
