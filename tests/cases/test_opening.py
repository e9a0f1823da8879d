"""A finding, a report or a person of the desk opens a case; the file is frozen from its first entry."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from idp import clock
from idp.cases import file, opening
from idp.cases.finding import Finding, Reason
from idp.cases.tables import SecurityCase
from idp.database import reading, transaction
from tests.wam.world import World

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)  # a Friday


def finding(account_id: str, band: str = "case", *, kind: str = "sharing", score: float = 1.3) -> Finding:
    rows = ({"record": 7, "device": "dev_a", "provider": "prv_x", "at": "2026-11-19T15:00:00Z"},)
    reason = Reason("role_split", 2.1, "Two devices of this login do different work on the same days.", 3, rows)
    return Finding(
        account_id,
        kind,
        score,
        band,
        (reason,),
        "2026-11",
        clock.now() - timedelta(days=14),
        clock.now(),
        ("A shared workstation of 14 accounts counts zero.",),
    )


def opened(world: World, who: str, band: str = "case", **more: Any) -> str:
    with transaction(world.database) as db:
        return opening.open_from_finding(db, finding(world.people[who], band, **more)).id


def case_of(world: World, case_id: str) -> SecurityCase:
    with reading(world.database) as db:
        found = db.get(SecurityCase, case_id)
        assert found is not None
        return found


def test_domain_10_one_open_case_for_each_account_and_kind_later_findings_are_added(world: World) -> None:
    first = opened(world, "ana")
    assert opened(world, "ana", score=2.0) == first
    assert opened(world, "ana", kind="takeover") != first
    assert opened(world, "finn") != first
    with transaction(world.database) as db:
        told = file.entries(db, first)
        assert [entry.kind for entry in told] == ["opened", "added"]
        assert told[0].body is not None
        evidence = told[0].body["evidence"]
        assert evidence["reasons"][0]["rows"][0]["record"] == 7
        assert evidence["detector"] == "2026-11"
        case = db.get_one(SecurityCase, first)
        assert (case.score, case.band, case.status) == (opening.shown(2.0), "case", "new")
        assert file.check(db, case).whole
        case.status = "decided"
        db.add(case)
    assert opened(world, "ana") != first, "a decided case is not opened again by a finding"


def test_domain_10_a_notice_only_asks_and_rises_to_the_desk_when_more_is_found(world: World) -> None:
    case_id = opened(world, "ana", "notice", score=-2.0)
    case = case_of(world, case_id)
    assert (case.status, case.triage_due_at) == ("question", None)
    assert opened(world, "ana", "case") == case_id
    assert case_of(world, case_id).status == "new"
    opened(world, "ana", "notice")
    assert case_of(world, case_id).band == "case", "a case never goes back"


def test_domain_10_triage_is_due_in_a_business_day_and_in_four_hours_when_contained(world: World) -> None:
    with freeze_time(NOW):
        case_id = opened(world, "ana")
        monday_over = datetime(2026, 11, 24, 6, tzinfo=UTC)
        assert case_of(world, case_id).triage_due_at == monday_over
        opened(world, "ana", "containment", score=4.0)
        assert case_of(world, case_id).triage_due_at == NOW + timedelta(hours=4)


def test_domain_10_containment_ends_what_is_open_and_takes_nothing_away(world: World) -> None:
    world.sign_in("finn")
    live = "SELECT count(*) FROM session WHERE account_id = :a AND ended_at IS NULL"
    held = "SELECT count(*) FROM \"grant\" WHERE account_id = :a AND ended_at IS NULL AND effect = 'allow'"
    who = {"a": world.finn}
    with reading(world.database) as db:
        before = db.execute(text(held), who).scalar()
        assert db.execute(text(live), who).scalar() == 1
        assert before
    case_id = opened(world, "finn", "containment", score=5.0)
    with transaction(world.database) as db:
        assert db.execute(text(live), who).scalar() == 0
        assert db.execute(text(held), who).scalar() == before
        assert db.execute(text("SELECT status FROM account WHERE id = :a"), who).scalar() == "active"
        assert [entry.kind for entry in file.entries(db, case_id)] == ["opened", "contained"]
    assert case_of(world, case_id).contained_at is not None


def test_domain_10_case_and_record_are_one_transaction(world: World) -> None:
    with pytest.raises(RuntimeError), transaction(world.database) as db:
        opening.open_from_finding(db, finding(world.ana))
        raise RuntimeError
    with reading(world.database) as db:
        assert not db.exec(select(SecurityCase)).all()
        assert not db.execute(text("SELECT 1 FROM audit_record WHERE event LIKE 'security.case.%'")).all()


def test_se_5_an_entry_of_a_file_can_be_neither_changed_nor_removed(world: World) -> None:
    opened(world, "ana")
    for statement in ("UPDATE case_entry SET \"by\" = 'acc_x'", "DELETE FROM case_entry"):
        with pytest.raises(DBAPIError, match="insert-only"), transaction(world.database) as db:
            db.execute(text(statement))


def test_a_finding_that_is_none_is_refused_where_it_is_made() -> None:
    for wrong in ({"kind": "theft"}, {"band": "high"}):
        with pytest.raises(ValueError, match="no such finding"):
            finding("acc_x", **wrong)  # type: ignore[arg-type]
