"""What the record of one decision costs SQLite is counted in pages: each index it stands in is one (decision 0029)."""

import asyncio
import sqlite3
from time import sleep

import pytest

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database
from idp.database.lane import open_lane

PAGES = 11
"""The row, the waiting list and the nine indexes this record stands in; one more now and then, where one is full."""


def _decided(database: Database) -> tuple[object, ...]:
    event = Event(
        "entitlements.decision.made",
        account="acc_ana",
        provider="prv_lake",
        entitlement="message.send",
        outcome="permit",
        client="claims",
        session="ses_ana",
        decision=entropy.ordered_id("dec"),
        details={"line": "medical"},
    )
    return log.machine_row(database, event, clock.now())


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_decision_s_record_writes_a_page_for_each_index_it_stands_in_and_no_more(database: Database) -> None:
    path = str(database.url.database)

    def written() -> int:
        """Return how many pages the write-ahead log holds."""
        with sqlite3.connect(path, isolation_level=None) as db:
            [(busy, pages, _)] = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            assert not busy
            return int(pages)

    async def play() -> list[int]:
        lane = await open_lane(database, log.append)
        counts = []
        try:
            await lane.write(rows=[_decided(database) for _ in range(20)])
            for _ in range(9):
                written()  # all of it is in the file: the next commit begins the log anew
                await lane.write(rows=[_decided(database)])
                counts.append(written())
        finally:
            await lane.close()
        return counts

    assert sorted(asyncio.run(play()))[4] <= PAGES


def test_ids_that_begin_with_the_time_grow_with_it_and_are_never_the_same() -> None:
    rounds = []
    for _ in range(3):
        rounds.append([entropy.ordered_id("dec") for _ in range(500)])
        sleep(0.04)  # more than the sixtieth of a second in which they share their beginning
    found = [one for some in rounds for one in some]
    assert len(set(found)) == len(found)
    assert {len(one) for one in found} == {len("dec_") + 26}
    assert max(rounds[0]) < min(rounds[1])
    assert max(rounds[1]) < min(rounds[2])
    assert len(entropy.ordered_mark()) == len(entropy.mark())
