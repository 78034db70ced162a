"""What each part of the store stands on: the pool of connections and the one connection that holds the locks."""

from __future__ import annotations

from prescient.adapters.postgres.connection import Database
from prescient.adapters.postgres.lock_session import LockSession


class StoreBase:
    """The base of every part of ``PostgresStore``; each part is the file of one subject."""

    def __init__(self, database: Database, lock_session: LockSession) -> None:
        self._database = database
        self._lock_session = lock_session
