"""What the venue's restricted modes say to a whole request, before anybody looks who sends it."""

from __future__ import annotations

from polymarket_kit.rejections import Rejection
from practice_exchange.engine.lifecycle import refuse_cancel, refuse_order
from practice_exchange.engine.orders import Mode
from practice_exchange.venue.venue_engine import VenueEngine

POSTS = frozenset({"POST /order", "POST /orders"})
CANCELS = frozenset({"DELETE /order", "DELETE /orders", "DELETE /cancel-all", "DELETE /cancel-market-orders"})


def refuse_request(venue_engine: VenueEngine, action: str) -> Rejection | None:
    """The mode's refusal of "POST /order" and its like, or None; the post-only window judges order by order."""
    core = venue_engine.engine.core
    if core.mode is Mode.NORMAL or core.mode is Mode.POST_ONLY:
        return None
    if action in POSTS:
        return refuse_order(core, post_only=False, now_ms=venue_engine.now_ms)
    return refuse_cancel(core) if action in CANCELS else None
