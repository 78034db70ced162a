"""Sets up logging for one process: one line per event, errors on standard error, everything else on standard output."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Whole words in a key's name; "token_id" names a market's outcome and is no secret.
SECRET_KEYS = frozenset(
    {"password", "passphrase", "secret", "private_key", "api_secret", "api_key", "authorization", "token"}
)
QUIET_LIBRARIES = ("asyncio", "aiohttp.access", "sqlalchemy.engine", "alembic.runtime.plugins", "uvicorn.error")
Event = MutableMapping[str, Any]


def set_up_logs(level: str) -> None:
    """Send structlog's and the standard library's events through one formatter. ``level`` is DEBUG, INFO, WARNING or ERROR."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        hide_secrets,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            one_line,
        ],
    )
    output = logging.StreamHandler(sys.stdout)
    errors = logging.StreamHandler(sys.stderr)
    errors.setLevel(logging.ERROR)
    output.addFilter(lambda record: record.levelno < logging.ERROR)
    root = logging.getLogger()
    root.handlers = [output, errors]
    root.setLevel(level)
    for handler in root.handlers:
        handler.setFormatter(formatter)
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def hide_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Blank whatever is named like a secret, should one ever be handed to a log call."""
    for key in event:
        if key.lower() in SECRET_KEYS:
            event[key] = "(hidden)"
    return event


def one_line(_logger: Any, _method: str, event: Event) -> str:
    """Render ``time LEVEL event key=value ... [logger]``; a traceback follows on lines of its own."""
    time, level, name = event.pop("timestamp", ""), str(event.pop("level", "")).upper(), event.pop("logger", "")
    text, trace = _plain(event.pop("event", "")), event.pop("exception", None)
    values = "".join(f" {key}={_value(value)}" for key, value in event.items())
    line = f"{time} {level:<7} {text}{values} [{name}]"
    return f"{line}\n{trace}" if trace else line


def _value(value: object) -> str:
    text = _plain(value)
    return f'"{text}"' if " " in text or not text else text


def _plain(value: object) -> str:
    """Escape what could begin a new line of the log or control a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))
