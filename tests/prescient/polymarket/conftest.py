"""A scripted venue and a client on a clock that never really sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import SequentialGather
from prescient.adapters.polymarket import PolymarketData
from tests.prescient.polymarket.fake_venue import LocalTransport, Script, served


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(datetime(2026, 5, 17, 6, 5, tzinfo=UTC))


@pytest.fixture
async def over_sockets(script: Script, clock: SimulatedClock) -> AsyncIterator[PolymarketData]:
    """The client as it runs in production, against a server on loopback."""
    async with served(script) as url:
        data = PolymarketData(
            gamma_url=f"{url}/gamma",
            clob_url=f"{url}/clob",
            clock=clock,
            gather=SequentialGather(),
            jitter=lambda: 1.0,
            timeout_s=0.3,
        )
        yield data
        await data.close()


@pytest.fixture
async def local(script: Script, clock: SimulatedClock) -> AsyncIterator[PolymarketData]:
    """The client with the script itself in the place of the network."""
    data = PolymarketData(
        gamma_url="http://venue/gamma",
        clob_url="http://venue/clob/",
        clock=clock,
        gather=SequentialGather(),
        jitter=lambda: 1.0,
        transport=LocalTransport(script),
    )
    yield data
    await data.close()
