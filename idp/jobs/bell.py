"""A bell for jobs: PostgreSQL rings it at a commit (LISTEN), so that a job need not look to find that nothing happened.

One thread with one connection, made anew when it was lost. While it does not hear, jobs look as often as on SQLite.
"""

import os
import select
import threading
from typing import Any

import structlog

from idp.database import Database

_AGAIN = 1.0
"""Seconds between two tries to hear again."""
_log = structlog.get_logger("idp.jobs")


class Bell:
    """Sets `rang` at each commit that notifies its channel."""

    def __init__(self, database: Database, channel: str) -> None:
        self.rang = threading.Event()
        self.hears = False
        self._database = database
        self._channel = channel
        self._over = threading.Event()
        self._told, self._tell = os.pipe()
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
        if not database.is_sqlite:
            self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._over.set()
        os.write(self._tell, b"x")
        if self._thread.is_alive():
            self._thread.join()
        os.close(self._tell)
        os.close(self._told)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._listen()
            except Exception as problem:
                _log.warning("bell_lost", cause=type(problem).__name__)
            self.hears = False
            self._over.wait(_AGAIN)

    def _listen(self) -> None:
        held = self._database.engine.raw_connection()
        held.detach()  # the pool may make another in its place: this one is kept
        try:
            driver: Any = held.dbapi_connection
            driver.autocommit = True
            driver.execute(f"LISTEN {self._channel}")
            self.hears = True
            self.rang.set()  # what was committed before it listened
            ready = select.poll()  # not select(): a busy worker's descriptors have higher numbers than it knows
            for descriptor in (driver.fileno(), self._told):
                ready.register(descriptor, select.POLLIN)
            while not self._over.is_set():
                if any(descriptor == driver.fileno() for descriptor, _ in ready.poll()):
                    for _ in driver.notifies(timeout=0):
                        self.rang.set()
        finally:
            held.close()
