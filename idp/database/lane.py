"""The machines' lane: one statement to read in the event loop, one group commit to write.

Statements are written once with `$1` parameters. Reads run on an autocommit connection, so they see
every commit made before them. Writes of many requests are committed together by one writer per
worker; each request's answer waits for its group's commit (decisions.md 7).
"""

import asyncio
import re
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import asyncpg
import structlog
from sqlalchemy import TextClause, text
from sqlmodel import Session

from idp.database.engine import Database
from idp.database.readers import BY_KEY, GONE, Readers
from idp.errors import Unavailable

_log = structlog.get_logger("idp.lane")
QUEUE_LIMIT = 4096
GROUP_LIMIT = 256
SECONDS_TO_ANSWER = 5.0
MAPPED = 1 << 30
"""Bytes of an SQLite file read through memory instead of by system calls: a million grants cost like a few."""
_NUMBERED = re.compile(r"\$(\d+)")


class Sql:
    """One statement, in the text each driver wants."""

    __slots__ = ("named", "postgres", "sqlite")

    def __init__(self, text: str) -> None:
        self.postgres = text
        self.sqlite = _NUMBERED.sub(r"?\1", text)
        self.named = _NUMBERED.sub(r":p\1", text)
        """For the pages' lane, which runs the same statement through its own session."""


@dataclass(slots=True)
class Many:
    """The same statement for many rows, sent as one."""

    sql: Sql
    rows: Sequence[tuple[Any, ...]]


@dataclass(slots=True)
class Append:
    """An audit row; the writer inserts all rows of a group at once, after the group's work."""

    row: tuple[Any, ...]


Yielded = tuple[Sql, tuple[Any, ...]] | Many | Append
Work = Generator[Yielded, list[Any], Any]
"""Yields statements, is sent their rows, returns the answer. Runs unchanged on both drivers."""


def drive(session: Session, work: Work) -> Any:
    """Run the same work in the pages' lane, on a session of its transaction; return its answer."""
    answer: list[Any] | None = None
    while True:
        try:
            step = work.send(answer) if answer is not None else next(work)
        except StopIteration as done:
            return done.value
        if not isinstance(step, tuple):
            raise TypeError("only reads are driven on a session; it has its own ways to write")
        sql, values = step
        named = {f"p{n}": value for n, value in enumerate(values, start=1)}
        answer = list(session.execute(_prepared(sql), named).all())


@cache
def _prepared(sql: Sql) -> TextClause:
    return text(sql.named)


class Stale(Exception):
    """What the answer rested on has changed since it was read: read again and decide again."""


@dataclass(frozen=True, slots=True)
class RestsOn:
    """The versions an answer was computed from (decisions.md 3); checked inside the commit."""

    epoch: int
    account_id: str | None = None
    version: int = 0


@dataclass(slots=True)
class _Item:
    work: Callable[[], Work] | None
    rows: Sequence[tuple[Any, ...]]
    rests_on: RestsOn | None
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None


_EPOCH = Sql("SELECT epoch FROM policy_epoch")


def _versions(count: int) -> Sql:
    marks = ",".join(f"${n + 1}" for n in range(count))
    # Only the number of marks is put into the text, never a value. One statement: both of one moment.
    return Sql(
        "SELECT e.epoch, v.account_id, v.version FROM policy_epoch e "  # noqa: S608
        f"LEFT JOIN account_version v ON v.account_id IN ({marks})"
    )


_VERSIONS = [_versions(n) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256)]


def _group(items: list[_Item], append: Callable[[list[tuple[Any, ...]]], Work]) -> Work:
    """One group: check what answers rest on, do each item's work, append all audit rows."""
    resting = [item for item in items if item.rests_on is not None]
    if resting:
        ids = sorted({i.rests_on.account_id for i in resting if i.rests_on and i.rests_on.account_id})
        versions: dict[str, int] = {}
        if not ids:
            [(epoch,)] = yield _EPOCH, ()
        else:
            statement = next(
                s for n, s in zip((1, 2, 4, 8, 16, 32, 64, 128, 256), _VERSIONS, strict=True) if n >= len(ids)
            )
            width = statement.postgres.count("$")
            found = yield statement, tuple(ids + [ids[-1]] * (width - len(ids)))
            epoch = found[0][0]
            versions = {row[1]: row[2] for row in found}
        for item in resting:
            base = item.rests_on
            assert base is not None
            if base.epoch != epoch or (base.account_id and versions.get(base.account_id, 0) != base.version):
                item.error = Stale()
    rows: list[tuple[Any, ...]] = []
    for item in items:
        if item.error is not None:
            continue
        if item.work is not None:
            work = item.work()
            answer: list[Any] | None = None
            while True:
                try:
                    step = work.send(answer) if answer is not None else next(work)
                except StopIteration as done:
                    item.result = done.value
                    break
                if isinstance(step, Append):
                    rows.append(step.row)
                    answer = []
                else:
                    answer = yield step
        rows.extend(item.rows)
    if rows:
        yield from append(rows)


