"""The crowd's rows, made by the database itself from numbers: ten million grants in minutes, on both engines.

`Crowd.grants` says the same in Python, and `bench.engine` compares every answer with it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from idp.database import Database

_DAY = 86_400_000_000
_SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})",
    "postgresql": "WITH n(i) AS (SELECT generate_series(CAST(0 AS BIGINT), CAST({count} AS BIGINT) - 1))",
}
_WORDS = {
    "sqlite": {"seven": "substr('0000000' || ({}), -7)", "hash": "CAST({} AS BLOB)"},
    "postgresql": {
        "seven": "right('0000000' || CAST({} AS TEXT), 7)",
        "hash": "CAST({} AS BYTEA)",
    },
}
_AAL2 = "http://idmanagement.gov/ns/assurance/aal/2"
_KEYS = (
    "CASE ((i * 7 + i % 10) % 9) WHEN 0 THEN 'eligibility.view' WHEN 1 THEN 'network.verify' WHEN 2 THEN 'idcard.view' "
    "WHEN 3 THEN 'claim.submit' WHEN 4 THEN 'claim.attach' WHEN 5 THEN 'remit.view' WHEN 6 THEN 'precert.view' "
    "WHEN 7 THEN 'precert.submit' ELSE 'message.send' END"
)


Run = Callable[[str], list[Any]]


def fill(database: Database, people: int, at: int) -> None:
    """Write so many people with ten grants each over three practices; `at` is the moment they live at."""
    engine = database.engine.dialect.name
    with _running(database) as run:
        again = _without_indexes(run, engine)
        for table, columns, count, values in _rows(people, engine, at):
            series = _SERIES[engine].format(count=count)
            run(f'INSERT INTO "{table}" ({columns}, created_at) {series} SELECT {values}, 0 FROM n')  # noqa: S608
        for statement in [*again, "ANALYZE"]:
            run(statement)
        if engine == "sqlite":
            run("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _running(database: Database) -> Iterator[Run]:
    """Yield what runs one statement as a transaction of its own, fast, without looking at foreign keys."""
    if database.is_sqlite:
        writer = sqlite3.connect(str(database.url.database), isolation_level=None)
        for pragma in ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-200000"):
            writer.execute(f"PRAGMA {pragma}")
        yield lambda sql: writer.execute(sql).fetchall()
        writer.close()
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql("SET maintenance_work_mem = '512MB'")
        connection.exec_driver_sql("SET statement_timeout = 0")

        def run(sql: str) -> list[Any]:
            found = connection.exec_driver_sql(sql.replace("%", "%%"))
            return list(found) if found.returns_rows else []

        yield run
        connection.exec_driver_sql("SET session_replication_role = DEFAULT")
        connection.exec_driver_sql("RESET statement_timeout")


def _without_indexes(run: Run, engine: str) -> list[str]:
    """Drop the secondary indexes of the largest tables; return the statements that make them again."""
    if engine == "sqlite":
        of_it = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN "
    else:
        of_it = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE NOT EXISTS (SELECT 1 FROM pg_constraint "
            "WHERE conname = indexname) AND tablename IN "
        )
    found = run(of_it + "('grant', 'affiliation', 'session', 'account')")
    for name, _ in found:
        run(f'DROP INDEX "{name}"')
    return [str(sql) for _, sql in found]


def _rows(people: int, engine: str, at: int) -> list[tuple[str, str, int, str]]:
    """Return table, columns, how many numbers i, and the values made of each."""
    words = _WORDS[engine]

    def seven(number: str) -> str:
        return words["seven"].format(number)

    begun = at - 300 * _DAY
    practices = (people // 30 + 1) * 3
    who, where = f"'acc_' || {seven('i')}", f"'prv_' || {seven('i')}"
    mine, far, near = f"'acc_' || {seven('i / 10')}", "(i / 300) * 3 + (i % 10) % 3", "(i / 90) * 3 + i % 3"
    kind = "CASE i % 2 WHEN 0 THEN 'site' ELSE 'general' END"
    made = [
        (
            "terms_document",
            "id, kind, version, title, body, digest, effective_at",
            2,
            f"{kind}, {kind}, '1.0', '', '', '', {begun}",
        ),
        ("account", "id, status, ial, display_name, locale", people, f"{who}, 'active', 2, 'Somebody', 'en'"),
        ("account_version", "account_id, version, authz_epoch", people, f"{who}, 2, 1"),
        (
            "terms_acceptance",
            "id, account_id, document_id, accepted_at, channel",
            2 * people,
            f"'t' || i, 'acc_' || {seven('i / 2')}, {kind}, {begun}, 'site'",
        ),
        (
            "attestation",
            "id, account_id, capacity, principal, attested_at, expires_at",
            people,
            f"'at' || i, {who}, 'authorised_agent', 'x', {begun}, {at + 60 * _DAY}",
        ),
        (
            "session",
            "id, token_hash, account_id, login_id, acr, amr, auth_time, factor_time, channel, last_seen_at, expires_at",
            people,
            (
                f"'ses_' || i, {words['hash'].format(seven('i'))}, {who}, 'lgn', '{_AAL2}', '[]', {at - 60_000_000}, "
                f"{at - 60_000_000}, 'site', {at}, {at + _DAY}"
            ),
        ),
        (
            "provider",
            "id, kind, source, name, tin_last4, status, payment_arrangement",
            practices,
            f"{where}, 'practice', 'operator', 'Practice', '', 'active', 'fee_for_service'",
        ),
        (
            "affiliation",
            "id, account_id, provider_id, capacity, approved_by, starts_at",
            3 * people,
            f"'aff' || i, 'acc_' || {seven('i / 3')}, 'prv_' || {seven(near)}, 'employee', 'operator', {begun}",
        ),
        (
            "grant",
            (
                "id, account_id, provider_id, line_of_business, entitlement, effect, not_before, expires_at, "
                "granted_by, reason"
            ),
            10 * people,
            (
                f"'grt' || i, {mine}, 'prv_' || {seven(far)}, 'medical', {_KEYS}, "
                f"CASE WHEN i % 33 = 0 THEN 'deny' ELSE 'allow' END, {at - 200 * _DAY}, "
                f"CASE WHEN i % 10 = 3 THEN {at - _DAY} WHEN i % 4 <> 0 THEN {at + 90 * _DAY} END, 'operator', 'job'"
            ),
        ),
    ]
    for table, columns, values in (
        ("portal_access", "opened_by, basis, reference", "'insurer', 'contract', ''"),
        ("agreement", "basis", "'contract'"),
        ("participation", "network", "'insurer'"),
    ):
        head = f"'{table}' || i, {where}, 'medical', {begun}"
        made.append((table, f"id, provider_id, line, starts_at, {columns}", practices, f"{head}, {values}"))
    return made
