"""The lane's mark of an SQLite file: the same while nobody commits, another after every commit, whoever made it."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from ctypes import addressof
from pathlib import Path

import pytest

from idp.audit import log
from idp.database import Database
from idp.database.lane import Mark, open_lane
from idp.database.lane import sqlite as lanes
from idp.database.lane.header import mapped

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
WRITE = "UPDATE policy_epoch SET epoch = epoch + 1"
BY_ANOTHER_PROCESS = "import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute(sys.argv[2])"


@pytest.fixture(params=["looked at", "asked for"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Say how the lane tells: by the header in memory, or by asking SQLite where that can't be looked at."""
    if request.param == "asked for":
        monkeypatch.setattr(lanes, "mapped", lambda _path: None)
    return str(request.param)


def marks(database: Database, *acts: Callable[[str], object]) -> list[Mark | None]:
    """Return the mark before the first act and after each."""

    async def play() -> list[Mark | None]:
        lane = await open_lane(database, log.append)
        try:
            found = [lane.mark()]
            for act in acts:
                act(str(database.url.database))
                assert lane.mark() == lane.mark()
                found.append(lane.mark())
            return found
        finally:
            await lane.close()

    return asyncio.run(play())


def here(*statements: str) -> Callable[[str], None]:
    def act(path: str) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            connection.execute(statement).fetchall()
        connection.close()

    return act


def elsewhere(path: str) -> None:
    subprocess.run([sys.executable, "-c", BY_ANOTHER_PROCESS, path, WRITE], check=True)


def test_the_header_is_found_where_sqlite_has_it(database: Database) -> None:
    """On this machine the tests below look at it: a silent fall back would be seen here."""

    async def play() -> tuple[bool, bool]:
        lane = await open_lane(database, log.append)
        seen = isinstance(lane.mark(), bytes)
        await lane.close()
        with pytest.raises(sqlite3.ProgrammingError):
            lane.mark()  # never a look at memory that is gone
        return seen, mapped(str(database.url.database), Path("/no/such/file")) is None

    assert asyncio.run(play()) == (sys.platform == "linux", True)


def test_every_commit_changes_the_mark_and_nothing_else_does(database: Database, told: str) -> None:
    before, written, again, other, read, undone = marks(
        database,
        here(WRITE),
        here(WRITE),
        elsewhere,
        here("SELECT * FROM policy_epoch"),
        here("BEGIN", WRITE, "ROLLBACK"),
    )
    assert len({before, written, again, other}) == 4
    assert other == read == undone


def test_a_mark_never_comes_back_when_the_log_begins_anew(database: Database, told: str) -> None:
    anew = here("PRAGMA wal_checkpoint(TRUNCATE)", WRITE)
    found = marks(database, here(WRITE), anew, elsewhere, anew, anew)
    assert len(set(found)) == len(found)


def test_the_mark_goes_on_telling_whatever_other_connections_do_to_the_log(database: Database, told: str) -> None:
    """Its index grows, the file is rewritten, the last other connection goes, another way of logging is asked for."""
    grow = here(
        "CREATE TABLE grown (x)", "INSERT INTO grown VALUES (zeroblob(20000000))"
    )  # past the index's first part
    acts = (grow, here("VACUUM"), here("PRAGMA wal_checkpoint(TRUNCATE)"))

    async def play() -> list[Mark | None]:
        lane = await open_lane(database, log.append)
        path = str(database.url.database)
        at, found = mapped(path), []
        for act in acts:
            act(path)
            elsewhere(path)
            now = mapped(path)
            assert now is not None
            assert at is not None
            assert addressof(now) == addressof(at)
            found.append(lane.mark())
            here(WRITE)(path)
            found.append(lane.mark())
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            here("PRAGMA busy_timeout=1", "PRAGMA journal_mode=DELETE")(path)
        assert lane.mark() == found[-1]
        await lane.close()
        return found

    found = asyncio.run(play())
    assert len(set(found)) == len(found)


def test_a_commit_is_told_before_it_is_acknowledged(database: Database, told: str) -> None:
    """From a connection that stays open, the very next look after each of many commits differs."""

    async def play() -> int:
        lane = await open_lane(database, log.append)
        writer = sqlite3.connect(str(database.url.database), isolation_level=None)
        missed = 0
        for _ in range(300):
            before = lane.mark()
            writer.execute(WRITE)
            missed += lane.mark() == before
        writer.close()
        await lane.close()
        return missed

    assert asyncio.run(play()) == 0
