"""What the log costs: CPU of a record on a grant, the rate of 16 writers while it is sealed, how late sealing is.

`python -m bench.log_cost`: a private PostgreSQL, durable. CPU is that of this process and of the server's backend;
the rates are the best of a few turns with and without the sealer, one after the other, for the machine may be busy.
"""

import argparse
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.audit import checkpoint, log, origin
from idp.audit.events import Event
from idp.audit.seal import Sealer
from idp.database import Database, transaction
from idp.entitlements import grants
from tests import engines
from tests.decisions import world

PEOPLE, WRITERS = 200, 16


def population(database: Database) -> None:
    """Make two hundred people of one practice, each with a key of their own for person fields."""
    people = {f"acc_{n}": {"status": "active", "display_name": f"Person {n}"} for n in range(PEOPLE)}
    practice = {"prv_1": {"kind": "practice", "name": "Lakeside Clinic", "status": "active"}}
    world.build(database, {"provider": practice, "account": people})
    with transaction(database) as db:  # everybody has their key: a person's first record makes it
        for who in people:
            log.record(db, Event("accounts.account.created", account=who))


@contextmanager
def _without_record() -> Iterator[None]:
    kept: Callable[[Session, Event], None] = log.record
    log.record = lambda _session, _event: None
    try:
        yield
    finally:
        log.record = kept


def give(database: Database, n: int) -> None:
    """Give a function as a manager at a browser does: with an address and a session to record."""
    by = {"address": "203.0.113.9", "user_agent": "Mozilla/5.0", "session_id": "ses_1", "request_id": f"req_{n}"}
    with origin.acting_as("acc_0", **by), transaction(database) as db:
        grants.grant(
            db,
            account_id=f"acc_{n % PEOPLE}",
            provider_id="prv_1",
            line="medical",
            entitlement="claim.status.view",
            by="operator",
            reason="bench",
        )


def backends(database: Database) -> float:
    """Return the CPU seconds of this database's backends: others on the machine have servers of their own."""
    total = 0
    if database.is_sqlite:
        return 0.0
    mark = f"postgres: {database.url.username} {database.url.database} ".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "cmdline").read_bytes():
                total += int((folder / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total / 1e9


def _cpu(database: Database, count: int) -> tuple[float, float]:
    """Return the milliseconds of CPU of one grant: here, and in the server."""
    begun, server = time.process_time(), backends(database)
    for n in range(count):
        give(database, n)
    return (time.process_time() - begun) / count * 1000, (backends(database) - server) / count * 1000


def _rate(database: Database, seconds: float, *, sealing: bool, lags: list[float]) -> float:
    done = [0] * WRITERS
    stop = threading.Event()

    def write(hand: int) -> None:
        n = hand
        while not stop.is_set():
            give(database, n)
            n += WRITERS
            done[hand] += 1

    hands = [threading.Thread(target=write, args=(hand,)) for hand in range(WRITERS)]
    heard = apart = None
    if sealing:  # in a process of its own, as another worker's is
        context = multiprocessing.get_context("spawn")
        heard, over = context.Queue(), context.Event()
        apart = context.Process(target=_seal, args=(str(database.settings.database_url), _HOME[0], over, heard))
        apart.start()
        heard.get()
    begun = time.monotonic()
    for one in hands:
        one.start()
    time.sleep(seconds)
    stop.set()
    for one in hands:
        one.join()
    took = time.monotonic() - begun
    if apart is not None and heard is not None:
        over.set()
        lags += heard.get()
        apart.join()
    return sum(done) / took


_HOME: list[str] = []
"""The folder of the log's key."""


def _seal(url: str, home: str, over: Any, heard: Any) -> None:
    """Seal as a worker's job does, until it is over; tell how late each batch was, in milliseconds."""
    database = Database(engines.settings_for(url, Path(home)))
    sealer, lags = Sealer(database), []
    heard.put("ready")
    while not over.wait(0.1):
        while (found := sealer.seal()).records:
            if found.oldest is not None and found.checkpoint is not None:
                lags.append((found.checkpoint.at - found.oldest).total_seconds() * 1000)
            if not found.more:
                break
    heard.put(lags)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cpu", type=int, default=1, help="0: leave the CPU of a grant out")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--count", type=int, default=30)
    given = parser.parse_args()
    tempfile.tempdir = "/var/tmp"
    with tempfile.TemporaryDirectory() as folder:
        engine = engines.PostgresEngine(Path(folder), fsync=True)
        try:
            with engine.fresh(Path(folder)) as url:
                database = Database(engines.settings_for(url, Path(folder)))
                _HOME.append(folder)
                checkpoint.make_key(database.settings.audit_key_file)
                population(database)
                _cpu(database, 20)
                with_it, without = [], []
                for _ in range(given.turns * 12 * given.cpu + 1):
                    with_it.append(_cpu(database, given.count))
                    with _without_record():
                        without.append(_cpu(database, given.count))
                for name, part in (("process", lambda one: one[0]), ("server", lambda one: one[1]), ("both", sum)):
                    a, b = median(map(part, with_it)), median(map(part, without))
                    print(f"grant, {name}: {a:.2f} ms CPU recorded, {b:.2f} not: {100 * (a / b - 1):.0f} % more")
                lags: list[float] = []
                sealed, unsealed = [], []
                for _ in range(given.turns):
                    unsealed.append(_rate(database, given.seconds, sealing=False, lags=lags))
                    Sealer(database).seal_all()
                    sealed.append(_rate(database, given.seconds, sealing=True, lags=lags))
                best, rest = max(sealed), max(unsealed)
                print(f"{WRITERS} writers: {best:.0f} grants/s sealed, {rest:.0f} unsealed: {100 * best / rest:.0f} %")
                lags.sort()
                print(f"seal lag: median {lags[len(lags) // 2]:.0f} ms, p99 {lags[int(len(lags) * 0.99)]:.0f} ms")
                with transaction(database) as db:
                    waits = db.execute(text("SELECT count(*) FROM audit_unsealed")).scalar()
                print(f"{waits} records wait, {clock.iso(clock.now())}")
                database.dispose()
        finally:
            engine.close()


if __name__ == "__main__":
    main()
