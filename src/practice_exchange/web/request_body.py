"""Reads the body of a request from the wire: not more than a bound, and not longer than one may wait for a slow client."""

from __future__ import annotations

import asyncio

from aiohttp import web

from practice_exchange.web.responses import WireError, json_answer

# A batch of 15 orders has 15 kB, a thousand cancels have 70. The venue does not document its bound: assumed.
BODY_MAX_BYTES = 1024 * 1024
# Who sends nothing for so long is cut off: with a body begun, and between two requests.
BODY_WAIT_S = 30.0
IDLE_WAIT_S = 75.0
# How long the rest of a body that was refused is let run out, so that its sender gets to read the refusal.
LINGER_S = 5.0


async def read_body(request: web.BaseRequest, wait_s: float = BODY_WAIT_S) -> bytes:
    """Return the whole body. Raises WireError: 413 if it is too large, 408 if it does not come in time."""
    if (request.content_length or 0) > BODY_MAX_BYTES:
        raise _too_large()
    try:
        if request.content.is_eof():
            # It is all here; a timer would only cost.
            return await request.read()
        async with asyncio.timeout(wait_s):
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large() from error
    except TimeoutError as error:
        raise WireError(json_answer({"error": "Request Timeout"}, 408)) from error


def _too_large() -> WireError:
    return WireError(json_answer({"error": "Request Entity Too Large"}, 413))
