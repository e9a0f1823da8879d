"""The log as it grows, watched at four processes: each shows within a second what another process wrote."""

import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from idp.accounts import sessions
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database import Database, transaction
from idp.settings import Settings
from tests.audit.staff import staff
from tests.decisions import world
from tests.faults.cradle import Cradle
from tests.faults.servers import PATIENCE, Server
from tests.faults.test_kill import SECRET, durable, engine

__all__ = ["durable", "engine"]
PROCESSES, WITHIN = 4, 1.0 * PATIENCE


def _watch(server: Server, ready: threading.Barrier, mark: str, seen: list[float]) -> None:
    with (
        server.client(idp_8000_session=SECRET) as browser,
        browser.stream("GET", "/security/tail/events?event=entitlements.grant.ended") as stream,
    ):
        assert stream.status_code == 200, stream.status_code
        told = False
        for line in stream.iter_lines():
            if not told and line.startswith("data:"):  # the first rows: it watches
                told = True
                ready.wait(60)
            if mark in line:
                seen.append(time.monotonic())
                return


@pytest.mark.faults
def test_se5_a_record_of_another_process_is_shown_by_each_of_four_within_a_second(
    durable: Settings,
    tmp_path: Path,
) -> None:
    database, mark = Database(durable), "a-record-of-another-process"
    world.build(database, staff())
    with transaction(database) as db:
        hashed = {"h": sessions.hash_of(SECRET)}
        db.execute(text("UPDATE session SET token_hash = :h WHERE id = 'ses_sam'"), hashed)
    seen: list[float] = []
    cradle, servers = Cradle(), list[Server]()
    try:
        for _ in range(PROCESSES):
            servers.append(Server(durable, tmp_path, cradle=cradle))
        ready = threading.Barrier(PROCESSES + 1)
        hands = [threading.Thread(target=_watch, args=(server, ready, mark, seen)) for server in servers]
        for hand in hands:
            hand.start()
        ready.wait(60)
        with transaction(database) as db, origin.acting_as("acc_wes", provider_id="prv_lake"):
            log.record(db, Event("entitlements.grant.ended", account="acc_ana", reason=mark))
        written = time.monotonic()
        for hand in hands:
            hand.join(20 * PATIENCE)
    finally:
        for server in servers:
            server.kill()
        cradle.close()
    database.dispose()
    assert len(seen) == PROCESSES, "not every process showed it"
    assert max(seen) - written < WITHIN, f"shown after {max(seen) - written:.2f} s"
    sys.stdout.write(f"shown by all four after {max(seen) - written:.2f} s\n")
