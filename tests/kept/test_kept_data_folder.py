"""The database folder that a release with PostgreSQL 18.4 has left behind, opened by the server that comes along now."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prescient.adapters.postgres.server.account import choose_account, is_root
from prescient.adapters.postgres.server.embedded import EmbeddedPostgres, connection_of
from tests.prescient.postgres.servers import POSIX_ONLY, free_port, query

PACKED = Path(__file__).with_name("data") / "data_folder_18_4.tar.xz"


@pytest.fixture
def home() -> Iterator[Path]:
    """The folder as it lay there; where root starts it, it belonged to the service account."""
    made = Path(tempfile.mkdtemp(prefix="prescient-test-"))
    made.chmod(0o755)
    with tarfile.open(PACKED) as packed:
        packed.extractall(made, filter="data")
    data = made / "postgres" / "data"
    if is_root():
        account = choose_account(made / "nothing")
        (made / "postgres").chmod(0o711)
        for path in (data, *data.rglob("*")):
            os.chown(path, account.uid, account.gid)
    data.chmod(0o700)
    yield made
    shutil.rmtree(made)


@POSIX_ONLY
def test_data_folder_of_an_earlier_server_opens_with_its_rows(home: Path) -> None:
    before = (home / "postgres" / "credentials.json").read_bytes()
    server = EmbeddedPostgres(home, free_port())
    server.start()
    try:
        # The passwords of then let in, the index of then is read, and new rows are written beside the old ones.
        connection = connection_of(home, superuser=True)
        assert query(connection, "SELECT count(*), sum(n) FROM kept") == "1000|500500"
        plan = "SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT n FROM kept WHERE text = 'Straße 77'"
        assert "Index" in query(connection, plan)
        assert query(connection, "SET enable_seqscan = off; SELECT n FROM kept WHERE text = 'Straße 77'") == "77"
        query(connection, "INSERT INTO kept VALUES (1001, 'new')")
        assert query(connection, "SELECT count(*) FROM kept") == "1001"
        assert query(connection, "SHOW server_version") != "18.4"
    finally:
        server.stop()
    assert (home / "postgres" / "credentials.json").read_bytes() == before
