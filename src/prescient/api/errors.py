"""Maps errors to HTTP: one table for the domain's errors, one body for all, and never the caller's input."""

from __future__ import annotations

import json
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from polymarket_kit.errors import InvalidRequest, PrescientError
from prescient.api.inputs import safe_name
from prescient.domain.errors import (
    ConflictError,
    CycleAlreadyRunning,
    ExecutionInterrupted,
    InvariantBroken,
    NotFoundError,
    StepUnavailable,
    StoreUnavailable,
    VenueOwnerAway,
    VenueUnavailable,
)

log = structlog.get_logger(__name__)

STATUS: dict[type[PrescientError], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    InvalidRequest: 422,
    InvariantBroken: 500,
    VenueUnavailable: 502,
    StoreUnavailable: 503,
    StepUnavailable: 503,
    VenueOwnerAway: 503,
    ExecutionInterrupted: 503,
    PrescientError: 500,
}
RETRY_AFTER_S = 5
RETRY = {503: {"Retry-After": str(RETRY_AFTER_S)}}
FIELDS_NAMED_MAX = 20

# Our wording where the framework's would be unclear; all others are used as they are, and none repeats the input.
WORDING = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "string_unicode": "must be valid Unicode text",
}
HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


class FieldProblem(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """Every error's body. ``code`` is stable for programs; ``detail`` is for people and carries the cure."""

    detail: str = Field(description="What was wrong and what to do")
    code: str = Field(description="Stable name of the error")
    field: str | None = Field(None, description="The parameter or field that was refused")
    errors: list[FieldProblem] | None = Field(None, description="All refused fields")
    cycle_id: str | None = Field(None, description="The cycle that is running, or that failed")
    portfolio_id: int | None = None
    error_id: str | None = Field(None, description="What to look for in the log")


WHEN = {
    403: "A change asked for by another site, or a prefetch",
    404: "No such thing",
    409: "The present state refuses it",
    413: "Body above 64 KiB",
    415: "The body is not JSON",
    421: "The Host is not one of ours",
    422: "A parameter or field is refused",
    500: "Something is broken on our side",
    502: "The venue does not answer",
    503: "The database or another of our services does not answer",
}
ALWAYS = (403, 413, 415, 421, 422, 500, 503)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the error answers of a route for OpenAPI: the given statuses and those of every route."""
    known: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": WHEN[status]} for status in sorted({*ALWAYS, *statuses})
    }
    known["default"] = {"model": Problem, "description": "Any other error"}
    return known


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """Return an error's answer; ASCII on the wire, so that no text in it can break the encoder."""
    body = {"detail": detail, "code": code, **{name: value for name, value in more.items() if value is not None}}
    content = json.dumps(body, ensure_ascii=True, allow_nan=False).encode()
    return Response(content, status, RETRY.get(status), media_type="application/json")


def status_of(error: PrescientError) -> int:
    """Return the HTTP status of the nearest class in the table, going up the tree of errors."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


async def answer_domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PrescientError)
    status = status_of(error)
    if status >= 500:
        log.error("request failed", code=error.code, detail=str(error))
    named = {name: getattr(error, name, None) for name in ("field", "cycle_id", "portfolio_id")}
    named["cycle_id"] = named["cycle_id"] or getattr(request.state, "cycle_id", None)
    answer = problem(status, error.code, str(error), **named)
    if isinstance(error, CycleAlreadyRunning):
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


async def answer_validation_error(_request: Request, error: Exception) -> Response:
    """Name the fields and what they must be. Their values are never repeated: they may not even be encodable."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": _field_of(item["loc"]), "message": _message_of(item)} for item in error.errors()[:FIELDS_NAMED_MAX]
    ]
    first = errors[0]
    return problem(
        422, InvalidRequest.code, f"{first['field']}: {first['message']}.", field=first["field"], errors=errors
    )


def _field_of(location: tuple[Any, ...]) -> str:
    parts = [safe_name(part) for part in location if part not in ("body", "query", "path", "header")]
    return ".".join(parts) if parts else safe_name(location[0])


def _message_of(item: dict[str, Any]) -> str:
    if item["type"] in WORDING:
        return WORDING[item["type"]]
    return str(item["msg"]).removeprefix("Value error, ")


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: unknown paths, wrong methods."""
    assert isinstance(error, HTTPException)
    code = HTTP_CODES.get(error.status_code, "refused")
    detail = error.detail
    if error.status_code == 404:
        detail = "There is no such path. The docs page lists all: /docs."
    elif error.status_code == 405:
        detail = "This path does not take this method. The docs page lists all: /docs."
    answer = problem(error.status_code, code, detail)
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        # The framework names the methods of the first route that matches; another may hold more.
        answer.headers["Allow"] = ", ".join(_methods_at(request))
    return answer


def _methods_at(request: Request) -> list[str]:
    path: str = request.scope["path"]
    routes: list[APIRoute] = request.app.state.routes
    # A literal path takes precedence over one with a parameter that would match as well.
    own = [route for route in routes if route.path_format == path]
    matching = own or [route for route in routes if route.path_regex.match(path)]
    found = {method for route in matching for method in route.methods or ()}
    return sorted(found)


def add_handlers(app: FastAPI) -> None:
    """Register the handlers. Any other exception is handled by the access middleware."""
    app.add_exception_handler(PrescientError, answer_domain_error)
    app.add_exception_handler(RequestValidationError, answer_validation_error)
    app.add_exception_handler(HTTPException, answer_http_error)
