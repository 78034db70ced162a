"""Serving on real sockets: both loopback addresses, a taken port named before anything starts, orderly starts and ends."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import httpx
import pytest
from fastapi import FastAPI

from prescient.api.access import AccessPolicy
from prescient.api.app import create_app
from prescient.api.background import Running
from prescient.api.protocol import DeadlineProtocol
from prescient.api.serve import ServiceDidNotStart, holder_of, serve_apps
from prescient.domain.cycle import CycleRequest
from prescient.domain.errors import PortTaken, StoreUnavailable
from prescient.ports.context import TradingContext
from prescient.service_table import SERVICE_NAMES
from prescient.steps.local import LocalCycleSteps
from tests.conftest import free_port
from tests.prescient.api.conftest import PORTFOLIO
from tests.prescient.api.serving import serving, until_open
from tests.prescient.api.test_controller import SlowStages
from tests.prescient.api.world import NOW


def app_of(context: TradingContext, port: int, name: str = "events", **options: object) -> FastAPI:
    access = AccessPolicy(ports=frozenset({port}))
    return create_app(name, context, LocalCycleSteps(context), access, **options)  # type: ignore[arg-type]  # passed through as given


async def test_all_five_services_answer_on_one_loop(context: TradingContext) -> None:
    async with serving(context, SERVICE_NAMES) as urls, httpx.AsyncClient() as client:
        for name, url in urls.items():
            assert (await client.get(f"{url}/health")).json()["service"] == name
            assert "server" not in (await client.get(f"{url}/docs")).headers
    for url in urls.values():
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_both_loopback_addresses_answer_and_no_other(context: TradingContext) -> None:
    async with serving(context, ("events",)) as urls, httpx.AsyncClient() as client:
        port = urls["events"].rpartition(":")[2]
        hosts = ["127.0.0.1", "localhost"]
        if has_ipv6():
            hosts.append("[::1]")
        for host in hosts:
            assert (await client.get(f"http://{host}:{port}/health")).status_code == 200
        for address in other_addresses():
            with pytest.raises(OSError):
                await asyncio.wait_for(asyncio.open_connection(address, int(port)), 2)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def other_addresses() -> list[str]:
    found = {str(item[4][0]) for item in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    return [address for address in found if not address.startswith("127.")]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_a_taken_port_is_named_with_its_holder_before_anything_starts(
    context: TradingContext, family: socket.AddressFamily
) -> None:
    if family == socket.AF_INET6 and not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    started: list[str] = []

    async def hook() -> None:
        started.append("hook")

    free = free_port()
    with socket.socket(family) as holder:
        holder.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        apps = [
            (app_of(context, free, before_serving=[hook]), "127.0.0.1", free),
            (app_of(context, port, "markets", before_serving=[hook]), "127.0.0.1", port),
        ]
        with pytest.raises(PortTaken) as caught:
            await serve_apps(apps, asyncio.Event())
    message = str(caught.value)
    assert message.startswith("Address already in use")
    for part in (str(port), f"process {os.getpid()}", "prescient down", "PRESCIENT_PORT_SHIFT"):
        assert part in message
    assert (caught.value.port, started) == (port, [])
    # The first port was let go again.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free))


def test_the_holder_of_a_free_port_has_ended() -> None:
    assert holder_of(free_port()) == "a process that has just ended; try again"


async def test_background_work_runs_as_long_as_the_service(context: TradingContext) -> None:
    seen: list[str] = []

    async def before() -> None:
        seen.append("before")

    async def lasting() -> None:
        seen.append("lasting")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    port, stop = free_port(), asyncio.Event()
    app = app_of(context, port, "paper-trading", before_serving=[before], background=[lasting])
    task = asyncio.create_task(serve_apps([(app, "localhost", port)], stop))
    await until_open(port, task)
    assert seen == ["before", "lasting"]
    stop.set()
    await task
    assert seen == ["before", "lasting", "ended"]


async def test_a_failed_start_ends_all_and_says_why(context: TradingContext) -> None:
    async def fail() -> None:
        raise StoreUnavailable

    first, second = free_port(), free_port()
    apps = [
        (app_of(context, first), "127.0.0.1", first),
        (app_of(context, second, "markets", before_serving=[fail]), "127.0.0.1", second),
    ]
    with pytest.raises(ServiceDidNotStart) as caught:
        await serve_apps(apps, asyncio.Event())
    assert f"Prescient: Markets on port {second} did not start: Error connecting to database" in str(caught.value)
    assert isinstance(caught.value.__cause__, StoreUnavailable)
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", first)


async def test_a_cycle_under_way_is_ended_in_order_when_the_service_stops(context: TradingContext) -> None:
    port, stop = free_port(), asyncio.Event()
    cycle_steps = SlowStages(context)
    apps = []
    for name, of in (("paper-trading", free_port()), ("controller", port)):
        access = AccessPolicy(ports=frozenset({of}))
        app = create_app(name, context, cycle_steps, access)
        app.state.running = Running(drain_s=0.1)
        apps.append((app, "127.0.0.1", of))
    task = asyncio.create_task(serve_apps(apps, stop))
    await until_open(port, task)
    async with httpx.AsyncClient() as client:
        made = await client.post(f"http://127.0.0.1:{apps[0][2]}/portfolios/create", json=PORTFOLIO)
        assert made.status_code == 200
        asked = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/trading/run-full-cycle"))
        await cycle_steps.reached.wait()
        stop.set()
        await task
        with pytest.raises(httpx.HTTPError):
            (await asked).raise_for_status()
    (cycle,) = await context.store.cycles(5)
    assert cycle.status.value == "failed"
    # Its portfolio is free again.
    claim = await context.store.claim_cycle(CycleRequest("cycle-next", (1,)), NOW)
    assert not claim.replayed


async def test_a_request_head_that_never_ends_is_given_up(
    context: TradingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeadlineProtocol, "head_receive_s", 0.2)
    async with serving(context, ("events",)) as urls:
        port = int(urls["events"].rpartition(":")[2])
        for begun in (b"", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            await writer.wait_closed()
        async with httpx.AsyncClient() as client:
            for _ in range(3):
                assert (await client.get(f"{urls['events']}/health")).status_code == 200
                await asyncio.sleep(0.15)


async def test_a_stopped_process_leaves_with_nothing_printed_about_signals() -> None:
    """The servers leave signals alone: whoever owns the process decides what Ctrl-C means."""
    program = (
        "import asyncio, signal\n"
        "from tests.prescient.api.world import small_context\n"
        "from tests.prescient.api.serving import serving\n"
        "async def main():\n"
        "    before = signal.getsignal(signal.SIGINT)\n"
        "    async with serving(small_context(), ('events',)):\n"
        "        assert signal.getsignal(signal.SIGINT) is before\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await asyncio.wait_for(process.wait(), 60) == 0