_AWAY = "The database did not answer. Try again in a moment."
_AWAY_CODES = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
    | {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL}
)


def _away(problem: Exception) -> bool:
    """Say whether SQLite is locked, or its disk full or failing: the asker may come back."""
    return isinstance(problem, sqlite3.OperationalError) and problem.sqlite_errorcode & 0xFF in _AWAY_CODES


def _give_up(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(Unavailable("The database did not answer in time. Try again in a moment."))


class Lane:
    """Reads and group commits of one worker; made by `open_lane`, closed with `close`."""

    _loop: asyncio.AbstractEventLoop

    def __init__(self, append: Callable[[list[tuple[Any, ...]]], Work]) -> None:
        self._append = append
        self._waiting: deque[_Item] = deque()
        self._closing = False

    async def fetch(self, sql: Sql, *values: Any) -> list[Any]:
        """Run one statement on the autocommit reader and return its rows as tuples."""
        raise NotImplementedError

    async def write(
        self,
        work: Callable[[], Work] | None = None,
        rows: Sequence[tuple[Any, ...]] = (),
        rests_on: RestsOn | None = None,
    ) -> Any:
        """Do the work and append the rows in the next group; return once it is committed.

        Raises Stale when `rests_on` no longer holds (nothing of this item was written) and Unavailable
        when the queue is full or the database does not answer in time.
        """
        if self._closing or len(self._waiting) >= QUEUE_LIMIT:
            raise Unavailable("The service is busy. Try again in a moment.")
        item = _Item(work, rows, rests_on, self._loop.create_future())
        self._waiting.append(item)
        self._wake()
        # A timer, not wait_for: one of these stands behind every machine's answer.
        timer = self._loop.call_later(SECONDS_TO_ANSWER, _give_up, item.future)
        try:
            return await item.future
        finally:
            timer.cancel()

    def _take(self) -> list[_Item]:
        group: list[_Item] = []
        while self._waiting and len(group) < GROUP_LIMIT:
            item = self._waiting.popleft()
            if not item.future.done():  # gave up waiting before its turn: must not be written
                group.append(item)
        return group

    @staticmethod
    def _resolve(group: list[_Item]) -> None:
        for item in group:
            if item.future.done():
                continue
            if item.error is not None:
                item.future.set_exception(item.error)
            else:
                item.future.set_result(item.result)

    def _wake(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Finish the waiting groups and close the connections."""
        raise NotImplementedError


class SqliteLane(Lane):
    """SQLite reads directly in the loop (about 10 microseconds) and writes in one thread."""

    def __init__(self, database: Database, append: Callable[[list[tuple[Any, ...]]], Work]) -> None:
        super().__init__(append)
        self._path = database.url.database or ":memory:"
        self._loop = asyncio.get_running_loop()
        self._reader = self._connect()
        self._reader.execute("PRAGMA query_only=ON")
        self._reader.execute(f"PRAGMA mmap_size={MAPPED}")
        self._signal = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lane-writer", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    async def fetch(self, sql: Sql, *values: Any) -> list[Any]:
        try:
            return self._reader.execute(sql.sqlite, values).fetchall()
        except sqlite3.OperationalError as problem:
            if _away(problem):
                raise Unavailable(_AWAY) from problem
            raise

    def _wake(self) -> None:
        self._signal.set()

    def _run(self) -> None:
        """Write until closed; whatever ends the writing begins it anew: answers must not wait for nobody."""
        while True:
            group: list[_Item] = []
            try:
                with closing(self._connect()) as connection:  # what was begun on it ends with it
                    self._write_on(connection, group)
            except BaseException as problem:
                _log.error("lane_writer_failed", cause=type(problem).__name__)
                for item in group:
                    item.error = item.error or Unavailable(_AWAY)
                self._loop.call_soon_threadsafe(self._resolve, group)
                self._signal.set()
            else:
                return

    def _write_on(self, connection: sqlite3.Connection, group: list[_Item]) -> None:
        while True:
            self._signal.wait()
            self._signal.clear()
            while taken := self._take():
                group[:] = taken
                self._commit(connection, taken)
                group.clear()
                self._loop.call_soon_threadsafe(self._resolve, taken)
            if self._closing:
                return

    def _commit(self, connection: sqlite3.Connection, group: list[_Item]) -> None:
        try:
            self._drive(connection, group)
        except Exception as problem:
            if _away(problem):
                for item in group:
                    item.error = Unavailable(_AWAY)
                return
            if len(group) == 1:
                group[0].error = problem
                return
            for item in group:  # one bad item must not fail its neighbours: each alone
                item.error, item.result = None, None
                self._commit(connection, [item])

    def _drive(self, connection: sqlite3.Connection, group: list[_Item]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            work = _group(group, self._append)
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
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise

    async def close(self) -> None:
        self._closing = True
        self._signal.set()
        await asyncio.to_thread(self._thread.join, 10)
        self._reader.close()


class PostgresLane(Lane):
    """PostgreSQL through asyncpg: a small pool for reads, one connection for group commits."""

    def __init__(self, database: Database, append: Callable[[list[tuple[Any, ...]]], Work]) -> None:
        super().__init__(append)
        self._dsn = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._loop = asyncio.get_running_loop()
        self._readers = Readers(self._dsn)
        self._writer: asyncpg.Connection | None = None
        self._signal = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; raise Unavailable when the database does not answer."""
        await self._readers.open()
        self._begin()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._run(), name="lane-writer")

    async def fetch(self, sql: Sql, *values: Any) -> list[Any]:
        return await self._readers.fetch(sql.postgres, values)

    def _wake(self) -> None:
        self._signal.set()
        if self._task is None or self._task.done():
            self._begin()

    async def _run(self) -> None:
        """Write until closed; whatever ends the writing begins it anew: answers must not wait for nobody."""
        try:
            while True:
                await self._signal.wait()
                self._signal.clear()
                while group := self._take():
                    await self._commit(group)
                    self._resolve(group)
                if self._closing:
                    return
        finally:
            if self._waiting and not self._closing:
                self._signal.set()
                self._begin()

    async def _commit(self, group: list[_Item]) -> None:
        try:
            await self._drive(group)
        except Exception as problem:
            if isinstance(problem, GONE):
                self._lose(group)
                return
            if len(group) == 1:
                group[0].error = problem
                return
            for item in group:  # one bad item must not fail its neighbours: each alone
                item.error, item.result = None, None
                await self._commit([item])
        except BaseException:  # the writer itself is being ended, in the middle of a group
            self._lose(group)
            self._resolve(group)
            raise

    def _lose(self, group: list[_Item]) -> None:
        """Answer that the database is away, and take up no connection again that may be in a transaction."""
        for item in group:
            item.error = Unavailable(_AWAY)
        if self._writer is not None:
            self._writer.terminate()
            self._writer = None

    async def _drive(self, group: list[_Item]) -> None:
        if self._writer is None or self._writer.is_closed():
            self._writer = await asyncpg.connect(self._dsn, timeout=2, command_timeout=4, server_settings=BY_KEY)
        writer = self._writer
        async with writer.transaction():
            work = _group(group, self._append)
            answer: list[Any] | None = None
            while True:
                try:
                    step = work.send(answer) if answer is not None else next(work)
                except StopIteration:
                    break
                if isinstance(step, Many):
                    await writer.executemany(step.sql.postgres, step.rows)
                    answer = []
                else:
                    assert isinstance(step, tuple)
                    answer = await writer.fetch(step[0].postgres, *step[1])

    async def close(self) -> None:
        self._closing = True
        self._signal.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=10)
        if self._writer is not None:
            await self._writer.close(timeout=2)
        self._readers.close()


async def open_lane(database: Database, append: Callable[[list[tuple[Any, ...]]], Work]) -> Lane:
    """Open the lane of this worker; `append` turns a group's audit rows into statements."""
    if database.is_sqlite:
        return SqliteLane(database, append)
    lane = PostgresLane(database, append)
    await lane.open()
    return lane
