"""On the wire: both APIs on one port, faults as a client meets them, controls for this machine only, time and checkpoints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from practice_exchange.app.bootstrap import open_kept, run_practice
from practice_exchange.app.checkpoint import CheckpointRefused, checkpoint_path
from practice_exchange.app.server import PracticeServer
from practice_exchange.app.settings import ExchangeSettings, Opening
from practice_exchange.world.world import World
from tests.conftest import free_port

from .conftest import START

START_MS = int(START.timestamp() * 1000)


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    served = PracticeServer(World(7, 15, START))
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


async def read(client: aiohttp.ClientSession, url: str, **extra: Any) -> tuple[int, Any]:
    async with client.get(url, **extra) as response:
        return response.status, await response.json(content_type=None)


async def post(client: aiohttp.ClientSession, url: str, content: object, **extra: Any) -> tuple[int, Any]:
    async with client.post(url, data=json.dumps(content), **extra) as response:
        return response.status, await response.json()


async def test_both_apis_answer_on_one_port(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    assert await read(client, f"{server.clob_url}/time") == (200, START_MS // 1000)
    status, page = await read(client, f"{server.gamma_url}/events/keyset?limit=500")
    assert status == 200 and len(page["events"]) == 15
    token = json.loads(page["events"][0]["markets"][0]["clobTokenIds"])[0]
    status, books = await post(client, f"{server.clob_url}/books", [{"token_id": token}])
    assert status == 200 and books[0]["asset_id"] == token
    async with client.get(f"{server.gamma_url}/events") as response:
        assert response.headers["Content-Type"].startswith("application/json")


async def test_time_moves_only_when_told(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    told = {"now_ms": START_MS, "now": "2026-01-05T12:00:00Z", "speed": 0.0, "frozen": True, "source": "practice-7"}
    assert await read(client, f"{server.url}/practice/time") == (200, told)
    status, answer = await post(client, f"{server.url}/practice/advance", {"seconds": 7200})
    assert status == 200 and answer["now_ms"] == START_MS + 7_200_000
    assert await read(client, f"{server.clob_url}/time") == (200, START_MS // 1000 + 7200)
    status, answer = await read(client, f"{server.url}/practice/status")
    assert answer["seed"] == 7 and answer["now"] == "2026-01-05T14:00:00Z" and answer["frozen"] is True
    assert answer["events"] >= 15 and answer["open_markets"] >= answer["accepting_orders"] > 0


@pytest.mark.parametrize("body", [{}, {"seconds": -1}, {"seconds": 1e12}, {"seconds": "x"}, {"minutes": 1}, []])
async def test_a_senseless_advance_is_refused(
    server: PracticeServer, client: aiohttp.ClientSession, body: object
) -> None:
    status, answer = await post(client, f"{server.url}/practice/advance", body)
    assert status == 422 and "error" in answer
    assert server.world.now_ms == START_MS


async def test_controls_are_for_this_machine_only(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    stranger = {"Host": "evil.example"}
    for path in ("time", "status", "faults"):
        status, answer = await read(client, f"{server.url}/practice/{path}", headers=stranger)
        assert status == 403 and "this machine" in answer["error"]
    status, _ = await post(client, f"{server.url}/practice/advance", {"seconds": 60}, headers=stranger)
    assert status == 403 and server.world.now_ms == START_MS
    for friend in ("localhost", f"127.0.0.1:{server.port}", f"[::1]:{server.port}"):
        assert (await read(client, f"{server.url}/practice/time", headers={"Host": friend}))[0] == 200
    assert (await read(client, f"{server.clob_url}/ok", headers=stranger))[0] == 200


@pytest.mark.parametrize(
    "page",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_pages_of_other_sites_cannot_press_a_control(
    server: PracticeServer, client: aiohttp.ClientSession, page: dict[str, str]
) -> None:
    # What a browser sends for a form or a fetch without preflight, whatever the page it is on.
    headers = {"Content-Type": "text/plain"} | page
    status, answer = await post(client, f"{server.url}/practice/advance", {"seconds": 60}, headers=headers)
    assert status == 403 and "this machine" in answer["error"] and server.world.now_ms == START_MS
    own = {"Origin": f"http://localhost:{server.port}", "Sec-Fetch-Site": "same-origin"}
    status, _ = await post(client, f"{server.url}/practice/advance", {"seconds": 60}, headers=own)
    assert status == 200 and server.world.now_ms == START_MS + 60_000


async def set_fault(client: aiohttp.ClientSession, server: PracticeServer, **fault: object) -> None:
    status, answer = await post(client, f"{server.url}/practice/faults", fault)
    assert status == 201 and answer["faults"]


async def test_faults_strike_the_next_answers_of_their_path(
    server: PracticeServer, client: aiohttp.ClientSession
) -> None:
    await set_fault(client, server, path="/gamma/events*", kind="429", count=2, retry_after_s=3)
    await set_fault(client, server, path="/clob/book", kind="500")
    assert (await read(client, f"{server.clob_url}/time"))[0] == 200
    for _ in range(2):
        async with client.get(f"{server.gamma_url}/events/keyset") as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "3")
    assert (await read(client, f"{server.gamma_url}/events/keyset"))[0] == 200
    assert await read(client, f"{server.clob_url}/book?token_id=1") == (500, {"error": "Internal server error"})
    assert (await read(client, f"{server.clob_url}/book?token_id=1"))[0] == 404


async def test_a_page_that_is_no_api_answer(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    await set_fault(client, server, path="/gamma/*", kind="html")
    async with client.get(f"{server.gamma_url}/events") as response:
        assert response.status == 403 and response.headers["Content-Type"].startswith("text/html")
        assert (await response.text()).startswith("<!DOCTYPE html>")


async def test_half_a_page_breaks_off(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    await set_fault(client, server, path="/gamma/events", kind="half")
    with pytest.raises(aiohttp.ClientPayloadError):
        await read(client, f"{server.gamma_url}/events")
    assert (await read(client, f"{server.gamma_url}/events"))[0] == 200


async def test_silence_lasts_until_the_client_gives_up(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    await set_fault(client, server, path="/clob/ok", kind="silence")
    with pytest.raises(TimeoutError):
        await read(client, f"{server.clob_url}/ok", timeout=aiohttp.ClientTimeout(total=0.3))
    assert await read(client, f"{server.clob_url}/ok") == (200, "OK")


async def test_waiting_faults_are_listed_and_dropped(server: PracticeServer, client: aiohttp.ClientSession) -> None:
    await set_fault(client, server, path="/clob/*", kind="silence", count=9)
    _, answer = await read(client, f"{server.url}/practice/faults")
    assert answer["faults"] == [{"path": "/clob/*", "kind": "silence", "count": 9, "retry_after_s": 1}]
    async with client.delete(f"{server.url}/practice/faults") as response:
        assert response.status == 200
    assert await read(client, f"{server.clob_url}/ok") == (200, "OK")
    status, _ = await post(client, f"{server.url}/practice/faults", {"path": "/clob/*", "kind": "meteor"})
    assert status == 422


async def test_stopping_does_not_wait_for_silenced_requests(client: aiohttp.ClientSession) -> None:
    server = PracticeServer(World(7, 3, START))
    await server.start()
    await set_fault(client, server, path="/clob/ok", kind="silence")
    waiting = asyncio.create_task(read(client, f"{server.clob_url}/ok"))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await server.stop()
        with pytest.raises(aiohttp.ClientError):
            await waiting


async def test_time_passes_at_its_speed_and_never_back(client: aiohttp.ClientSession) -> None:
    server = PracticeServer(World(7, 15, START), speed=3600.0)
    await server.start()
    try:
        times = []
        for _ in range(25):
            _, answer = await read(client, f"{server.url}/practice/time")
            times.append(answer["now_ms"])
            _, clob_s = await read(client, f"{server.clob_url}/time")
            assert clob_s >= answer["now_ms"] // 1000
            await asyncio.sleep(0.1)
    finally:
        await server.stop()
    assert answer["speed"] == 3600.0 and answer["frozen"] is False
    assert times == sorted(times)
    assert len(set(times)) > 15, "it is told smoothly, not tick by tick"
    assert times[-1] > START_MS + 3_600_000
    assert server.world.now_ms > START_MS


async def test_a_stopped_world_goes_on_where_it_stood(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    path = checkpoint_path(tmp_path, 7)
    first = PracticeServer(World(7, 15, START), checkpoint=path)
    await first.start()
    await post(client, f"{first.url}/practice/advance", {"seconds": 5000})
    await first.stop()
    again = open_kept(path, 7, START)
    assert again.world.now_ms == START_MS + 5_000_000
    assert isinstance(again.world, World) and isinstance(first.world, World)
    assert again.world.save() == first.world.save()


async def test_after_a_crash_time_is_not_behind_what_was_told(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    path = checkpoint_path(tmp_path, 7)
    server = PracticeServer(World(7, 15, START), speed=600.0, checkpoint=path)
    await server.start()
    try:
        await asyncio.sleep(1.5)
        _, told = await read(client, f"{server.url}/practice/time")
        # What a killed process leaves behind is the file as it is now.
        left_behind = tmp_path / "left.checkpoint"
        left_behind.write_bytes(path.read_bytes())
    finally:
        await server.stop()
    assert told["now_ms"] > START_MS
    assert open_kept(left_behind, 7, START).world.now_ms >= told["now_ms"]


def test_a_damaged_checkpoint_stops_the_start(tmp_path: Path) -> None:
    path = checkpoint_path(tmp_path, 7)
    assert open_kept(path, 7, START).world.now_ms == START_MS
    path.parent.mkdir()
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointRefused, match="Move the file and its journals away"):
        open_kept(path, 7, START)


async def test_the_command_serves_until_it_is_stopped(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    port = next(port for port in iter(free_port, 0) if port < 58_000)
    settings = ExchangeSettings(PRESCIENT_HOME=tmp_path, PRESCIENT_PORT_SHIFT=port - 8010, PRESCIENT_SEED=3)
    for expected_ms in (START_MS, START_MS + 60_000):
        stop = asyncio.Event()
        opening = Opening(frozen=True, now="2026-01-05T12:00:00Z")
        running = asyncio.create_task(run_practice(settings, opening, stop))
        url = f"http://127.0.0.1:{settings.port}/practice"
        answer = await patiently(client, f"{url}/time")
        assert answer["now_ms"] == expected_ms
        await post(client, f"{url}/advance", {"seconds": 60})
        stop.set()
        await running
    again = await asyncio.to_thread(open_kept, checkpoint_path(tmp_path, 3), 3, START)
    assert again.world.now_ms == START_MS + 120_000


async def patiently(client: aiohttp.ClientSession, url: str) -> Any:
    for _ in range(100):
        try:
            return (await read(client, url))[1]
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.05)
    raise AssertionError("the exchange did not come up")
