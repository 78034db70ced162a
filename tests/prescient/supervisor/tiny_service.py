"""A supervised process as small as can be: answers /health on a port, ends with its standard input or on SIGTERM."""

from __future__ import annotations

import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from prescient.supervisor.supervised_entry import watch_parent


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        print(format % args, flush=True)


def main(port: int, behaviour: str, diary: Path) -> None:
    line = watch_parent()
    assert line is not None, "the supervisor says that it supervises"
    line.wait_for_go()
    with diary.open("a") as file:
        file.write(f"{port} started\n")
    if behaviour == "late":
        time.sleep(1.5)
    if behaviour == "dies":
        sys.exit(3)
    if behaviour == "hopeless":
        print("the database is from a later release", file=sys.stderr)
        sys.exit(78)

    def stop(*_: object) -> None:
        if behaviour == "stubborn":
            return
        with diary.open("a") as file:
            file.write(f"{port} stopped\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    server = HTTPServer(("127.0.0.1", port), Handler)
    while True:
        server.timeout = 0.1
        server.handle_request()
        time.sleep(0)


main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
