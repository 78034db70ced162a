"""Process set-up: logs, signals, the event loop, and exiting together with the parent process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any

import structlog

from polymarket_kit.errors import ExitCode, PrescientError

LAST_GRACE_S = 5.0
# Orders live long, and each makes few objects: walking them seldom gives a tenth more messages (bench/matching.py).
YOUNG_OBJECTS = 100_000
YOUNG_ROUNDS = 1
MIDDLE_ROUNDS = 200
QUIET_LIBRARIES = ("asyncio", "aiohttp.access")


class PortTaken(PrescientError):
    """Another process listens on the exchange's port."""

    code = "port_taken"
    exit_code = ExitCode.REFUSED

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Address already in use: {host}:{port} is held by {holder_of(port)}. Stop it (`prescient down` if it is "
            "ours), or use other ports: PRESCIENT_PORT_SHIFT=100."
        )


def holder_of(port: int) -> str:
    """Describe which process listens on a port, if the system reveals it."""
    import psutil

    try:
        for item in psutil.net_connections(kind="tcp"):
            if item.pid and item.laddr and item.laddr.port == port and item.status == psutil.CONN_LISTEN:
                return f"process {item.pid} ({psutil.Process(item.pid).name()})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return "a process of another account"
    return "a process of another account, or one that has just ended"


def tune_garbage_collection() -> None:
    """Set what is loaded by now aside for good, and look for cycles less often. Called when the exchange is ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, MIDDLE_ROUNDS)


def end_with_parent(descriptor: int = 0) -> None:
    """End this process in order when the parent's end of standard input closes, and by force if it does not heed that."""
    threading.Thread(target=_watch_parent, args=(descriptor,), name="parent-pipe", daemon=True).start()


def _watch_parent(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(descriptor, 64):
            pass
    force = threading.Timer(LAST_GRACE_S, os._exit, args=(1,))
    force.daemon = True
    force.start()
    # In our own main thread, as if asked from outside; on Windows only the interrupt is caught.
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def run_until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run ``work`` with an event that SIGINT and SIGTERM set; raises what ends it early."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, stop.set)
            except NotImplementedError:
                # Windows: the handler runs in the main thread between two steps of the loop, so it must wake the loop.
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        await work(stop)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner, contextlib.suppress(KeyboardInterrupt):
        runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop
    import uvloop

    return uvloop.new_event_loop


def set_up_logs(level: str, *, apart: bool) -> None:
    """Write one line per event: errors on standard error, all else on standard output, or everything on standard error.

    ``apart`` leaves standard output to what the process has to say.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _one_line,
        ],
    )
    output = logging.StreamHandler(sys.stderr if apart else sys.stdout)
    output.addFilter(lambda record: record.levelno < logging.ERROR)
    errors = logging.StreamHandler(sys.stderr)
    errors.setLevel(logging.ERROR)
    root = logging.getLogger()
    root.handlers = [output, errors]
    root.setLevel(level)
    for handler in root.handlers:
        handler.setFormatter(formatter)
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Render ``time LEVEL event key=value ... [logger]``; a traceback follows on lines of its own."""
    time, level, name = event.pop("timestamp", ""), str(event.pop("level", "")).upper(), event.pop("logger", "")
    text, trace = _plain(event.pop("event", "")), event.pop("exception", None)
    line = f"{time} {level:<7} {text}" + "".join(f" {key}={_value(value)}" for key, value in event.items())
    return f"{line} [{name}]\n{trace}" if trace else f"{line} [{name}]"


def _value(value: object) -> str:
    text = _plain(value)
    return f'"{text}"' if " " in text or not text else text


def _plain(value: object) -> str:
    """Nothing in a value may begin a new line of the log or steer a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))
