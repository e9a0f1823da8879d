"""Fill a log on PostgreSQL and time every filter of the desk, first page and deep page: `python -m bench.log_search`.

A private server in /var/tmp; the records are spread over two years, a month a partition. Printed are the
milliseconds of each search as the page makes it (rows, count and bounds), and with `--plans` how PostgreSQL
answers it. The rows are made by the server: their leaves have the size of real ones and are not sealed.
"""

import argparse
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, text

from idp import clock
from idp.audit import months, search
from idp.audit.cursors import Place, cursor_of
from idp.audit.search import Filters
from idp.database import Database, reading
from tests import engines

_FILL = """
INSERT INTO audit_record (created_at, at, event, outcome, actor_id, account_id, provider_id, entitlement, client_id,
    session_id, device_id, decision_id, request_id, reason, address_hash, leaf, mac)
SELECT at, at, event, CASE WHEN denied THEN 'deny' WHEN decided THEN 'permit' WHEN n % 9973 = 0 THEN 'failed'
        WHEN n % 50 = 7 THEN 'refused' ELSE 'done' END,
    CASE WHEN n % 40 = 1 THEN 'acc_manager' || n % 800 ELSE person END, person, 'prv_' || n % 3000,
    CASE WHEN decided OR n % 40 = 1 THEN 'function.' || n % 60 END, CASE WHEN n % 10 < 9 THEN 'app' || n % 7 END,
    'ses_' || n / 60, 'dev_' || n % 20011, CASE WHEN decided THEN 'dec_' || n END, 'req_' || n,
    CASE WHEN denied THEN 'grant_expired' WHEN n % 9973 = 0 THEN 'upstream_down' END,
    substr(sha256(('a' || n % 30011)::bytea), 1, 16), convert_to(rpad('{"n":' || n, 640, 'x') || '"}', 'UTF8'),
    sha256(n::text::bytea)
FROM (
    SELECT n, :start + (n * :step)::bigint AS at, n % 10 < 6 AS decided, n % 10 < 6 AND n % 300 = 5 AS denied,
        CASE WHEN n % 5 = 0 THEN 'acc_robot' ELSE 'acc_' || (n * 7919) % 40009 END AS person,
        CASE WHEN n % 10 < 6 THEN 'entitlements.decision.made' WHEN n % 10 < 8 THEN 'oauth.token.introspected'
            WHEN n % 10 = 8 THEN 'accounts.login.succeeded' WHEN n % 40 = 1 THEN 'entitlements.grant.added'
            WHEN n % 9973 = 0 THEN 'federation.upstream.failed' WHEN n % 400 = 9 THEN 'wam.appointment.made'
            ELSE 'oauth.token.refreshed' END AS event
    FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS n
) AS made
"""
_AT_ONCE = 100_000


def _fill(database: Database, records: int, days: int) -> None:
    start = clock.now() - timedelta(days=days)
    months.ensure(database, since=start)
    step = days * 86_400_000_000 / records
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")  # the waiting list is not what is timed
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("SET synchronous_commit = off")
        for low in range(1, records, _AT_ONCE):
            values = {"start": clock.micros(start), "step": step, "low": low, "high": low + _AT_ONCE - 1}
            connection.execute(text(_FILL), values)
            connection.commit()
            sys.stderr.write(f"\r{low + _AT_ONCE - 1:,} records")
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM (ANALYZE) audit_record")
    sys.stderr.write("\n")


