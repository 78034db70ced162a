"""What every test may ask for: the recorded venue data, free ports, a clean home."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.postgres_fixture import empty_dsn, postgres_dsn, postgres_server, shared_database

__all__ = ["empty_dsn", "postgres_dsn", "postgres_server", "shared_database"]

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded venue responses; without it these tests are skipped and say so."""
    folder = Path(os.environ.get("PRESCIENT_RECORDED_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "INDEX.md").exists():
        if os.environ.get("PRESCIENT_DEMAND_RECORDED_DATA") == "1":
            pytest.fail(f"Recorded venue data is demanded but not found in {folder}")
        pytest.skip(f"Recorded venue data not found in {folder}; set PRESCIENT_RECORDED_DATA to run this test")
    return folder


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
