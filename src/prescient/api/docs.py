"""The docs page of a service: Swagger's files from the installed package, nothing from any other origin."""

from __future__ import annotations

import asyncio
import html
import json
import re
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from swagger_ui_bundle import swagger_ui_path

from prescient.api.strict_routes import StrictRoute, reads

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
# Swagger draws its icons from data: URLs and sets styles on its own elements; scripts come from files alone.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# No validator badge: it would ask a third party about this page.
START_SCRIPT = """window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis], tryItOutEnabled: false, displayRequestDuration: true
});
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
"""

router = APIRouter(route_class=StrictRoute)


@router.get("/docs", include_in_schema=False)
@reads
async def docs(request: Request) -> Response:
    page = PAGE.format(title=html.escape(str(request.app.title)))
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


@router.get("/docs/assets/{name}", include_in_schema=False)
@reads
async def asset(name: str) -> Response:
    if name == "start.js":
        return Response(START_SCRIPT, media_type="text/javascript")
    if name not in ASSETS:
        raise HTTPException(404)
    return FileResponse(swagger_ui_path / name, media_type=ASSETS[name])


@router.get("/openapi.json", include_in_schema=False)
@reads
async def openapi(request: Request) -> Response:
    app = request.app
    if app.state.openapi_body is None:
        # Composing it takes tenths of a second, which is too long for the loop.
        app.state.openapi_body = await asyncio.to_thread(_openapi_body, app)
    return Response(app.state.openapi_body, media_type="application/json")


def _openapi_body(app: FastAPI) -> bytes:
    return json.dumps(app.openapi(), ensure_ascii=True).encode()


def describe(app: FastAPI) -> None:
    """Make the app's description OpenAPI 3.0.3, because the docs page's Swagger reads no later version."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            app.openapi_schema = as_version_3_0(with_summaries(schema))
        return app.openapi_schema

    app.state.openapi_body = None
    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way to replace the description


def with_summaries(schema: dict[str, Any]) -> dict[str, Any]:
    """Title each operation with the first words of its description, not with the name of a function."""
    for operations in schema.get("paths", {}).values():
        for operation in operations.values():
            operation["summary"] = re.split(r"[.;:](\s|$)", operation["description"], maxsplit=1)[0]
    return schema


def as_version_3_0(schema: dict[str, Any]) -> dict[str, Any]:
    """Rewrite an OpenAPI 3.1 description as 3.0.3: null types, exclusive bounds, constants and examples differ."""
    rewritten = _rewritten(schema)
    assert isinstance(rewritten, dict)
    return {**rewritten, "openapi": "3.0.3"}


def _rewritten(node: Any) -> Any:
    if isinstance(node, list):
        return [_rewritten(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {name: _rewritten(value) for name, value in node.items()}
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(result.get(exclusive), int | float) and not isinstance(result[exclusive], bool):
            result[bound], result[exclusive] = result[exclusive], True
    if "const" in result:
        result["enum"] = [result.pop("const")]
    return _nullable(result)


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    choices = node.get("anyOf")
    null = {"type": "null"}
    if not isinstance(choices, list) or null not in choices:
        return node
    kept = [choice for choice in choices if choice != null]
    rest = {name: value for name, value in node.items() if name != "anyOf"}
    if len(kept) > 1:
        return {**rest, "anyOf": kept, "nullable": True}
    if "$ref" in kept[0]:
        return {**rest, "allOf": kept, "nullable": True}
    return {**kept[0], **rest, "nullable": True}
