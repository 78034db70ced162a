"""Asks our own services over HTTP, for the command line, the worker and Python callers. Blocking; standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from polymarket_kit.errors import ExitCode, InvalidRequest, PrescientError
from prescient.service_table import LOOPBACK

TIMEOUT_S = 30.0
EXIT_CODES = {
    401: ExitCode.REFUSED,
    403: ExitCode.REFUSED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.REFUSED,
    422: ExitCode.USAGE,
}


class ServiceAway(PrescientError):
    """Nothing listens on the service's port, or the connection broke before its answer was complete."""

    code = "not_running"
    exit_code = ExitCode.NOT_RUNNING


class ServiceError(PrescientError):
    """The service answered with an error. ``status`` is HTTP's, ``code`` and message are the service's own."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(
            str(
                body.get("detail")
                or f"The service answered {status} without a reason; its log has it (`prescient status`)."
            )
        )
        self.status = status
        self.exit_code = EXIT_CODES.get(status, ExitCode.FAILURE)
        self.code = str(body.get("code") or "error")
        self.body = dict(body)


@dataclass(frozen=True, slots=True)
class Services:
    """Client of the services, by their names and ports."""

    ports: Mapping[str, int]
    token: str | None = None

    def get(self, service: str, path: str, *, timeout_s: float = TIMEOUT_S, **query: Any) -> Any:
        return self.ask("GET", service, path, query=query, timeout_s=timeout_s)

    def ask(
        self,
        method: str,
        service: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Any:
        """Return the decoded answer. ``key`` is sent as Idempotency-Key. Raises ServiceAway, ServiceError, InvalidRequest."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = quote(path) + (f"?{urlencode(given)}" if given else "")
        headers = {"Accept": "application/json"}
        content = None
        if body is not None:
            content = _encoded(body)
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        status, answer = self._exchange(method, service, target, content, headers, timeout_s)
        return _decoded(service, status, answer)

    def _exchange(
        self, method: str, service: str, target: str, content: bytes | None, headers: dict[str, str], timeout_s: float
    ) -> tuple[int, bytes]:
        # Imported here: help and wrong options do not need it.
        import http.client

        port = self.ports[service]
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
        try:
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except TimeoutError as error:
            raise ServiceAway(
                f"The {service} service on port {port} did not answer within {timeout_s:g} s. See its log, or `prescient status`."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise ServiceAway(
                f"The {service} service does not run on port {port}. Start the system: `prescient up` (or `make run`)."
            ) from error
        finally:
            connection.close()


def _encoded(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (ValueError, TypeError) as error:
        # NaN and infinities are no JSON, and no amount either.
        raise InvalidRequest(
            "value", f"cannot be sent ({error}); give a plain number, text, list or true/false."
        ) from None


def _decoded(service: str, status: int, answer: bytes) -> Any:
    try:
        decoded = json.loads(answer) if answer else {}
    except ValueError as error:
        if status < 400:
            raise ServiceAway(f"What answers as the {service} service is not ours: it does not speak JSON.") from error
        decoded = {}
    if status >= 400:
        raise ServiceError(status, decoded if isinstance(decoded, dict) else {})
    return decoded
