"""The one transaction, the group commit and what they promise."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from random import Random

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from idp import clock
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database import Database, reading, transaction
from idp.database.glance import Glance
from idp.database.lane import RestsOn, Sql, Stale, Work, open_lane
from idp.errors import Refused
from idp.signals import epochs, revocations
from tests import engines


def _count(database: Database, table: str) -> int:
    with transaction(database) as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_refusal_undoes_the_work_and_keeps_only_its_consequences(database: Database) -> None:
    def work() -> None:
        with transaction(database) as session:
            log.record(session, Event("entitlements.grant.added", account="acc_a"))
            raise Refused("no", then=(lambda s: log.record(s, Event("wam.change.refused", account="acc_a")),))

    with pytest.raises(Refused):
        work()
    with transaction(database) as session:
        events = session.execute(text("SELECT event FROM audit_record")).scalars().all()
    assert events == ["wam.change.refused"]


def test_security_74_the_log_is_insert_only_and_every_record_waits_to_be_sealed(database: Database) -> None:
    with transaction(database) as session:
        log.record(session, Event("entitlements.grant.added", account="acc_a", personal={"name": "Ana"}))
    assert _count(database, "audit_unsealed") == 1
    with engines.owned(database) as owner:  # its own role is not even let so far: tests/audit/test_retention.py
        for statement in ("UPDATE audit_record SET outcome = 'x'", "DELETE FROM audit_record"):
            with pytest.raises(Exception, match="insert-only"), transaction(owner) as session:
                session.execute(text(statement))
    assert _count(database, "audit_record") == 1


def test_security_76_person_fields_are_not_readable_in_the_stored_record(database: Database) -> None:
    with transaction(database) as session, origin.acting_as("acc_a", address="203.0.113.9"):
        log.record(session, Event("accounts.account.changed", account="acc_a", personal={"name": "Ana Ruiz"}))
        leaf = session.execute(text("SELECT leaf FROM audit_record")).scalar_one()
    assert b"Ana" not in leaf
    assert b"203.0.113.9" not in leaf


def test_versions_rise_once_per_transaction_and_only_taking_away_raises_the_authorization_epoch(
    database: Database,
) -> None:
    with transaction(database) as session:
        epochs.changed_account(session, "acc_a")
        epochs.changed_account(session, "acc_a")
    with transaction(database) as session:
        epochs.changed_account(session, "acc_a", takes_away=True)
        epochs.changed_policy(session)
        revocations.announce(session, "grant_ended", reason="left", account_id="acc_a")
        revocations.announce(session, "session_ended", reason="left", account_id="acc_a")
    with transaction(database) as session:
        row = session.execute(text("SELECT version, authz_epoch FROM account_version")).one()
        assert tuple(row) == (3, 2)
        assert session.execute(text("SELECT epoch FROM policy_epoch")).scalar_one() == 2
        rows = session.execute(text("SELECT seq, kind, authz_epoch FROM revocation ORDER BY seq")).all()
    assert [tuple(r) for r in rows] == [(1, "grant_ended", 2), (2, "session_ended", 2)]


def test_a_group_commit_keeps_good_neighbours_and_refuses_what_rests_on_old_versions(database: Database) -> None:
    async def play() -> list[object]:
        lane = await open_lane(database, log.append)
        row = log.machine_row(database, Event("oauth.token.issued", client="app"), clock.now())

        def bad():  # type: ignore[no-untyped-def]
            yield Sql("INSERT INTO revoked_token (jti, created_at) VALUES ($1, $2)"), ("x", 0)

        def good():  # type: ignore[no-untyped-def]
            yield Sql("INSERT INTO revoked_token (jti, expires_at, created_at) VALUES ($1, $2, $3)"), ("y", 1, 0)
            return "kept"

        answers = await asyncio.gather(
            lane.write(bad, [row]),
            lane.write(good, [row]),
            lane.write(rows=[row], rests_on=RestsOn(epoch=99)),
            lane.write(rows=[row], rests_on=RestsOn(epoch=1, account_id="acc_a", version=0)),
            return_exceptions=True,
        )
        await lane.close()
        return answers

    answers = asyncio.run(play())
    assert isinstance(answers[0], Exception)
    assert answers[1] == "kept"
    assert isinstance(answers[2], Stale)
    assert answers[3] is None
    assert _count(database, "audit_record") == 2
    assert _count(database, "revoked_token") == 1


def test_of_a_group_of_any_size_exactly_what_was_overtaken_is_refused_and_not_written(database: Database) -> None:
    """SQLite's writer checks and appends many in one statement: each answer must be that of its own ground."""
    version = "INSERT INTO account_version (account_id, version, authz_epoch, created_at) VALUES ('acc_a', 7, 0, 0)"
    with transaction(database) as session:
        session.execute(text("INSERT INTO revoked_token (jti, expires_at, created_at) VALUES ('gone', 1, 0)"))
        session.execute(text(version))
    overtaken = (
        RestsOn(epoch=99),
        RestsOn(epoch=1, account_id="acc_a", version=6),
        RestsOn(epoch=1, jti="gone"),
        RestsOn(epoch=1, session_id="ses_nobody", session_state="as it was"),
        RestsOn(epoch=1, family_id="fam_nobody"),
    )
    holds = (RestsOn(epoch=1), RestsOn(epoch=1, account_id="acc_a", version=7), RestsOn(epoch=1, jti="x"), None)
    dice = Random(7)  # noqa: S311 - repeatable groups

    async def play() -> list[str]:
        lane = await open_lane(database, log.append)
        kept = []
        for size in (1, 2, 15, 16, 17, 31, 32, 33, 64, 100):
            grounds = [dice.choice(overtaken if dice.random() < 0.4 else holds) for _ in range(size)]
            names = [f"app{size}_{n}" for n in range(size)]
            rows = [log.machine_row(database, Event("oauth.token.issued", client=one), clock.now()) for one in names]
            writes = (lane.write(rows=[row], rests_on=on) for row, on in zip(rows, grounds, strict=True))
            answers = await asyncio.gather(*writes, return_exceptions=True)
            assert [isinstance(one, Stale) for one in answers] == [on in overtaken for on in grounds]
            kept += [name for name, on in zip(names, grounds, strict=True) if on not in overtaken]
        await lane.close()
        return kept

    kept = asyncio.run(play())
    with reading(database) as session:
        assert sorted(session.execute(text("SELECT client_id FROM audit_record")).scalars()) == sorted(kept)
    assert 100 < len(kept) < 250


