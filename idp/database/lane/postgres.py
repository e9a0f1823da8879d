"""The lane on PostgreSQL through asyncpg: a few connections for reads, one for group commits.

A group that only checks and appends, and the common case of a frequent write, is one statement: a round
trip and a transaction by itself. Whatever else a group brings is worked in a transaction of its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import asyncpg

from idp.database.engine import Database
from idp.database.lane.bell import Bell
from idp.database.lane.group import Item, Records, worked
from idp.database.lane.queue import AWAY, Lane
from idp.database.lane.readers import BY_KEY, GONE, Readers
from idp.database.lane.resting import HOLDING, HOLDING_ONE, WIDTH, Stale, arrays, one
from idp.database.lane.statements import Many, Merged, Sql
from idp.errors import Unavailable

SECONDS_TO_WRITE = 3.5
"""When the database itself gives a statement of ours up: one that only we gave up would be written after our answer."""


class PostgresLane(Lane):
    """A small pool of readers, one writer."""

    def __init__(self, database: Database, records: Records) -> None:
        super().__init__(records)
        self._dsn = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._loop = asyncio.get_running_loop()
        self._readers = Readers(self._dsn)
        self._writer: asyncpg.Connection | None = None
        self._signal = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._bells: dict[str, Bell] = {}
        self._away = False

    async def open(self) -> None:
        """Connect; raise Unavailable when the database does not answer."""
        await self._readers.open()
        self._begin()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._run(), name="lane-writer")

    async def fetch(self, sql: Sql, *values: Any) -> list[Any]:
        return await self._readers.fetch(sql.postgres, values)

    async def hears(self, channel: str, ring: Callable[[], None]) -> bool:
        bell = self._bells.get(channel)
        if bell is None:
            bell = self._bells[channel] = Bell(self._dsn, channel, ring)
        return await bell.hears()

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
                    await self._answered(group)
                if self._closing:
                    return
        finally:
            if self._waiting and not self._closing:
                self._signal.set()
                self._begin()

    async def _answered(self, group: list[Item]) -> None:
        try:
            await self._commit(group)
        except BaseException:  # the writer itself is being ended, in the middle of a group
            self._lose(group)
            self._resolve(group)
            raise
        self._resolve(group)

    def _lose(self, items: list[Item]) -> None:
        """Answer that the database is away, and take up no connection again that may be in a transaction."""
        for item in items:
            item.error = Unavailable(AWAY)
        if self._writer is not None:
            self._writer.terminate()
            self._writer = None

    async def _commit(self, group: list[Item]) -> None:
        """Commit each kind of item by its own way; what could not be done at once is worked after it."""
        self._away = False
        plain = [item for item in group if item.work is None]
        merged: dict[Merged, dict[Any, Item]] = {}
        slow: list[Item] = []
        for item in group:
            if item.work is None:
                continue
            if item.light:
                await self._each([item], self._alone)
                continue
            if item.at_once is None:
                slow.append(item)
                continue
            alike = merged.setdefault(item.at_once.merged, {})
            if alike.setdefault(item.at_once.values[item.at_once.merged.key], item) is not item:
                slow.append(item)
        if plain:
            await self._each(plain, self._append)
        for kind, alike in merged.items():
            left: list[Item] = []
            await self._each(list(alike.values()), partial(self._at_once, kind, left))
            slow.extend(left)
        if slow:
            await self._each(slow, self._worked)

    async def _each(self, items: list[Item], way: Any) -> None:
        """Commit items together; where that fails, each alone: a bad one must not fail its neighbours.

        Once the database was away, the rest of the group is not tried: they have waited for it already.
        """
        if self._away:
            self._lose(items)
            return
        try:
            await way(items)
        except GONE:
            self._away = True
            self._lose(items)
        except Exception as problem:
            if len(items) == 1:
                items[0].error = problem
                return
            for item in items:
                item.error, item.result = None, None
                await self._each([item], way)

    async def _connected(self) -> asyncpg.Connection:
        if self._writer is None or self._writer.is_closed():
            settings = BY_KEY | {"statement_timeout": f"{SECONDS_TO_WRITE * 1000:.0f}"}
            waits = SECONDS_TO_WRITE + 0.5
            self._writer = await asyncpg.connect(self._dsn, timeout=2, command_timeout=waits, server_settings=settings)
        return self._writer

    async def _append(self, items: list[Item]) -> None:
        """Check and append in one statement."""
        writer = await self._connected()
        base = items[0].rests_on
        if len(items) == 1 and len(items[0].rows) == 1 and base is not None:
            [row] = items[0].rows
            if await writer.fetch(_appending_one(self._records), *one(base), *row):
                self._records.count([row])
            else:
                items[0].error = Stale()
            return
        rows = [(n, *row) for n, item in enumerate(items) for row in item.rows]
        if any(item.rests_on is not None for item in items):
            given = arrays((n, item.rests_on) for n, item in enumerate(items))
            found = await writer.fetch(_appending(self._records), *given, *_columns(rows, self._records))
            held = {row[0] for row in found}
            for n, item in enumerate(items):
                if n not in held:
                    item.error = Stale()
            rows = [row for row in rows if row[0] in held]
        elif rows:
            await writer.fetch(_inserting(self._records), *_columns(rows, self._records)[1:])
        self._records.count([row[1:] for row in rows])

    async def _at_once(self, merged: Merged, left: list[Item], items: list[Item]) -> None:
        """Check, work and append in one statement; name those whose work is not so simple."""
        writer = await self._connected()
        cases = [item.at_once for item in items if item.at_once is not None]
        rows = [(n, *row) for n, case in enumerate(cases) for row in case.rows]
        given = arrays((n, item.rests_on) for n, item in enumerate(items))
        values = [case.values for case in cases]
        found = await writer.fetch(
            _merged(merged, self._records), *given, *zip(*values, strict=True), *_columns(rows, self._records)
        )
        held = {n: (taken, done) for n, taken, done in found}
        for n, item in enumerate(items):
            taken, done = held.get(n, (None, None))
            if taken is None:
                item.error = Stale()
            elif not taken:
                left.append(item)
            elif not done:
                item.result = cases[n].broken
        self._records.count([row[1:] for row in rows if held.get(row[0], (0, 0))[1]])

    async def _alone(self, items: list[Item]) -> None:
        """Run work of one statement, which is a transaction by itself: one round trip, not three."""
        [item] = items
        assert item.work is not None
        work = item.work()
        sql, values = next(work)  # type: ignore[misc]
        found = await (await self._connected()).fetch(sql.postgres, *values)
        try:
            work.send(found)
        except StopIteration as done:
            item.result = done.value
        else:
            raise RuntimeError("light work has more than one statement")

    async def _worked(self, items: list[Item]) -> None:
        """Run generators of statements in one transaction."""
        writer = await self._connected()
        rows: list[tuple[Any, ...]] = []
        async with writer.transaction():
            if any(item.rests_on is not None for item in items):
                given = arrays((n, item.rests_on) for n, item in enumerate(items))
                held = {row[0] for row in await writer.fetch(HOLDING, *given)}
                for n, item in enumerate(items):
                    if n not in held:
                        item.error = Stale()
            work = worked(items, rows)
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
            if rows:
                await writer.fetch(_inserting(self._records), *zip(*rows, strict=True))
        self._records.count(rows)

    async def close(self) -> None:
        self._closing = True
        self._signal.set()
        for bell in self._bells.values():
            bell.close()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=10)
        if self._writer is not None:
            await self._writer.close(timeout=2)
        self._readers.close()


def _columns(rows: list[tuple[Any, ...]], records: Records) -> list[Sequence[Any]]:
    """Turn rows into one array for each column, the item's place first."""
    return list(zip(*rows, strict=True)) if rows else [()] * (len(records.columns) + 1)


