"""Worlds and exchanges for the tests of the practice exchange: built once where nobody changes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.world.world import World

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def still() -> PracticeExchange:
    """The default world at its start. Tests must not move it."""
    return PracticeExchange(World(7, 300, START))


@pytest.fixture(scope="session")
def ask(still: PracticeExchange) -> Ask:
    """``ask(path, query, body)`` gives (status, decoded body) of the still world; a body makes it a POST."""
    return asking(still)


def asking(exchange: PracticeExchange) -> Ask:
    def ask(path: str, query: str = "", body: object = None) -> tuple[int, Any]:
        method, content = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
        answer = exchange.handle(method, path, query, content)
        text = answer.body.decode()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text

    return ask


def every_event(exchange: PracticeExchange, query: str = "") -> list[dict[str, Any]]:
    """All events of the catalogue, read page by page as a client does."""
    ask, events, cursor = asking(exchange), [], ""
    while True:
        after = f"&after_cursor={cursor}" if cursor else ""
        status, page = ask("/gamma/events/keyset", f"limit=100&{query}{after}")
        assert status == 200
        events += page["events"]
        cursor = page.get("next_cursor", "")
        if not cursor:
            return events
