"""What the client does when the venue is away, slow, wrong or in a hurry; over real sockets, on a clock that does not sleep."""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import format_datetime

import pytest

from prescient.adapters.clock import SimulatedClock
from prescient.adapters.gather import ConcurrentGather
from prescient.adapters.polymarket import AiohttpTransport, PolymarketData
from prescient.adapters.polymarket.client import RequestRefused, RetryPolicy
from prescient.adapters.polymarket.messages.http import HttpResponse, TransportFailed
from prescient.backoff import Backoff
from prescient.domain.errors import VenueUnavailable
from prescient.ports.market_data import MarketData
from tests.conftest import free_port
from tests.prescient.polymarket.fake_venue import LocalTransport, Script, book_object, json_answer, never, served

BOOKS = "/clob/books"
GOOD = json_answer([book_object("1")])
HTML = HttpResponse(200, b"<html><body>Just a moment...</body></html>", {"content-type": "text/html"})


def test_the_client_is_market_data(local: PolymarketData) -> None:
    port: MarketData = local
    assert port is local


@pytest.mark.parametrize(
    "failure",
    [
        json_answer({"error": "busy"}, 500),
        json_answer({"error": "service not ready"}, 425),
        HttpResponse(502, b"<html>bad gateway</html>", {"content-type": "text/html"}),
        HTML,
        HttpResponse(200, b"\n <!doctype html>", {"content-type": "application/json"}),
        HttpResponse(200, GOOD.body[: len(GOOD.body) // 2], GOOD.headers),
        HttpResponse(200, b"", GOOD.headers),
        HttpResponse(200, b"\xff\xfe", GOOD.headers),
        HttpResponse(200, b'{"message": "ok"}', GOOD.headers),
        HttpResponse(200, GOOD.body[:50], {"x-cut-off": "yes"}),
        never,
    ],
    ids=[
        "500",
        "425",
        "502",
        "html",
        "html in disguise",
        "half",
        "empty",
        "not utf-8",
        "other shape",
        "cut",
        "time-out",
    ],
)
async def test_a_passing_failure_is_tried_again(
    over_sockets: PolymarketData, script: Script, clock: SimulatedClock, failure: HttpResponse
) -> None:
    script.on(BOOKS, failure, failure, GOOD)
    books = await over_sockets.books(["1"])
    assert set(books) == {"1"} and len(script.asked) == 3
    # Full jitter at its most: half a second, then one.
    assert clock.monotonic_s() == pytest.approx(1.5)
    assert over_sockets.counts == {"requests": 3, "failed attempts": 2}


async def test_attempts_are_bounded_and_the_error_names_host_cause_and_cure(
    over_sockets: PolymarketData, script: Script, clock: SimulatedClock
) -> None:
    script.on(BOOKS, json_answer({"error": "engine\x00 down \u202e"}, 503))
    with pytest.raises(VenueUnavailable) as caught:
        await over_sockets.books(["1"])
    assert len(script.asked) == 5
    assert clock.monotonic_s() == pytest.approx(0.5 + 1 + 2 + 4)
    message = str(caught.value)
    for part in ("127.0.0.1:", "POST /clob/books", "5 attempts", "HTTP 503", "engine? down ?", "Check the network"):
        assert part in message


async def test_nobody_there(clock: SimulatedClock) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    data = PolymarketData(gamma_url=url, clob_url=url, clock=clock)
    with pytest.raises(VenueUnavailable, match="Cannot connect"):
        await data.books(["1"])
    await data.close()


async def test_the_back_off_is_capped_and_jitter_shortens_it(script: Script, clock: SimulatedClock) -> None:
    script.on(BOOKS, json_answer({}, 500))
    policy = RetryPolicy(attempts=8, backoff=Backoff(first_s=1, most_s=5))
    data = PolymarketData(
        gamma_url="http://v",
        clob_url="http://v/clob",
        clock=clock,
        jitter=lambda: 0.5,
        retry=policy,
        transport=LocalTransport(script),
    )
    with pytest.raises(VenueUnavailable):
        await data.books(["1"])
    assert clock.monotonic_s() == pytest.approx((1 + 2 + 4 + 5 + 5 + 5 + 5) / 2)


@pytest.mark.parametrize(
    ("asks", "waits_s"),
    [("7", 7), ("0.5", 0.5), ("99999", 60), ("-3", 0.5), ("nan", 0.5), ("soon", 0.5), ("", 0.5), ("inf", 60)],
)
async def test_retry_after_is_honoured_within_bounds(
    over_sockets: PolymarketData, script: Script, clock: SimulatedClock, asks: str, waits_s: float
) -> None:
    script.on(BOOKS, json_answer({"error": "Too Many Requests"}, 429, retry_after=asks), GOOD)
    assert await over_sockets.books(["1"])
    assert clock.monotonic_s() == pytest.approx(waits_s)


@pytest.mark.parametrize(("ahead_s", "waits_s"), [(25, 25), (3_600, 60), (-3_600, 0.5)])
async def test_retry_after_may_be_a_date(
    over_sockets: PolymarketData, script: Script, clock: SimulatedClock, ahead_s: int, waits_s: float
) -> None:
    date = format_datetime(clock.now() + timedelta(seconds=ahead_s), usegmt=True)
    script.on(BOOKS, json_answer({}, 429, retry_after=date), GOOD)
    assert await over_sockets.books(["1"])
    assert clock.monotonic_s() == pytest.approx(waits_s)


async def test_others_wait_too_when_the_venue_asks_for_time(
    local: PolymarketData, script: Script, clock: SimulatedClock
) -> None:
    script.on(BOOKS, json_answer({}, 429, retry_after="30"), GOOD)
    times: list[float] = []

    async def fetch() -> None:
        await local.books(["1"])
        times.append(clock.monotonic_s())

    await ConcurrentGather()([fetch, fetch, fetch], 1)
    assert times[0] == pytest.approx(30) and len(script.asked) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 409, 422])
