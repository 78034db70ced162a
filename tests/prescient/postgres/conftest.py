"""Homes and servers for the tests of the embedded database."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.prescient.postgres.servers import NUMBERS, Servers


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Servers whose database no other test has seen, so that tests can share a home that took a second to make."""
    with ExitStack() as stack:
        yield Servers(stack, f"test_{next(NUMBERS)}")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that other accounts may pass through, as pytest's own are not: root's server runs under another account."""
    # In memory where there is room: a cluster is a thousand files that are flushed one by one, and no test pulls the plug.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 1024**3
    made = Path(tempfile.mkdtemp(prefix="prescient-test-", dir=memory if roomy else None))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def home(folder: Path) -> Path:
    return folder / "shared"


@pytest.fixture
def new_home(folder: Path) -> Path:
    return folder / f"home-{next(NUMBERS)}"
