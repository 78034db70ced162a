"""Checks loopback ports: which are taken and by whom, and whether a service answers on one."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping

import psutil

from prescient.service_table import LOOPBACK

PROBE_TIMEOUT_S = 1.0
# PostgreSQL's protocol: eight bytes long, then the code of this request.
SSL_REQUEST = (8).to_bytes(4) + (80_877_103).to_bytes(4)


def taken_ports(wanted: Mapping[str, int]) -> dict[str, int]:
    """Return those of the wanted ports on which nobody of ours can listen, by the name of who wants them."""
    return {name: port for name, port in wanted.items() if not is_free(port)}


def is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            # As servers do it: connections that linger from a former server are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Describe which process has a port, as far as the system tells."""
    try:
        users = [item for item in psutil.net_connections(kind="tcp") if item.laddr and item.laddr.port == port]
        # The listener first, before processes that are only connected from it.
        users.sort(key=lambda item: item.status != psutil.CONN_LISTEN)
        known = next((item.pid for item in users if item.pid), None)
        if known is not None:
            return f"process {known} ({psutil.Process(known).name()})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return "a process of another account"
    return "a process of another account, or one that has just ended"


def taken_message(taken: Mapping[str, int]) -> str:
    """One line for each taken port, then what to do."""
    lines = [f"Port {port}, wanted for {name}, is taken by {holder_of(port)}." for name, port in taken.items()]
    cure = (
        "Stop that program, or move all ports of this installation: PRESCIENT_PORT_SHIFT=100 (added to every port; "
        "any number up to 50000)."
    )
    return "\n".join([*lines, cure])


def answers(port: int, path: str, timeout_s: float = PROBE_TIMEOUT_S, *, status: bytes = b"200") -> bool:
    """Tell whether a service answers ``path`` with this status (empty: any); with an empty path, accepts a connection.

    Plain sockets: an HTTP library would cost the supervisor more memory than all its other parts.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            if not path:
                return True
            connection.sendall(request.encode("ascii"))
            status_line = connection.recv(64)
    except OSError:
        return False
    return status_line.startswith(b"HTTP/1.") and status_line[9:12].startswith(status)


def database_answers(port: int, timeout_s: float) -> bool:
    """Tell whether PostgreSQL answers on a port: it is asked whether it speaks TLS, for which it needs no login."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(SSL_REQUEST)
            return bool(connection.recv(1))
    except OSError:
        return False
