"""How fast is the log verified, live and as an export? `python -m bench.log_verify [--records N]`, on both databases.

Records are as the service writes them (decisions, tokens, sign-ins, grants; some with person fields), sealed in batches
of a busy log (5,000) and of a quiet one (50), each batch with its own signed checkpoint. Printed are records for each
second of CPU: of the verifying process, and with the CPU of PostgreSQL's backend counted as well.
"""

import argparse
import gc
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench.log_cost import backends
from idp import clock, entropy
from idp.audit import checkpoint, export, leaf, seal, verifier
from idp.audit.events import Event
from idp.audit.origin import Origin
from idp.audit.seal import Sealer
from idp.audit.search import Filters
from idp.audit.verify import verify
from idp.database import Database, transaction
from tests import engines

_AT_ONCE = 5000
BUSY, QUIET, TURNS = 5000, 50, 5


def _rows(database: Database, count: int) -> Iterator[tuple[object, ...]]:
    """Make records as a clinic's day leaves them."""
    key, begun = entropy.raw(32), clock.micros(clock.now()) - count * 20_000
    for n in range(count):
        who, session = f"acc_{n % 4001:026}", f"ses_{n // 60:026}"
        app = Origin(actor_id=f"app{n % 7}", client_id=f"app{n % 7}", request_id=f"req_{n:026}", address="10.9.8.7")
        kind = n % 10
        if kind < 6:
            event = Event(
                "entitlements.decision.made", account=who, provider=f"prv_{n % 300:026}", outcome="permit",
                entitlement=f"claim.status.{n % 60}", decision=f"dec_{n:026}", purpose="CLAIM_REDUCTION_REVIEW",
                session=session, channel="site", details={"because": [f"grt_{n % 9000:026}"], "freshness": "1042.17"},
            )  # fmt: skip
            where, subject = app, None
        elif kind < 9:
            event, where, subject = Event("oauth.token.introspected", account=who, session=session), app, None
        else:
            event = Event("accounts.login.succeeded", account=who, details={"method": "password"})
            where = Origin(actor_id=who, session_id=session, address="203.0.113.9", request_id=f"req_{n}")
            subject = leaf.Subject(who, key)
        yield leaf.row(event, where, clock.from_micros(begun + n * 20_000), database.ring, subject)


def fill(database: Database, count: int, batch: int) -> None:
    """Write and seal so many records, so many a batch."""
    rows = _rows(database, count)
    columns, marks = ",".join(leaf.COLUMNS), ",".join("?" * len(leaf.COLUMNS))
    seal.BATCH = batch
    sealer = Sealer(database)
    left = count
    while left > 0:
        part = list(islice(rows, min(left, _AT_ONCE)))
        left -= len(part)
        with transaction(database) as session:
            cursor = session.connection().connection.cursor()
            if database.is_sqlite:
                cursor.executemany(f"INSERT INTO audit_record ({columns}) VALUES ({marks})", part)  # noqa: S608
            else:
                with cursor.copy(f"COPY audit_record ({columns}) FROM STDIN") as copy:  # type: ignore[attr-defined]
                    for row in part:
                        copy.write_row(row)
        sealer.seal_all()


def _most() -> int:
    """Return the KiB this process has had at most."""
    said = Path("/proc/self/status").read_text()
    return int(said.split("VmHWM:")[1].split()[0])


def _live(url: str, home: str, heard: Any) -> None:
    """Verify the live log as `idp audit verify` does, in a process of its own; tell what it took."""
    database = Database(engines.settings_for(url, Path(home)))
    public = checkpoint.load_key(database.settings.audit_key_file).public_key()
    gc.disable()
    verify(database, public, limit=1)  # the connection and the server's memory are there
    before, best = _most(), (0.0, 0.0)
    for _ in range(TURNS):
        begun, server = time.process_time(), backends(database)
        report = verify(database, public)
        took, there = time.process_time() - begun, backends(database) - server
        if not report.whole:
            raise SystemExit(report.sentence)
        best = max(best, (report.records / took, report.records / (took + there)))
    heard.put((*best, (_most() - before) / 1024))
    database.dispose()


def _offline(path: str, home: str, heard: Any) -> None:
    """Verify an export as on another machine."""
    public = checkpoint.load_key(Path(home) / "audit.pem").public_key()
    gc.disable()
    before, best = _most(), 0.0
    for _ in range(TURNS):
        begun = time.process_time()
        with Path(path).open("rb") as lines:
            result = verifier.verify(lines, public)
        best = max(best, result.records / (time.process_time() - begun))
    heard.put((best, best, (_most() - before) / 1024))


def _apart(work: Any, *arguments: str) -> tuple[float, float, float]:
    context = multiprocessing.get_context("spawn")
    heard = context.Queue()
    process = context.Process(target=work, args=(*arguments, heard))
    process.start()
    process.join()
    found: tuple[float, float, float] = heard.get(timeout=1)
    return found


def _measured(engine: engines.SqliteEngine | engines.PostgresEngine, folder: Path, count: int, batch: int) -> None:
    home = folder / f"{engine.name}-{batch}-{count}"
    home.mkdir()
    with engine.fresh(home) as given:
        url = engines.as_owner(given)
        database = Database(engines.settings_for(url, home))
        checkpoint.make_key(database.settings.audit_key_file)
        fill(database, count, batch)
        name = f"{engine.name}, {count:,} records, {batch} a batch"
        here, both, more = _apart(_live, url, str(home))
        print(f"live    {name:45} {here:9,.0f}/s, with the server {both:9,.0f}/s, {more:5.1f} MiB more", flush=True)
        path = home / "export.jsonl"
        with path.open("wb") as out:
            out.writelines(export.jsonl(database, Filters()))
        here, _, more = _apart(_offline, str(path), str(home))
        print(f"export  {name:45} {here:9,.0f}/s, {more:31.1f} MiB more", flush=True)
        database.dispose()


def main() -> None:
    """Fill, verify, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=200_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory(dir=engines.scratch()) as folder:
        for made in (engines.SqliteEngine, engines.PostgresEngine):
            engine = made(Path(folder))
            try:
                for records, batch in ((count, BUSY), (count // 4, BUSY), (count // 20, QUIET)):
                    _measured(engine, Path(folder), records, batch)
            finally:
                if isinstance(engine, engines.PostgresEngine):
                    engine.close()
    print("goal: 200,000/s of one core, memory flat")


if __name__ == "__main__":
    main()
