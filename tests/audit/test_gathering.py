"""A transaction of thousands of changes writes its records together, and still all of them or none."""

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from idp.app import create_app
from idp.audit import log, origin, search
from idp.audit.events import Event
from idp.database import Database, gathering, reading, transaction
from idp.database.lane import queue
from idp.errors import Invalid
from idp.settings import Settings


def _changed(session: object, number: int) -> None:
    event = Event(
        "accounts.account.changed", account="acc_a", details={"n": number}, personal={"name": f"Ana {number}"}
    )
    log.record(session, event)  # type: ignore[arg-type]


def _kept(database: Database) -> list[str]:
    with reading(database) as session:
        found = session.execute(text("SELECT leaf FROM audit_record ORDER BY seq")).scalars()
        return [bytes(leaf).partition(b'"n":')[2][:1].decode() for leaf in found]


def test_invariant_records_that_were_gathered_stand_in_order_and_a_savepoint_takes_its_own_back(
    database: Database,
) -> None:
    with transaction(database) as session, origin.acting_as("operator"):
        gathering.gather(session)
        _changed(session, 1)
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            _changed(session, 2)
            _ = 1 / 0
        _changed(session, 3)
        assert gathering.gathers(session)
    assert _kept(database) == ["1", "3"]


def test_invariant_a_transaction_that_fails_keeps_nothing_it_gathered(database: Database) -> None:
    with pytest.raises(Invalid), transaction(database) as session, origin.acting_as("operator"):
        gathering.gather(session)
        _changed(session, 1)
        raise Invalid("no")
    assert _kept(database) == []


def test_a_key_that_a_savepoint_made_and_took_back_is_not_used_again(database: Database) -> None:
    """The record after it must be readable: its key is the stored one."""
    with transaction(database) as db:
        savepoint = db.begin_nested()
        for _ in range(2):
            log.record(db, Event("entitlements.grant.added", account="acc_new", personal={"name": "Ana"}))
        savepoint.rollback()
        log.record(db, Event("entitlements.grant.added", account="acc_new", personal={"name": "Ana"}))
        log.record(db, Event("entitlements.grant.ended", account="acc_new", personal={"name": "Ana"}))
    with reading(database) as db:
        numbers = db.execute(text("SELECT seq FROM audit_record ORDER BY seq")).scalars().all()
        assert [search.record(db, n).personal for n in numbers] == [{"name": "Ana"}] * 2


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_89_what_no_longer_fits_the_queue_is_answered_so_and_never_dropped_silently(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = {"data": {"grant_type": "client_credentials"}, "auth": ("nobody", "x" * 40)}
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        assert client.post("/oauth/token", **sent).status_code == 401  # refused, and that is recorded
        monkeypatch.setattr(queue, "QUEUE_LIMIT", 0)
        full = client.post("/oauth/token", **sent)
        assert (full.status_code, full.headers["retry-after"]) == (503, "2"), "no answer without its record"
        monkeypatch.undo()
        assert client.post("/oauth/token", **sent).status_code == 401
