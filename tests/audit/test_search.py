"""Searching the log: exact filters, pages that miss nothing, records with their proof (SE-1)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.audit import log, origin, search
from idp.audit.events import Event
from idp.audit.merkle import check_inclusion, leaf_hash
from idp.audit.proofs import inclusion
from idp.audit.seal import Sealer
from idp.audit.search import Filters
from idp.database import Database, reading, transaction
from idp.errors import Invalid, NotFound


def _numbers(database: Database, cursor: str | None = None, **filters: object) -> list[int]:
    with reading(database) as session:
        return [row.seq for row in search.find(session, Filters(**filters), cursor).rows]  # type: ignore[arg-type]


def test_se1_every_filter_narrows(database: Database) -> None:
    start = clock.now()
    with transaction(database) as session, origin.acting_as("acc_wes", session_id="ses_1", request_id="req_1"):
        log.record(session, Event("entitlements.grant.added", account="acc_ana", provider="prv_a", entitlement="x"))
        log.record(session, Event("wam.person.viewed", account="acc_ana", provider="prv_b"))
    later = start + timedelta(hours=1)
    with freeze_time(later), transaction(database) as session, origin.acting_as("claims", client_id="claims"):
        log.record(
            session,
            Event(
                "entitlements.decision.made",
                account="acc_ana",
                outcome="deny",
                reason="grant_expired",
                decision="dec_1",
                client="claims",
            ),
        )
    assert _numbers(database) == [3, 2, 1]
    assert _numbers(database, person="acc_wes") == [2, 1]
    assert _numbers(database, person="acc_ana", provider="prv_a") == [1]
    assert _numbers(database, event="wam.person.viewed") == [2]
    assert _numbers(database, event="entitlements.") == [3, 1]
    assert _numbers(database, outcome="deny", reason="grant_expired", client="claims", decision="dec_1") == [3]
    assert _numbers(database, entitlement="x", session="ses_1", request="req_1") == [1]
    assert _numbers(database, since=later) == [3]
    assert _numbers(database, until=later) == [2, 1]
    assert _numbers(database, person="acc_nobody") == []


def test_pages_go_there_and_back_and_miss_nothing(database: Database, write: Callable[..., None]) -> None:
    write(120)
    seen: list[int] = []
    cursor = None
    with reading(database) as session:
        while True:
            page = search.find(session, Filters(provider="prv_lake"), cursor)
            assert page.total == 120
            seen += [row.seq for row in page.rows]
            if page.older is None:
                break
            cursor = page.older
        assert seen == list(range(120, 0, -1))
        back = search.find(session, Filters(provider="prv_lake"), page.newer)
        assert [row.seq for row in back.rows] == list(range(70, 20, -1))
        first = search.find(session, Filters(provider="prv_lake"), back.newer)
        assert first.newer is None
        with pytest.raises(Invalid):
            search.find(session, Filters(provider="prv_other"), cursor)
        for bad in ("x", "AAAA", "\u00e9", (cursor or "")[:-2] + "AA"):
            with pytest.raises(Invalid):
                search.find(session, Filters(provider="prv_lake"), bad)


@pytest.mark.parametrize("given", [{"since": "yesterday"}, {"since": "9999-12-31T23:59:59-12:00"}, {"since": "0001-01-01T00:00:00Z"}, {"until": "0001-01-01T00:00:00Z"}, {"until": "9999-12-31T23:59:59Z"}, {"colour": "red"}, {"person": "a\x00"}])  # noqa: E501  # fmt: skip
def test_filters_that_make_no_sense_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        search.read(given)


def test_a_record_shows_everything_its_proof_and_its_person_until_they_are_shredded(
    database: Database, sealer: Sealer
) -> None:
    for n in range(3):
        with transaction(database) as session, origin.acting_as("acc_wes", address="203.0.113.9", user_agent="Firefox"):
            for m in range(5):
                log.record(session, Event("accounts.account.changed", account=f"acc_{n}{m}", personal={"name": "Ana"}))
        sealer.seal()
    with transaction(database) as session:
        log.record(session, Event("accounts.account.changed", account="acc_last"))
    with reading(database) as session:
        found = search.record(session, 8)
        assert (found.newer, found.older) == (9, 7)
        assert found.said["account"] == "acc_12"
        assert found.personal == {"name": "Ana", "address": "203.0.113.9", "user_agent": "Firefox"}
        for number in range(1, 16):
            proof = inclusion(session, number)
            assert proof is not None
            leaf = search.record(session, number).row.leaf
            assert check_inclusion(leaf_hash(leaf), proof.index, proof.size, proof.path, proof.root)
            assert f"\n{proof.size}\n" in proof.note
        assert inclusion(session, 16) is None
        for missing in (0, -1, 17, 2**70):
            with pytest.raises(NotFound):
                search.record(session, missing)
    with transaction(database) as session:
        session.execute(text("UPDATE subject_key SET key = NULL WHERE account_id = 'acc_12'"))
    with reading(database) as session:
        found = search.record(session, 8)
        assert (found.personal, found.shredded) == (None, True)


def test_security_76_nothing_personal_is_kept_of_a_shredded_person(database: Database) -> None:
    with transaction(database) as session, origin.acting_as("acc_a", address="203.0.113.9", user_agent="Firefox"):
        log.record(session, Event("accounts.account.changed", account="acc_a", personal={"name": "Ana"}))
        session.execute(text("UPDATE subject_key SET key = NULL"))
        session.expire_all()
        log.record(session, Event("accounts.account.changed", account="acc_a", personal={"name": "Ana"}))
        leaf = session.execute(text("SELECT leaf FROM audit_record WHERE seq = 2")).scalar_one()
    assert b"personal" not in bytes(leaf)
    assert b"203.0.113.9" not in bytes(leaf)