def _asked(database: Database, records: int, days: int) -> dict[str, Filters]:
    now = clock.now()
    with reading(database) as session:
        seq = int(session.execute(text("SELECT max(seq) FROM audit_record")).scalar_one()) - records // 3
        row = session.execute(
            text("SELECT account_id, session_id, device_id, address_hash FROM audit_record WHERE seq = :n"), {"n": seq}
        ).one()
        decided = text("SELECT decision_id, request_id FROM audit_record WHERE decision_id > 'dec_1' LIMIT 1")
        decision, request = session.execute(decided).one()
    old = now - timedelta(days=days / 2)
    return {
        "nothing": Filters(),
        "person": Filters(person=row.account_id),
        "person, a fifth of the log": Filters(person="acc_robot"),
        "person, who acted": Filters(person="acc_manager41"),
        "person, nobody": Filters(person="acc_nobody"),
        "practice": Filters(provider="prv_77"),
        "event, frequent": Filters(event="entitlements.decision.made"),
        "event, rare": Filters(event="federation.upstream.failed"),
        "event, none": Filters(event="partners.partner.suspended"),
        "events of an area": Filters(event="wam."),
        "events of a large area": Filters(event="entitlements."),
        "outcome, frequent": Filters(outcome="permit"),
        "outcome, rare": Filters(outcome="failed"),
        "outcome, none": Filters(outcome="routed"),
        "reason": Filters(reason="grant_expired"),
        "reason, rare": Filters(reason="upstream_down"),
        "function": Filters(entitlement="function.41"),
        "app": Filters(client="app3"),
        "session": Filters(session=row.session_id),
        "device": Filters(device=row.device_id),
        "address": Filters(address=bytes(row.address_hash).hex()),
        "decision": Filters(decision=decision),
        "request": Filters(request=request),
        "a day": Filters(since=old, until=old + timedelta(days=1)),
        "before a year ago": Filters(until=old),
        "since a week": Filters(since=now - timedelta(days=7)),
        "practice, a month": Filters(provider="prv_77", since=old, until=old + timedelta(days=30)),
        "practice and refusal": Filters(provider="prv_77", outcome="deny"),
        "app and rare reason": Filters(client="app3", reason="upstream_down"),
        "frequent person, rare event": Filters(person="acc_robot", event="wam.appointment.made"),
        "frequent person, frequent event": Filters(person="acc_robot", event="oauth.token.refreshed"),
        "frequent app, function, never": Filters(client="app3", outcome="refused", event="entitlements.decision.made"),
        "person and outcome": Filters(person=row.account_id, outcome="permit"),
        "practice and event": Filters(provider="prv_77", event="entitlements.decision.made"),
        "device and app": Filters(device=row.device_id, client="app3"),
        "address and refusal": Filters(address=bytes(row.address_hash).hex(), outcome="refused"),
        "frequent person, a day": Filters(person="acc_robot", since=old, until=old + timedelta(days=1)),
        "app, function, outcome, old": Filters(client="app3", entitlement="function.41", outcome="deny", until=old),
    }


def _timed(database: Database, filters: Filters, cursor: str | None) -> tuple[float, search.Page]:
    best, page = float("inf"), None
    for _ in range(2):
        with reading(database) as session:
            begun = time.perf_counter()
            page = search.find(session, filters, cursor)
            best = min(best, time.perf_counter() - begun)
    assert page is not None
    return best * 1000, page


def _deep(database: Database, filters: Filters) -> str | None:
    """Return the cursor of a page in the middle of everything that matches, as paging there would give."""
    with reading(database) as session:
        if len(filters.given().keys() - {"since", "until"}) > 1:  # finding where they end would be what is avoided
            middle = int(session.execute(text("SELECT max(seq) / 2 FROM audit_record")).scalar_one())
            return cursor_of(session, filters, Place("o", middle))
        seqs = [0, 0]
        for n, way in enumerate(("ASC", "DESC")):
            order = text(f"seq {way}")
            query = search.select(search.col(search.AuditRecord.seq)).where(*filters.conditions())
            seqs[n] = session.execute(query.order_by(order).limit(1)).scalar() or 0
        return cursor_of(session, filters, Place("o", sum(seqs) // 2)) if seqs[1] else None


def _plans(database: Database, filters: Filters) -> None:
    said: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        said.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with reading(database) as session:
        search.find(session, filters)
    event.remove(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:
        for statement, parameters in said:
            rows = connection.exec_driver_sql(f"EXPLAIN (COSTS off) {statement}", parameters).scalars().all()
            used = sorted({line.split(" using ")[1].split(" on ")[0][-40:] for line in rows if " using " in line})
            print("   ", rows[0].strip(), "|", len(rows), "lines |", ", ".join(used)[:200])


def main() -> None:
    """Fill, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--plans", action="store_true")
    given = parser.parse_args()
    tempfile.tempdir = "/var/tmp"
    with tempfile.TemporaryDirectory() as folder:
        engine = engines.PostgresEngine(Path(folder), fsync=True)
        try:
            with engine.fresh(Path(folder)) as url:
                database = Database(engines.settings_for(engines.as_owner(url), Path(folder)))
                _fill(database, given.records, given.days)
                print(f"{given.records:,} records; milliseconds of the first page and of a page in the middle")
                worst = 0.0
                for name, filters in _asked(database, given.records, given.days).items():
                    first, page = _timed(database, filters, None)
                    cursor = _deep(database, filters)
                    deep, _ = _timed(database, filters, cursor) if cursor else (0.0, None)
                    worst = max(worst, first, deep)
                    print(f"{name:32} {first:8.1f} {deep:8.1f}   {page.total:>6} found", flush=True)
                    if given.plans:
                        _plans(database, filters)
                print(f"worst {worst:.1f} ms")
                database.dispose()
        finally:
            engine.close()


if __name__ == "__main__":
    main()