def test_light_work_is_kept_beside_work_that_must_be_durable(database: Database) -> None:
    """A journey that was begun may be lost with the power; its neighbours in the group are as durable as ever."""
    insert = Sql("INSERT INTO revoked_token (jti, expires_at, created_at) VALUES ($1, $2, $3)")

    def revoked(jti: str) -> Callable[[], Work]:
        def work() -> Work:
            yield insert, (jti, 1, 0)
            return jti

        return work

    async def play() -> list[object]:
        lane = await open_lane(database, log.append)
        alone = await lane.write(revoked("a"), light=True)
        row = log.machine_row(database, Event("oauth.token.issued", client="app"), clock.now())
        together = await asyncio.gather(
            lane.write(revoked("b"), light=True),
            lane.write(revoked("c"), [row]),
            lane.write(revoked("a"), light=True),
            return_exceptions=True,
        )
        await lane.close()
        return [alone, *together]

    *kept, twice = asyncio.run(play())
    assert kept == ["a", "b", "c"]
    assert isinstance(twice, Exception)
    assert (_count(database, "revoked_token"), _count(database, "audit_record")) == (3, 1)


def test_figure_a_look_for_work_is_one_statement_and_heals_when_its_connection_is_lost(database: Database) -> None:
    looks, look = Glance(database), Sql("SELECT CAST($1 AS BIGINT) + (SELECT count(*) FROM revoked_token)")
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _u, statement, *_: seen.append(statement))
    assert looks.at(look, 1) == 1
    with transaction(database) as session:
        session.execute(text("INSERT INTO revoked_token (jti, expires_at, created_at) VALUES ('a', 1, 0)"))
    seen.clear()
    assert looks.at(look, 1) == 2, "each look sees what was committed before it"
    assert looks.at(Sql("SELECT 1 FROM revoked_token WHERE jti = $1"), "none") is None
    assert seen == [], "nothing of the pages' session"
    assert looks._held is not None
    looks._held.dbapi_connection.close()  # type: ignore[union-attr]
    with pytest.raises(Exception, match="clos"):
        looks.at(look, 1)
    assert looks.at(look, 1) == 2
    looks.close()


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_figure_what_is_read_again_and_again_is_planned_once(database: Database) -> None:
    for _ in range(8):
        with reading(database) as db:
            db.execute(text("SELECT at FROM audit_checkpoint ORDER BY number DESC LIMIT 1"))
    with reading(database) as db:
        kept = db.execute(text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%audit_checkpoint%'"))
        assert kept.scalar() == 1


def test_what_only_reads_changes_nothing(database: Database) -> None:
    add = text("INSERT INTO audit_unsealed (seq) VALUES (-7)")
    refused = pytest.raises(DBAPIError, match="read-only") if not database.is_sqlite else nullcontext()
    with refused, reading(database) as db:
        db.execute(add)
    with reading(database) as db:
        assert db.execute(text("SELECT count(*) FROM audit_unsealed WHERE seq = -7")).scalar() == 0
    with transaction(database) as db:  # the same connection writes again
        db.execute(add)
