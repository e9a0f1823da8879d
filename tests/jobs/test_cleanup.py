"""What has served is deleted by a job, in bounded batches; what still protects or proves stays."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import inspect, text

from idp import clock
from idp.accounts.tables import Flow, PendingLink, Session, Throttle, TokenFamily
from idp.database import Database, reading, transaction
from idp.federation.tables import PendingLogin, Upstream
from idp.jobs import cleanup
from idp.notices.tables import Outbox
from idp.oauth.tables import AuthorizationCode, RefreshToken, RevokedToken, UsedAssertion
from idp.partners.tables import Partner
from tests.oauth.world import HOUR, MINUTE

DAY = timedelta(days=1)
EXPIRING = ("authorization_code", "refresh_token", "revoked_token", "used_assertion", "flow", "pending_login")


def _served(name: str, ends: Any) -> list[Any]:
    """One row of each table that expires, ending then."""
    return [
        AuthorizationCode(
            code_hash=name.encode(), family_id=f"fam_{name}", client_id="c", account_id="a", session_id="s",
            redirect_uri="x", challenge="x", scope="", auth_time=ends, expires_at=ends,
        ),
        RefreshToken(token_hash=name.encode(), family_id=f"fam_{name}", client_id="c", expires_at=ends),
        RevokedToken(jti=name, expires_at=ends),
        UsedAssertion(client_id="c", jti=name, expires_at=ends),
        Flow(id=f"flw_{name}", browser_hash=b"x", target="/", facts={}, expires_at=ends),
        PendingLogin(
            state_hash=name.encode(), upstream_id="ups_x", browser_hash=b"x", nonce="n", verifier=b"v", expires_at=ends,
        ),
        PendingLink(
            id=f"plk_{name}", upstream_id="ups_x", issuer="i", subject="s", browser_hash=b"x", auth_time=ends,
            facts={}, amr=[], expires_at=ends,
        ),
    ]  # fmt: skip


def _counts(database: Database) -> dict[str, int]:
    tables = {table for table, _ in cleanup.SERVED + cleanup.OLD}
    with reading(database) as db:
        return {t: int(db.execute(text(f"SELECT count(*) FROM {t}")).scalar_one()) for t in sorted(tables)}


@pytest.fixture
def filled(database: Database) -> Iterator[Database]:
    """Something over, something in force, of every kind."""
    now = clock.now()
    with transaction(database) as db:
        db.add(Partner(id="ptr_x", name="X", kind="affiliate"))
        db.flush()
        lists: dict[str, Any] = {"scopes": ["openid"], "algorithms": ["ES256"], "acr_map": {}, "domains": []}
        named = {"display_name": "X", "issuer": "https://x.example", "client_id": "x"}
        db.add(Upstream(id="ups_x", partner_id="ptr_x", **named, **lists))
        db.flush()
        for row in _served("live", now + HOUR) + _served("over", now):
            db.add(row)
        db.add(Throttle(key="password/name:00", failures=3, last_at=now))
        db.add(Throttle(key="password/acc_a", failures=99, last_at=now))
    return database


def test_security_87_what_has_served_is_deleted_a_day_after_its_end_and_not_before(filled: Database) -> None:
    before = _counts(filled)
    with freeze_time(clock.now() + DAY - MINUTE):
        assert cleanup.run(filled) is False
    assert _counts(filled) == before
    with freeze_time(clock.now() + DAY + MINUTE):
        assert cleanup.run(filled) is False
    after = _counts(filled)
    assert {name: before[name] - after[name] for name in (*EXPIRING, "pending_link")} == dict.fromkeys(
        (*EXPIRING, "pending_link"), 1
    )
    with freeze_time(clock.now() + 2 * DAY):
        cleanup.run(filled)
    assert all(_counts(filled)[name] == 0 for name in (*EXPIRING, "pending_link"))


def test_security_7_a_counter_of_failed_tries_is_forgotten_only_where_nobody_has_the_name(filled: Database) -> None:
    with freeze_time(clock.now() + 400 * DAY):
        cleanup.run(filled)
        cleanup.run_old(filled)
    with reading(filled) as db:
        assert [tuple(row) for row in db.execute(text("SELECT key, failures FROM throttle"))] == [
            ("password/acc_a", 99)
        ]


def test_old_sessions_families_and_delivered_mail_go_after_ninety_days_and_waiting_mail_stays(
    database: Database,
) -> None:
    from idp.accounts import people
    from idp.accounts.tables import Login

    now = clock.now()
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana Ruiz")
        login = Login(account_id=ana.id, issuer="http://localhost:8000", subject="ana")
        db.add(login)
        db.flush()
        db.add(
            Session(
                id="ses_old", token_hash=b"x", account_id=ana.id, login_id=login.id, acr="x", amr=[], auth_time=now,
                expires_at=now + 12 * HOUR, ended_at=now, ended_because="left",
            )
        )  # fmt: skip
        db.add(TokenFamily(id="fam_old", session_id="ses_old", client_id="c", account_id=ana.id, started_at=now))
        for name, sent in (("sent", now), ("waits", None)):
            db.add(Outbox(account_id=ana.id, recipient=name, template="account_reinstated", facts={}, sent_at=sent))
    with freeze_time(now + 89 * DAY):
        cleanup.run_old(database)
    assert (_counts(database)["session"], _counts(database)["token_family"]) == (1, 1)
    with freeze_time(now + 91 * DAY):
        assert cleanup.run_old(database) is False
    counts = _counts(database)
    assert (counts["session"], counts["token_family"]) == (0, 0)
    with reading(database) as db:
        assert [row[0] for row in db.execute(text("SELECT recipient FROM outbox")).all()] == ["waits"]


def test_a_great_many_rows_go_in_batches_until_none_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "CHUNK", 10)
    with transaction(database) as db:
        for n in range(25):
            db.add(RevokedToken(jti=str(n), expires_at=clock.now()))
    with freeze_time(clock.now() + 2 * DAY):
        seen = []
        while cleanup.run(database):
            seen.append(_counts(database)["revoked_token"])
    assert seen == [15, 5]
    assert _counts(database)["revoked_token"] == 0


def test_every_table_whose_rows_expire_is_cleaned_or_says_why_not(database: Database) -> None:
    """A new table with an end must be thought about here."""
    kept = {
        "delegation_request": "what a company asked a practice for, part of the delegation's history",
        "access_request": "what a person asked for, part of that person's history",
        "application": "what a person asked of a practice, shown to its access managers",
        "attestation": "a person's word, shown and renewed yearly",
        "grant": "never deleted (invariant 6)",
        "held_change": "what two managers decided, part of the practice's history",
        "invitation": "shown to managers as open, used or expired",
        "job_lease": "one row for each job",
        "vouching": "an access manager's word for a person, part of that person's history",
    }
    found = inspect(database.engine)
    expiring = {
        table for table in found.get_table_names() if "expires_at" in {c["name"] for c in found.get_columns(table)}
    }
    cleaned = {table for table, _ in cleanup.SERVED + cleanup.OLD}
    assert expiring - cleaned == set(kept)
