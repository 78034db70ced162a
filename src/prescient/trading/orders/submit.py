"""Submit: what will be sent is committed, then sent; whatever does not come back as an answer is ``Unknown``.

Stands between approve and book, for every caller that sends an order or asks a venue anything that moves money.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

import structlog

from polymarket_kit.errors import PrescientError
from prescient.domain.errors import StoreUnavailable
from prescient.domain.order import ApprovedOrder, Rejected, Submission, Unknown
from prescient.domain.reasons import Reason
from prescient.ports.context import TradingContext
from prescient.ports.venue import Venue

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


async def submit_order(context: TradingContext, venue: Venue, order: ApprovedOrder) -> Submission:
    """Send an approved order once. Raises StoreUnavailable, and then nothing was sent."""
    order_id = order.intent.order_id
    try:
        wire = await venue.prepare(order)
    except StoreUnavailable:
        raise
    except Exception as error:  # whatever it was, nothing has left: this order is not placed
        log.warning("order not prepared", order_id=order_id, venue=venue.name, exc_info=error)
        return Rejected(Reason.NOT_PREPARED, text_of_error(error))
    if wire is not None:
        await context.store.mark_submitted(order_id, wire, context.clock.now())
        order = replace(order, wire=wire)
    return await answer_of(venue.submit(order), order_id)


async def answer_of(call: Awaitable[Answer], subject: str) -> Answer | Unknown:
    """Return what a venue answered about an order or a request: the one place where an exception becomes ``Unknown``.

    Something may have been sent, so it is never taken for "not placed". Raises StoreUnavailable: an adapter that reads
    the store does so before it sends.
    """
    try:
        return await call
    except StoreUnavailable:
        raise
    except Exception as error:  # no adapter may do this; what it sent is unknown all the same
        log.error("venue raised", subject=subject, exc_info=error)
        return Unknown(text_of_error(error))


def text_of_error(error: Exception) -> str:
    """Return what a person is told of an error: our own text, else its kind, as the log has the rest."""
    return str(error) if isinstance(error, PrescientError) else f"{type(error).__name__}: see the log"
