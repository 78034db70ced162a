"""Exponential back-off, shared by everything that tries again: tenacity's wait strategies behind one small class."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential

Result = TypeVar("Result")
_RETRYING = AsyncRetrying()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double with every failure in a row: ``first_s`` after the first one, never more than ``most_s``."""

    first_s: float
    most_s: float

    def pause_s(self, failures: int) -> float:
        """Return the seconds to wait after this many failures in a row, counted from 1."""
        assert failures >= 1, failures
        state = RetryCallState(_RETRYING, None, (), {})
        state.attempt_number = failures
        return float(self._wait(state))

    async def retry(
        self,
        call: Callable[[], Awaitable[Result]],
        *,
        attempts: int,
        retry_on: Callable[[BaseException], bool],
        sleep: Callable[[float], Awaitable[None]],
        on_retry: Callable[[int, BaseException], None] | None = None,
    ) -> Result:
        """Return the call's result; it is made at most ``attempts`` times. Raises what the last call raised.

        Only errors that ``retry_on`` accepts are retried. ``sleep`` is that of the clock whose time the pauses are in.
        ``on_retry`` is told of every failure before a pause: how many attempts were made, and the error.
        """

        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            if on_retry is not None and error is not None:
                on_retry(state.attempt_number, error)

        retrying = AsyncRetrying(
            stop=stop_after_attempt(attempts),
            wait=self._wait,
            retry=retry_if_exception(retry_on),
            sleep=sleep,
            before_sleep=tell,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await call()
        raise AssertionError("the last attempt returns or raises")

    @property
    def _wait(self) -> wait_exponential:
        return wait_exponential(multiplier=self.first_s, max=self.most_s)
