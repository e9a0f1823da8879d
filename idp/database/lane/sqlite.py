"""The lane on SQLite: reads directly in the loop (about 10 microseconds), writes in one thread."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from itertools import chain
from queue import SimpleQueue
from typing import Any, TypeVar

import structlog

from idp.database.engine import LOG_PAGES, Database
from idp.database.lane.group import Item, Records, worked
from idp.database.lane.header import mapped
from idp.database.lane.queue import AWAY, Lane, Mark
from idp.database.lane.resting import Stale, holding, one
from idp.database.lane.statements import Many, Sql
from idp.errors import Unavailable

_AWAY_CODES = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
    | {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL}
)
_log = structlog.get_logger("idp.lane")


Some = TypeVar("Some")
_MOST, _LAST = 32, 16
"""Records, or grounds, of one statement while that many are left, and when fewer are."""


def _together(these: Sequence[Some]) -> Iterator[Sequence[Some]]:
    """Yield them in few parts of few sizes, for each of which a statement is prepared once.

    With each statement the interpreter changes hands, and a writer that asks for it once for every record waits for it
    as often.
    """
    start = 0
    while left := len(these) - start:
        size = _MOST if left >= _MOST else min(left, _LAST)
        yield these[start : start + size]
        start += size


@cache
def _inserting(records: Records, count: int) -> str:
    marks = f"({', '.join('?' * len(records.columns))})"
    return f"INSERT INTO {records.table} ({records.names}) VALUES {', '.join([marks] * count)}"  # noqa: S608 - our own names


def _away(problem: Exception) -> bool:
    """Say whether SQLite is locked, or its disk full or failing: the asker may come back."""
    return isinstance(problem, sqlite3.OperationalError) and problem.sqlite_errorcode & 0xFF in _AWAY_CODES


class SqliteLane(Lane):
    """One reading connection, one writing thread."""

    def __init__(self, database: Database, records: Records) -> None:
        super().__init__(records)
        self._path = database.url.database or ":memory:"
        self._loop = asyncio.get_running_loop()
        self._reader = self._connect()
        self._reader.execute("PRAGMA query_only=ON")
        self._marking = self._reader.cursor()
        self._ask_for_mark()  # with the first read SQLite maps the log's index
        self._header = mapped(self._path)
        self._durable = True
        self._signal: SimpleQueue[None] = SimpleQueue()
        self._calling = False
        self._thread = threading.Thread(target=self._run, name="lane-writer", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        # temp_store: for a trigger SQLite copies the pages each row touches; a file for them took half of its time.
        kept = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON", "temp_store=MEMORY")
        for pragma in (*kept, f"wal_autocheckpoint={LOG_PAGES}"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    async def fetch(self, sql: Sql, *values: Any) -> list[Any]:
        try:
            return self._reader.execute(sql.sqlite, values).fetchall()
        except sqlite3.OperationalError as problem:
            if _away(problem):
                raise Unavailable(AWAY) from problem
            raise

    def mark(self) -> Mark | None:
        header = self._header
        return header.raw if header is not None else self._ask_for_mark()

    def _ask_for_mark(self) -> int:
        """Ask SQLite, where the header can't be looked at: no Linux, or no index in memory yet."""
        try:
            [(mark,)] = self._marking.execute("PRAGMA data_version").fetchall()
        except sqlite3.OperationalError as problem:
            if _away(problem):
                raise Unavailable(AWAY) from problem
            raise
        return int(mark)

    def _wake(self) -> None:
        """Call the writer once the loop has done what is at hand: whoever asks meanwhile shares the commit.

        A thread woken at once would only wait for the interpreter, which the loop has.
        """
        if not self._calling:
            self._calling = True
            self._loop.call_soon(self._call)

    def _call(self) -> None:
        self._calling = False
        if self._signal.empty():  # else the writer has yet to look, and will find these items too
            self._signal.put(None)

    def _run(self) -> None:
        """Write until closed; whatever ends the writing begins it anew: answers must not wait for nobody."""
        while True:
            group: list[Item] = []
            try:
                with closing(self._connect()) as connection:  # what was begun on it ends with it
                    self._durable = True
                    self._write_on(connection, group)
            except BaseException as problem:
                _log.error("lane_writer_failed", cause=type(problem).__name__)
                for item in group:
                    item.error = item.error or Unavailable(AWAY)
                self._loop.call_soon_threadsafe(self._resolve, group)
                self._signal.put(None)
            else:
                return

    def _write_on(self, connection: sqlite3.Connection, group: list[Item]) -> None:
        while True:
            self._signal.get()
            while taken := self._take():
                group[:] = taken
                self._commit(connection, taken)
                group.clear()
                self._loop.call_soon_threadsafe(self._resolve, taken)
            if self._closing:
                return

    def _commit(self, connection: sqlite3.Connection, group: list[Item]) -> None:
        try:
            self._drive(connection, group)
        except Exception as problem:
            if _away(problem):
                for item in group:
                    item.error = Unavailable(AWAY)
                return
            if len(group) == 1:
                group[0].error = problem
                return
            for item in group:  # one bad item must not fail its neighbours: each alone
                item.error, item.result = None, None
                self._commit(connection, [item])

    def _drive(self, connection: sqlite3.Connection, group: list[Item]) -> None:
        self._keep(connection, durable=not all(item.light for item in group))
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._check(connection, group)
            rows: list[tuple[Any, ...]] = []
            work = worked(group, rows)
            answer: list[Any] | None = None
            while True:
                try:
                    step = work.send(answer) if answer is not None else next(work)
                except StopIteration:
                    break
                if isinstance(step, Many):
                    connection.executemany(step.sql.sqlite, step.rows)
                    answer = []
                else:
                    assert isinstance(step, tuple)
                    answer = connection.execute(step[0].sqlite, step[1]).fetchall()
            for some in _together(rows):
                connection.execute(_inserting(self._records, len(some)), list(chain.from_iterable(some)))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise
        if rows:
            self._records.count(rows)

    def _keep(self, connection: sqlite3.Connection, *, durable: bool) -> None:
        """Let the next commit wait for the disk, or not: a wait costs as much as the rest of a small commit."""
        if durable != self._durable:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    @staticmethod
    def _check(connection: sqlite3.Connection, group: list[Item]) -> None:
        """Mark the items whose ground no longer holds; the write lock keeps it as it is until the commit."""
        resting = [(item, one(item.rests_on)) for item in group if item.rests_on is not None]
        for some in _together(resting):
            values = [value for _, values in some for value in values]
            held = {n for (n,) in connection.execute(holding(len(some)), values)}
            for n, (item, _) in enumerate(some):
                if n not in held:
                    item.error = Stale()

    async def close(self) -> None:
        self._closing = True
        self._signal.put(None)
        await asyncio.to_thread(self._thread.join, 10)
        self._header = None  # before the connection goes, and the memory with it
        self._reader.close()
