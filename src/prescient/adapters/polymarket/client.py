"""One request to the venue: rate-limited, checked, and retried a bounded number of times."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog

from polymarket_kit.messages.pages import MalformedMessage, printable
from prescient.adapters.polymarket.limits import Rate, TokenBucket
from prescient.adapters.polymarket.messages.http import HttpResponse, HttpTransport, TransportFailed
from prescient.backoff import Backoff
from prescient.domain.errors import VenueUnavailable
from prescient.ports.clock import Clock

T = TypeVar("T")
log = structlog.get_logger(__name__)
# Details go to the standard library's logging, which costs nothing while they are off.
detail = logging.getLogger(__name__)

# The client errors that are temporary: request time-out, too early, too many requests.
RETRIED_STATUSES = frozenset({408, 425, 429})
ERROR_TEXT_MAX = 160


class RequestRefused(VenueUnavailable):
    """The venue refused the request; repeating it would not help."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter: each pause is a random part of what ``backoff`` says."""

    attempts: int = 5
    backoff: Backoff = Backoff(first_s=0.5, most_s=20.0)
    # The longest wait that the venue can ask for with Retry-After.
    asked_most_s: float = 60.0


@dataclass(frozen=True, slots=True)
class VenueRequest:
    """One request. It must be harmless to send twice."""

    method: str
    url: str
    params: Sequence[tuple[str, str]] = ()
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {urlsplit(self.url).path}"


class _Failure(Exception):
    """This attempt failed; another may succeed, not before ``wait_s``."""

    def __init__(self, cause: str, wait_s: float = 0.0) -> None:
        super().__init__(cause)
        self.wait_s = wait_s


class VenueClient:
    """Sends requests over a transport. ``counts`` says how often what happened."""

    def __init__(self, transport: HttpTransport, clock: Clock, jitter: Callable[[], float], retry: RetryPolicy) -> None:
        self._transport = transport
        self._clock = clock
        self._jitter = jitter
        self._retry = retry
        self._buckets: dict[Rate, TokenBucket] = {}
        self.counts: Counter[str] = Counter()

    async def fetch(self, question: VenueRequest, rate: Rate, read: Callable[[bytes], T]) -> T:
        """Return the answer as ``read`` decodes it.

        Raises RequestRefused for a definite refusal, and VenueUnavailable when every attempt failed.
        """
        bucket = self._bucket(question, rate)

        async def once() -> T:
            await bucket.acquire()
            try:
                return await self._attempt(question, read)
            except _Failure as failure:
                self.counts["failed attempts"] += 1
                if failure.wait_s:
                    bucket.pause(failure.wait_s)
                raise

        def log_retry(attempts: int, error: BaseException) -> None:
            log.warning("venue_retry", question=str(question), attempt=attempts, cause=str(error))

        try:
            return await self._retry.backoff.retry(
                once,
                attempts=self._retry.attempts,
                retry_on=lambda error: isinstance(error, _Failure),
                # Full jitter, so that callers refused together do not come back together.
                sleep=lambda pause_s: self._clock.sleep(self._jitter() * pause_s),
                on_retry=log_retry,
            )
        except _Failure as last:
            raise VenueUnavailable(
                f"{urlsplit(question.url).netloc} did not answer {question} after {self._retry.attempts} attempts; the last: "
                f"{last}. Check the network connection, a proxy or firewall in between, and the venue's own status page."
            ) from last

    async def _attempt(self, question: VenueRequest, read: Callable[[bytes], T]) -> T:
        self.counts["requests"] += 1
        began_s = time.perf_counter()
        try:
            response = await self._transport.request(question.method, question.url, question.params, question.body)
        except TransportFailed as error:
            _trace(question, "failed", began_s)
            raise _Failure(str(error)) from error
        _trace(question, str(response.status), began_s)
        self._judge(question, response)
        try:
            return read(response.body)
        except MalformedMessage as error:
            raise _Failure(str(error)) from error

    def _judge(self, question: VenueRequest, response: HttpResponse) -> None:
        status = response.status
        if status in RETRIED_STATUSES or status >= 500:
            raise _Failure(f"HTTP {status}{_said(response)}", self._asked_wait_s(response))
        if 300 <= status < 400:
            raise RequestRefused(
                f"{urlsplit(question.url).netloc} answered {question} with a redirect (HTTP {status}). Redirects are not "
                "followed: check the configured address, and whether a login page of the network is in between.",
                status,
            )
        if status >= 400:
            raise RequestRefused(
                f"{urlsplit(question.url).netloc} refused {question} with HTTP {status}{_said(response)}. "
                "Repeating it would not help; check the configured address and whether this program is up to date.",
                status,
            )
        if "html" in response.headers.get("content-type", "") or response.body.lstrip()[:1] == b"<":
            raise _Failure("the answer is a web page instead of JSON")

    def _bucket(self, question: VenueRequest, rate: Rate) -> TokenBucket:
        if rate not in self._buckets:
            self._buckets[rate] = TokenBucket(rate, self._clock)
        return self._buckets[rate]

    def _asked_wait_s(self, response: HttpResponse) -> float:
        """Return what Retry-After asks for, in seconds or as a date, within our bound; 0 when it says nothing."""
        text = response.headers.get("retry-after", "").strip()
        if not text:
            return 0.0
        try:
            wait_s = float(text)
        except ValueError:
            wait_s = self._seconds_until(text)
        # Written so that a NaN counts as no wait.
        return min(wait_s, self._retry.asked_most_s) if wait_s > 0 else 0.0

    def _seconds_until(self, date: str) -> float:
        try:
            time = parsedate_to_datetime(date)
        except ValueError:
            return 0.0
        aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
        return (aware - self._clock.now()).total_seconds()


def _trace(question: VenueRequest, outcome: str, began_s: float) -> None:
    """Log a request in detail: where to, what came, how long it took; never its parameters."""
    if detail.isEnabledFor(logging.DEBUG):
        path = urlsplit(question.url).path
        took_ms = round((time.perf_counter() - began_s) * 1000, 1)
        detail.debug("venue request %s %s status=%s ms=%s", question.method, path, outcome, took_ms)


def _said(response: HttpResponse) -> str:
    """Return the venue's own error text, short and printable, or nothing."""
    try:
        fields = msgspec.json.decode(response.body, type=dict[str, msgspec.Raw])
        text = msgspec.json.decode(fields["error"], type=str)
    except (ValueError, KeyError, RecursionError):
        return ""
    return f' ("{printable(text, ERROR_TEXT_MAX)}")'
