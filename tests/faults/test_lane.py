"""The lane's writer is killed, its connection cut, its disk full: answers say so, and the next ones work.

Every item appends one record; what was acknowledged must be in the log, once, and nothing half (security.md 73, 87).
"""

import asyncio
import ctypes
import resource
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, reading, transaction
from idp.database.lane import Lane, PostgresLane, Sql, SqliteLane, Work, open_lane, postgres, queue
from idp.errors import Unavailable
from tests.engines import owned

COUNT, WITHIN = 300, 4.0
Trouble = Callable[[Lane, Database], Awaitable[None]]


def _row(database: Database, name: str) -> tuple[Any, ...]:
    return log.machine_row(database, Event("oauth.token.issued", client=name), clock.now())


def _slow(lane: Lane) -> Callable[[], Work] | None:
    """Work that keeps a group open for a moment, so that trouble finds it in the middle."""
    if isinstance(lane, SqliteLane):
        return None

    def work() -> Work:
        yield Sql("SELECT pg_sleep(0.01)"), ()

    return work


def recorded(database: Database) -> list[str]:
    with reading(database) as db:
        sql = "SELECT client_id FROM audit_record WHERE event = 'oauth.token.issued'"
        return [str(row[0]) for row in db.execute(text(sql)).all()]


async def _play(database: Database, trouble: Trouble) -> tuple[list[str], int]:
    """Write under trouble; return what was acknowledged and how many were refused."""
    lane = await open_lane(database, log.append)
    acknowledged: list[str] = []
    refused = 0

    async def one(name: str, after: float = 0.0) -> None:
        nonlocal refused
        await asyncio.sleep(after)
        try:
            await lane.write(_slow(lane) if name.endswith("0") else None, [_row(database, name)])
            acknowledged.append(name)
        except Unavailable:
            refused += 1

    try:
        work = [asyncio.create_task(one(f"app-{n}", n / 1500)) for n in range(COUNT)]
        await asyncio.sleep(0.01)
        await trouble(lane, database)
        await asyncio.gather(*work)
        until = time.monotonic() + WITHIN
        while time.monotonic() < until:  # it recovers by itself
            before = len(acknowledged)
            await one(f"after-{time.monotonic_ns()}")
            if len(acknowledged) > before:
                break
        else:
            pytest.fail("the lane did not recover")
    finally:
        await lane.close()
    return acknowledged, refused


async def _kill_writer(lane: Lane, database: Database) -> None:
    """End the writing task or thread in the middle of its work, as no code of ours does."""
    if isinstance(lane, PostgresLane):
        assert lane._task is not None
        lane._task.cancel()
        return
    assert isinstance(lane, SqliteLane)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(lane._thread.ident or 0), ctypes.py_object(SystemExit))
    await asyncio.sleep(0.05)


async def _cut_connections(lane: Lane, database: Database) -> None:
    """The database ends every connection, as on a fail-over; SQLite has none: its file is locked instead."""
    if isinstance(lane, PostgresLane):
        sql = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for _ in range(3):
            await asyncio.to_thread(_run, database, sql)
            await asyncio.sleep(0.01)
        return
    holder = sqlite3.connect(database.url.database or "", isolation_level=None, timeout=5)
    holder.execute("BEGIN IMMEDIATE")
    await asyncio.sleep(0.2)
    holder.execute("COMMIT")
    holder.close()


def _run(database: Database, sql: str) -> None:
    with transaction(database) as db:
        db.execute(text(sql))


@pytest.mark.parametrize("trouble", [_kill_writer, _cut_connections])
def test_security_87_a_writer_killed_or_cut_off_in_a_batch_loses_nothing_it_acknowledged(
    database: Database, trouble: Trouble
) -> None:
    begun = time.monotonic()
    acknowledged, refused = asyncio.run(_play(database, trouble))
    there = recorded(database)
    assert set(acknowledged) <= set(there), "an acknowledged record is lost"
    assert len(there) == len(set(there)), "a record was written twice"
    assert refused < COUNT
    assert time.monotonic() - begun < 2 * WITHIN, "nobody waits long for an answer"


def test_security_89_who_was_told_to_come_back_has_had_nothing_written_then_or_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is locked for longer than anybody waits; what was given up must not be written once it is free."""
    monkeypatch.setattr(queue, "SECONDS_TO_ANSWER", 1.0)
    monkeypatch.setattr(postgres, "SECONDS_TO_WRITE", 0.7)

    async def play() -> tuple[set[str], int]:
        lane = await open_lane(database, log.append)
        acknowledged: set[str] = set()
        refused = 0

        async def one(name: str, after: float) -> None:
            nonlocal refused
            await asyncio.sleep(after)
            try:
                await lane.write(None, [_row(database, name)])
                acknowledged.add(name)
            except Unavailable:
                refused += 1

        try:
            held = asyncio.create_task(asyncio.to_thread(_locked, database, 1.8))
            await asyncio.sleep(0.2)
            await asyncio.gather(*(one(f"app-{n}", n * 0.1) for n in range(15)), held)
            await one("after", 0)
        finally:
            await lane.close()
        return acknowledged, refused

    acknowledged, refused = asyncio.run(play())
    time.sleep(0.3)
    assert set(recorded(database)) == acknowledged
    assert "after" in acknowledged
    assert refused


def _locked(database: Database, seconds: float) -> None:
    """Keep everybody from writing, as an import or a change of the schema does."""
    with owned(database) as owners, transaction(owners) as db:
        if not database.is_sqlite:
            db.execute(text("LOCK TABLE audit_record IN EXCLUSIVE MODE"))
        else:
            db.execute(text("SELECT 1"))
        time.sleep(seconds)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_89_a_full_disk_is_an_answer_to_come_back_later_and_nothing_is_half_there(database: Database) -> None:
    """Nobody may make a file longer for a while; PostgreSQL's disk is its own server's matter."""
    longest = 2000  # bytes: no page fits

    async def fill(lane: Lane, database: Database) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, hard))
        try:
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await lane.write(None, [_row(database, "never")])
            with pytest.raises(OperationalError):  # what pages answer with 503
                await asyncio.to_thread(_run, database, "UPDATE policy_epoch SET epoch = epoch + 1")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    acknowledged, _ = asyncio.run(_play(database, fill))
    there = recorded(database)
    assert set(acknowledged) <= set(there)
    assert "never" not in there
    with reading(database) as db:
        assert db.execute(text("PRAGMA integrity_check")).scalar() == "ok"