def _unnest(columns: Sequence[tuple[str, str]], first: int) -> str:
    given = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(columns, start=first))
    return f"unnest({given}) AS r({', '.join(name for name, _ in columns)})"


@cache
def _inserting(records: Records) -> str:
    return f"INSERT INTO {records.table} ({records.names}) SELECT * FROM {_unnest(records.columns, 1)}"  # noqa: S608


def _rows_of(records: Records, first: int, which: str) -> str:
    """Insert the rows of the items in one of the WITH queries."""
    source = _unnest((("n", "int"), *records.columns), first)
    return (
        f"INSERT INTO {records.table} ({records.names}) SELECT {records.names} FROM {source} "  # noqa: S608
        f"WHERE r.n IN (SELECT n FROM {which})"
    )


@cache
def _appending(records: Records) -> str:
    kept = _rows_of(records, WIDTH + 1, "fresh")
    return f"WITH fresh AS MATERIALIZED ({HOLDING}), kept AS ({kept}) SELECT n FROM fresh"  # noqa: S608


@cache
def _appending_one(records: Records) -> str:
    """The same for one record: the driver takes a third of the time for values that it takes for arrays of one."""
    values = ", ".join(f"${n}::{kind}" for n, (_, kind) in enumerate(records.columns, start=WIDTH))
    return (
        f"WITH fresh AS MATERIALIZED ({HOLDING_ONE}), kept AS (INSERT INTO {records.table} ({records.names}) "  # noqa: S608
        f"SELECT {values} WHERE (SELECT held FROM fresh) IS NOT NULL) SELECT held FROM fresh"
    )


@cache
def _merged(merged: Merged, records: Records) -> str:
    columns = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(merged.columns, start=WIDTH + 1))
    names = ", ".join(name for name, _ in merged.columns)
    kept = _rows_of(records, WIDTH + 1 + len(merged.columns), "done")
    return (
        f"WITH fresh AS MATERIALIZED ({HOLDING}), given AS MATERIALIZED (SELECT * FROM unnest($1::int[], {columns}) "  # noqa: S608
        f"AS g(n, {names})), {merged.steps}, kept AS ({kept}) "
        "SELECT f.n, f.n IN (SELECT n FROM taken), f.n IN (SELECT n FROM done) FROM fresh f"
    )
