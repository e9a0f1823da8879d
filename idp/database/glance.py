"""A look for work: one small statement on a connection of its own, ten times a second and almost for nothing.

The pages' session costs a look more than a millisecond of the processor (a checkout, a ping, BEGIN, ROLLBACK, a
reset); here it is one round trip of the driver.
"""

import threading
from typing import Any

from sqlalchemy import PoolProxiedConnection

from idp.database.engine import Database
from idp.database.lane.statements import Sql


class Glance:
    """One connection in autocommit, made with the first look, and anew after a look that failed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._held: PoolProxiedConnection | None = None

    def at(self, sql: Sql, *values: Any) -> Any:
        """Return the first value of the first row; raises what the driver raises while the database is away."""
        with self._lock:
            try:
                if self._held is None:
                    self._held = self._connected()
                driver: Any = self._held.dbapi_connection
                named = {f"p{n}": value for n, value in enumerate(values, start=1)}
                row = driver.execute(sql.named if self._database.is_sqlite else sql.percent, named).fetchone()
            except BaseException:
                self._drop()
                raise
        return row[0] if row is not None else None

    def close(self) -> None:
        """Close the connection; another look makes a new one."""
        with self._lock:
            self._drop()

    def _connected(self) -> PoolProxiedConnection:
        held = self._database.engine.raw_connection()
        held.detach()  # the pool may make another in its place: this one is kept
        if not self._database.is_sqlite:  # SQLite's is in autocommit where nobody says BEGIN
            driver: Any = held.dbapi_connection
            driver.autocommit = True
        return held

    def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()