async def test_a_definite_no_is_not_repeated(over_sockets: PolymarketData, script: Script, status: int) -> None:
    script.on(BOOKS, json_answer({"error": "Payload exceeds the limit"}, status))
    with pytest.raises(RequestRefused, match=f'HTTP {status} ."Payload exceeds the limit"') as caught:
        await over_sockets.books(["1"])
    assert caught.value.status == status and isinstance(caught.value, VenueUnavailable)
    assert len(script.asked) == 1


async def test_a_redirect_is_not_followed(over_sockets: PolymarketData, script: Script) -> None:
    script.on(BOOKS, HttpResponse(302, b"", {"location": "/clob/elsewhere"}))
    script.on("/clob/elsewhere", GOOD)
    with pytest.raises(RequestRefused, match="redirect"):
        await over_sockets.books(["1"])
    assert script.paths() == [BOOKS]


async def test_an_answer_without_end_is_cut(script: Script) -> None:
    script.on("/big", HttpResponse(200, b"[" + b" " * 3_000_000 + b"]"))
    async with served(script) as url:
        transport = AiohttpTransport(body_max_bytes=1024 * 1024, loopback=True)
        with pytest.raises(TransportFailed, match="larger than 1 MiB"):
            await transport.request("GET", f"{url}/big", [], None)
        await transport.close()


async def test_senseless_addresses_are_a_typed_error() -> None:
    transport = AiohttpTransport(loopback=True)
    for url in ("http://", "nonsense", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"):
        with pytest.raises(TransportFailed):
            await transport.request("GET", url, [], None)
    await transport.close()


async def test_each_request_is_logged_in_detail_without_its_parameters(
    over_sockets: PolymarketData, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.on(BOOKS, GOOD)
    with caplog.at_level("DEBUG", logger="prescient.adapters.polymarket.client"):
        await over_sockets.books(["1"])
    lines = [record.getMessage() for record in caplog.records if "venue request" in record.getMessage()]
    assert len(lines) == 1
    assert re.fullmatch(r"venue request POST /clob/books status=200 ms=[\d.]+", lines[0])
