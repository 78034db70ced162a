"""Every service's /health: whether it and its database answer, for supervisors, for the controller and for people."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from pydantic import Field

from prescient.api.dependencies import TheContext, TheInfo
from prescient.api.errors import documented
from prescient.api.responses import Answer
from prescient.api.strict_routes import StrictRoute, reads
from prescient.domain.errors import StoreUnavailable

router = APIRouter(route_class=StrictRoute, tags=["health"])
PING_S = 3.0


class HealthAnswer(Answer):
    status: str
    service: str
    version: str
    database: str
    source: str = Field(description="Where the markets come from")


@router.get("/health", responses=documented())
@reads
async def health(request: Request, context: TheContext, info: TheInfo) -> HealthAnswer:
    """200 if the service and its database answer, 503 with the cure if the database does not."""
    try:
        async with asyncio.timeout(PING_S):
            await context.store.ping()
    except TimeoutError as error:
        raise StoreUnavailable(f"It did not answer within {PING_S:.0f} s.") from error
    return HealthAnswer(
        status="ok", service=request.app.state.service, version=info.version, database="ok", source=context.source
    )
