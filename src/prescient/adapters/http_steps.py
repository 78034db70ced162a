"""The six verbs, asked from the services that run them: the Stages port over HTTP, with the same results and errors.

No call is repeated: whether a step ran is not known when its answer is lost, and the cycle's row says how far it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from polymarket_kit.errors import PrescientError
from polymarket_kit.values import micro_to_text, parse_micro
from prescient.domain.cycle import StepReport
from prescient.domain.errors import StepUnavailable, error_from_answer
from prescient.domain.screening import EventFilter, MarketFilter
from prescient.domain.signal import Step
from prescient.service_table import CYCLE_TIMEOUT_S, EVENTS, MARKETS, PAPER_TRADING, STRATEGY, Service

CONNECT_S = 5.0
MICRO_SUFFIX, DOLLAR_SUFFIX = "_micro", "_usd"


class _Step(msgspec.Struct):
    """One step's report as the services answer it."""

    verb: Step
    portfolio_id: int | None
    count_in: int = msgspec.field(name="in")
    count_out: int = msgspec.field(name="out")
    seconds: float
    dropped: dict[str, int]
    settings: dict[str, str]
    amounts: dict[str, float]


class _Answer(msgspec.Struct):
    report: _Step


class _Problem(msgspec.Struct):
    detail: str
    code: str
    field: str | None = None
    cycle_id: str | None = None
    portfolio_id: int | None = None


class HttpCycleSteps:
    """Asks the step services at their base URLs, by their names. Close it when done."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = dict(urls)
        self._session: aiohttp.ClientSession | None = None

    async def collect(self, cycle_id: str) -> StepReport:
        return await self._ask(EVENTS, "/events/export", {"cycle_id": cycle_id})

    async def filter(self, cycle_id: str, limits: EventFilter) -> StepReport:
        return await self._ask(EVENTS, "/events/filter", {"cycle_id": cycle_id, **_event_fields(limits), "limit": 0})

    async def screen(self, cycle_id: str, limits: EventFilter, market_limits: MarketFilter) -> StepReport:
        fields = {
            "cycle_id": cycle_id,
            **_event_fields(limits),
            "min_liquidity": micro_to_text(market_limits.min_liquidity_micro),
            "min_volume": micro_to_text(market_limits.min_volume_micro),
            **_band_fields(market_limits),
            "limit": 0,
        }
        return await self._ask(MARKETS, "/markets/export-filtered-markets-db", fields)

    async def decide(self, cycle_id: str, portfolio_id: int, limits: MarketFilter) -> StepReport:
        fields = {"cycle_id": cycle_id, "portfolio_id": portfolio_id, **_band_fields(limits), "limit": 0}
        return await self._ask(STRATEGY, "/strategy/generate-signals", fields)

    async def execute(self, cycle_id: str, portfolio_id: int) -> StepReport:
        fields = {"cycle_id": cycle_id, "portfolio_id": portfolio_id}
        return await self._ask(PAPER_TRADING, "/paper-trading/execute-signals", fields)

    async def mark(self, portfolio_id: int) -> StepReport:
        return await self._ask(PAPER_TRADING, "/paper-trading/mark", {"portfolio_id": portfolio_id})

    async def snapshot(self, cycle_id: str, portfolio_id: int) -> StepReport:
        fields = {"cycle_id": cycle_id, "portfolio_id": portfolio_id}
        return await self._ask(PAPER_TRADING, "/paper-trading/snapshot", fields)

    async def close(self) -> None:
        """Close the connections. Closing twice is no error."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, asked: Service, path: str, fields: dict[str, Any]) -> StepReport:
        """Raises StepUnavailable when the service is away, else the domain error that it answered."""
        service, url = asked.name, self._urls[asked.name]
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=CYCLE_TIMEOUT_S, sock_connect=CONNECT_S)
            # Only loopback and our own services are asked, so no proxy from the environment stands in between.
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=False)
        try:
            async with self._session.post(url + path, json=fields, allow_redirects=False) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _away(service, url, error) from error
        if status >= 400:
            raise _error_of(service, url, status, body)
        try:
            return _report_of(msgspec.json.decode(body, type=_Answer).report)
        except msgspec.MsgspecError as error:
            raise StepUnavailable(_not_ours(service, url, status)) from error


def _event_fields(limits: EventFilter) -> dict[str, str]:
    return {
        "event_min_liquidity": micro_to_text(limits.event_min_liquidity_micro),
        "event_min_volume": micro_to_text(limits.event_min_volume_micro),
    }


def _band_fields(limits: MarketFilter) -> dict[str, str]:
    return {
        "min_market_conviction": micro_to_text(limits.min_market_conviction_micro),
        "max_market_conviction": micro_to_text(limits.max_market_conviction_micro),
    }


def _report_of(step: _Step) -> StepReport:
    return StepReport(
        step=step.verb,
        portfolio_id=step.portfolio_id,
        count_in=step.count_in,
        count_out=step.count_out,
        seconds=step.seconds,
        dropped=Counter(step.dropped),
        settings=step.settings,
        amounts=dict(_amount(name, value) for name, value in step.amounts.items()),
    )


def _amount(name: str, value: float) -> tuple[str, int]:
    """Dollars back into micro-dollars; a float's shortest text has exactly the six decimals that were sent."""
    if name.endswith(DOLLAR_SUFFIX):
        return name.removesuffix(DOLLAR_SUFFIX) + MICRO_SUFFIX, parse_micro(value)
    return name, int(value)


def _away(service: str, url: str, error: Exception) -> StepUnavailable:
    kind = "did not answer in time" if isinstance(error, TimeoutError) else "does not answer"
    return StepUnavailable(
        f"The {service} service at {url} {kind} ({type(error).__name__}). Start it: `prescient serve {service}`, or all "
        "with `prescient up`; `prescient status` shows what runs."
    )


def _not_ours(service: str, url: str, status: int) -> str:
    return (
        f"What answers at {url} (status {status}) is not our {service} service, or is another version of it. "
        "`prescient status` shows what runs; restart all with `prescient down` and `prescient up`."
    )


def _error_of(service: str, url: str, status: int, body: bytes) -> PrescientError:
    """Make the domain error again that the service turned into HTTP."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        return StepUnavailable(_not_ours(service, url, status))
    error = error_from_answer(
        problem.code,
        problem.detail,
        field=problem.field,
        cycle_id=problem.cycle_id,
        portfolio_id=problem.portfolio_id,
    )
    return error or StepUnavailable(f"The {service} service failed: {problem.detail}")
