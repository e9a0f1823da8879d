"""A job that is rung for runs at the commit, not when it would have looked; one that hears nothing looks as before."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from idp.database import Database, reading, transaction
from idp.jobs.bell import Bell
from idp.jobs.runner import Job, Running
from idp.signals import revocations

LONG = 60.0


def _announce(database: Database) -> None:
    with transaction(database) as db:
        revocations.announce(db, "session_ended", reason="left", account_id="acc_ana", session_id="ses_ana")


def _until(holds: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_d5_the_delivery_job_hears_a_revocations_commit_and_hears_again_after_its_connection_was_lost(
    database: Database,
) -> None:
    bell, runs = Bell(database, revocations.CHANNEL), [0]

    def work(_database: Database) -> bool:
        runs[0] += 1
        return False

    running = Running(database, [Job("signals", LONG, work, bell=bell, seldom=LONG)], closing=[bell.stop])
    try:
        _until(lambda: bell.hears and runs[0] >= 1 and not bell.rang.is_set())
        time.sleep(0.05)
        before = runs[0]
        _announce(database)
        _until(lambda: runs[0] == before + 1)
        with reading(database) as db:
            lost = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND "
            assert db.execute(text(lost + "datname = current_database()")).scalar() == 1
        _until(lambda: runs[0] >= before + 2)  # it listens anew, and looks at what it may have missed
        _until(lambda: bell.hears)
        before = runs[0]
        _announce(database)
        _until(lambda: runs[0] > before)
    finally:
        begun = time.monotonic()
        running.stop()
    assert time.monotonic() - begun < 10
    assert not [thread for thread in threading.enumerate() if thread.name in ("bell", "job-signals")]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_d5_where_nothing_rings_the_job_looks_as_often_as_it_says(database: Database) -> None:
    bell, runs = Bell(database, revocations.CHANNEL), [0]

    def work(_database: Database) -> bool:
        runs[0] += 1
        return False

    running = Running(database, [Job("signals", 0.01, work, bell=bell, seldom=LONG)], closing=[bell.stop])
    try:
        _until(lambda: runs[0] > 5)
    finally:
        running.stop()
    assert not bell.hears
