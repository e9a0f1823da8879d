"""How late is a record sealed? `python -m bench.seal_lag [--workers N] [--rate N] [--postgres]`: writers and the job.

Each worker is a process with its share of sixteen writers, who give functions as managers do, and with the sealing job
of a real worker, of which one has the lease. Printed is for every record the time from its own moment (before its
commit) to the return of the commit that sealed it. `--rate 0`: as many a second as the machine gives.
"""

import argparse
import multiprocessing
import os
import struct
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bench.log_cost import WRITERS, give, population
from idp.audit import checkpoint
from idp.audit.seal import Sealed, Sealer
from idp.database import Database, reading
from idp.database.glance import Glance
from idp.jobs.runner import Job, Running
from idp.jobs.sealing import Sealing
from tests import engines

GOAL = 250.0


class _Watched(Sealer):
    """Notes when each seal was committed."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.ends: dict[int, float] = {}

    def seal(self, *arguments: Any, **more: Any) -> Sealed:
        done = super().seal(*arguments, **more)
        if done.records and done.checkpoint is not None:
            self.ends[done.checkpoint.size] = time.time()
        return done


def _work(place: tuple[str, str], mine: range, rate: float, over: Any, heard: Any) -> None:
    url, home = place
    database = Database(engines.settings_for(url, Path(home), jobs=True))
    watched = _Watched(database)
    sealing = Sealing(database, Glance(database), watched)
    jobs = Running(database, [Job("seal", sealing.pause(), sealing.run, next=sealing.pause)])
    given, failed = [0] * WRITERS, [0] * WRITERS
    heard.put("ready")
    while not over.value:
        time.sleep(0.01)

    def write(hand: int) -> None:
        n, due = hand, time.monotonic()
        while over.value == 1:
            try:
                give(database, n)
                given[hand] += 1
            except OperationalError:  # SQLite kept it waiting for five seconds
                failed[hand] += 1
            n += WRITERS
            if rate:
                due += WRITERS / rate
                time.sleep(max(0.0, due - time.monotonic()))

    hands = [threading.Thread(target=write, args=(hand,)) for hand in mine]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    time.sleep(1.0)  # what they wrote last is sealed too
    jobs.stop()
    heard.put((watched.ends, sum(given), sum(failed)))


def measured(engine: Any, folder: Path, *, workers: int, rate: float, seconds: float) -> tuple[list[float], str]:
    """Return the milliseconds of each record, sorted, and what was done meanwhile."""
    home = folder / f"{engine.name}-{workers}-{rate}"
    home.mkdir()
    with engine.fresh(home) as url:
        database = Database(engines.settings_for(url, home))
        checkpoint.make_key(database.settings.audit_key_file)
        population(database)
        Sealer(database).seal_all()
        with reading(database) as db:
            before = int(db.execute(text("SELECT max(size) FROM audit_checkpoint")).scalar_one())
        context = multiprocessing.get_context("spawn")
        heard, over = context.Queue(), context.Value("i", 0)
        shares = [range(n, WRITERS, workers) for n in range(workers)]
        running = [context.Process(target=_work, args=((url, str(home)), share, rate, over, heard)) for share in shares]
        for process in running:
            process.start()
        for _ in running:
            heard.get()
        over.value = 1
        time.sleep(seconds)
        over.value = 2
        ends: dict[int, float] = {}
        given = failed = 0
        for _ in running:
            sealed, done, refused = heard.get()
            ends |= sealed
            given, failed = given + done, failed + refused
        for process in running:
            process.join()
        lags: list[float] = []
        with reading(database) as db:
            moments = dict(db.execute(text("SELECT seq, at FROM audit_record")).all())
            batches = text("SELECT first_index, count, seqs FROM audit_batch WHERE first_index >= :n")
            for first, count, packed in db.execute(batches, {"n": before}):
                lags += [
                    (ends[first + count] - moments[seq] / 1e6) * 1000
                    for seq in struct.unpack(f">{count}q", bytes(packed))
                ]
            left = db.execute(text("SELECT count(*) FROM audit_unsealed")).scalar_one()
        database.dispose()
    said = f"{given / seconds:.0f} grants/s, {len(ends)} batches"
    return sorted(lags), said + (f", {failed} refused" if failed else "") + (f", {left} left waiting" if left else "")


def main() -> None:
    """Measure and print, on each database with one worker and with four unless one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--rate", type=float, nargs="*", default=[50.0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--only", default="", help="sqlite or postgres")
    parser.add_argument(
        "--disk", action="store_true", help="on the disk of /var/tmp, not in memory: its waits count too"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp" if asked.disk else engines.scratch()) as folder:
        for name in ("sqlite", "postgres"):
            if asked.only not in ("", name):
                continue
            if name == "sqlite":
                engine: Any = engines.SqliteEngine(Path(folder))
            else:
                engine = engines.PostgresEngine(Path(folder), fsync=True, in_memory=not asked.disk)
            try:
                for workers in asked.workers:
                    for rate in asked.rate:
                        lags, said = measured(engine, Path(folder), workers=workers, rate=rate, seconds=asked.seconds)
                        middle, most = lags[len(lags) // 2], lags[int(len(lags) * 0.99)]
                        print(
                            f"{name:9} {workers} workers: median {middle:4.0f} ms, p99 {most:4.0f} ms ({said}); load "
                            f"{os.getloadavg()[0]:.0f}; goal {GOAL:.0f}: {'yes' if most <= GOAL else 'no'}",
                            flush=True,
                        )
            finally:
                with suppress(AttributeError):
                    engine.close()


if __name__ == "__main__":
    main()
