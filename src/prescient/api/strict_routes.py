"""The route class of all services: each route declares whether it changes something, and refuses unknown parameters."""

from __future__ import annotations

import email.message
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, get_args

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from polymarket_kit.errors import InvalidRequest
from prescient.api.access import AccessPolicy, check_change
from prescient.api.errors import problem
from prescient.api.inputs import parse_json, safe_name

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
MARK = "changes_state"


def reads(endpoint: Endpoint) -> Endpoint:
    """Mark a route that changes nothing; any page may link to it."""
    setattr(endpoint, MARK, False)
    return endpoint


def changes(endpoint: Endpoint) -> Endpoint:
    """Mark a route that changes something, GET included: another site or a prefetch must not reach it."""
    setattr(endpoint, MARK, True)
    return endpoint


class StrictRequest(Request):
    """A request whose body was decoded strictly before the framework asks for it."""

    decoded: Any = None

    async def json(self) -> Any:
        return self.decoded


class StrictRoute(APIRoute):
    """Raises TypeError at import time for a route that does not say whether it changes something."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        mark = getattr(endpoint, MARK, None)
        if not isinstance(mark, bool):
            raise TypeError(f"{endpoint.__name__} at {path} must be marked @reads or @changes")
        super().__init__(path, endpoint, **options)
        if not mark and self.methods != {"GET"}:
            raise TypeError(f"{endpoint.__name__} at {path} takes {self.methods}, so it must be marked @changes")
        self.changes_state = mark

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        query_names = _query_names(self.dependant)

        async def strictly(request: Request) -> Response:
            policy: AccessPolicy = request.app.state.access
            refusal = check_change(policy, request.headers) if self.changes_state else None
            if refusal is not None:
                return problem(*refusal)
            _check_query(request, query_names)
            strict = StrictRequest(request.scope, request.receive)
            await self._decode(strict)
            return await handle(strict)

        return strictly

    async def _decode(self, request: StrictRequest) -> None:
        body = await request.body()
        if not body:
            return
        if self.body_field is None:
            raise InvalidRequest("body", "this path takes no body; its parameters stand in the URL.")
        message = email.message.Message()
        message["content-type"] = request.headers.get("content-type", "")
        if message.get_content_type() != "application/json":
            raise HTTPException(415, "Send the body as JSON, with Content-Type: application/json.")
        request.decoded = parse_json(body)


def _query_names(dependant: Dependant) -> frozenset[str]:
    """Return the names of all query parameters of a route, those inside a parameter model included."""
    names: set[str] = set()
    for parameter in dependant.query_params:
        model = _model_of(parameter.field_info.annotation)
        if model is None:
            names.add(parameter.alias)
        else:
            names |= {field.alias or name for name, field in model.model_fields.items()}
    for inner in dependant.dependencies:
        names |= _query_names(inner)
    return frozenset(names)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    candidates = (annotation, *get_args(annotation))
    return next((item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel)), None)


def _check_query(request: Request, names: frozenset[str]) -> None:
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in names:
            known = f"known are {', '.join(sorted(names))}" if names else "this path has none"
            raise InvalidRequest(safe_name(name), f"is not a parameter of this path; {known}.")
        if given.count(name) > 1:
            raise InvalidRequest(name, "stands twice in the URL; give it once.")
