"""Many people with many logins, written in bulk: two and a half logins each, a device and a session.

One SQL for both databases. What the people's pages need beyond signing in is left out.
"""

from sqlalchemy import Engine, text

UPSTREAM = "https://many.example"
_PEOPLE = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :people) "
_BYTES = {"sqlite": "CAST({} AS BLOB)", "postgresql": "CAST({} AS BYTEA)"}
_ROWS = (
    (
        "INSERT INTO account (id, created_at, status, ial, display_name, locale) {n}"
        "SELECT 'acc_many' || i, :now, 'active', 1, 'Person ' || i, 'en' FROM n"
    ),
    (
        "INSERT INTO login (id, created_at, account_id, issuer, subject, linked_at) {n}"
        "SELECT 'lgn_many' || i, :now, 'acc_many' || i, :issuer, 'many' || i, :now FROM n"
    ),
    "INSERT INTO password (login_id, created_at, hash, changed_at) {n}SELECT 'lgn_many' || i, :now, 'x', :now FROM n",
    (
        "INSERT INTO login (id, created_at, account_id, upstream_id, issuer, subject, linked_at) {n}"
        "SELECT 'lgn_first' || i, :now, 'acc_many' || i, :upstream, :theirs, 'many' || i, :now FROM n"
    ),
    (
        "INSERT INTO login (id, created_at, account_id, upstream_id, issuer, subject, linked_at) {n}"
        "SELECT 'lgn_second' || i, :now, 'acc_many' || i, :upstream, :theirs, 'second' || i, :now FROM n "
        "WHERE i % 2 = 0"
    ),
    (
        "INSERT INTO device (id, created_at, token_hash, label, last_seen_at) {n}"
        "SELECT 'dev_many' || i, :now, {hash}, 'Firefox on Linux', :now FROM n"
    ),
    (
        "INSERT INTO known_device (device_id, created_at, account_id) {n}"
        "SELECT 'dev_many' || i, :now, 'acc_many' || i FROM n"
    ),
    (
        "INSERT INTO session (id, created_at, token_hash, account_id, login_id, acr, amr, auth_time, device_id, "
        "channel, last_seen_at, expires_at) {n}SELECT 'ses_many' || i, :now, {hash}, 'acc_many' || i, 'lgn_many' || i, "
        "'http://idmanagement.gov/ns/assurance/aal/1', '[]', :now, 'dev_many' || i, 'site', :now, "
        ":now + 3600000000 FROM n"
    ),
)


def fill(engine: Engine, people: int, *, issuer: str, upstream: str, now: int) -> None:
    """Write so many people; `issuer` is ours, `upstream` the id of a partner's login that is recorded."""
    hashed = _BYTES[engine.dialect.name].format("'many' || i")
    values = {"people": people, "issuer": issuer, "upstream": upstream, "theirs": UPSTREAM, "now": now}
    with engine.begin() as connection:
        for row in _ROWS:
            connection.execute(text(row.format(n=_PEOPLE, hash=hashed)), values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
