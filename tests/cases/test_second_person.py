"""What waits for a second person is done only while both want it, they are two people, and the case still says so."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from idp import clock
from idp.accounts import sessions
from idp.accounts.assurance import AAL2
from idp.accounts.link_tables import PendingMerge
from idp.cases import appeals, file, staff
from idp.casework import desk, judging
from idp.casework.acting import Wish
from idp.casework.deciding import Verdict
from idp.database import reading, transaction
from idp.entitlements import grants
from idp.entitlements.tables import Grant
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.leaving import people
from idp.merging import merge
from idp.wam import happened
from idp.wam.happened import Here
from tests.cases.test_deciding import WHY, confirm, decide, link, one, tell, want
from tests.cases.test_opening import opened
from tests.wam.world import World

INNOCENT = Verdict("innocent", WHY, cause="mistake")
only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def status(world: World, who: str) -> str:
    return str(one(world, "SELECT status FROM account WHERE id = :a", a=world.people[who]))


def appealed(world: World, case_id: str) -> None:
    tell(world, case_id)
    with transaction(world.database) as db:
        appeals.appeal(db, link(world), "I did nothing wrong, look again.")


def overturn(world: World, case_id: str, by: str) -> None:
    with transaction(world.database) as db:
        judging.decide(db, case_id, by=world.people[by], outcome="overturned", reason="It was a shared workstation.")


def merged(world: World, kept: str, closed: str) -> None:
    """Make two accounts of one human one, as that human does."""
    with transaction(world.database) as db:
        pending = PendingMerge(
            browser_hash=b"x" * 32,
            account_id=world.people[kept],
            login_id=world.logins[kept],
            proved_at=clock.now(),
            expires_at=clock.now() + timedelta(minutes=9),
        )
        db.add(pending)
        db.flush()
        opened_now = sessions.open_session(
            db,
            account_id=world.people[closed],
            login_id=world.logins[closed],
            acr=AAL2,
            amr=["otp", "pwd"],
            factor_time=clock.now(),
        )
        merge.merge(db, pending, opened_now.session)


@pytest.mark.parametrize("verdict", [INNOCENT, Verdict("inconclusive", WHY)])
@only_sqlite
def test_se_3_what_waits_dies_with_a_verdict_that_finds_nothing(world: World, verdict: Verdict) -> None:
    case_id = opened(world, "finn")
    action = want(world, case_id, "close", by="sam")
    decide(world, case_id, verdict, by="sue")
    with pytest.raises(Conflict):
        confirm(world, action, "kim")
    assert (status(world, "finn"), one(world, "SELECT status FROM case_action")) == ("active", "refused")
    with transaction(world.database) as db:
        assert file.check(db, file.hold(db, case_id)).whole


@only_sqlite
def test_se_3_what_waits_dies_with_an_overturned_appeal(world: World) -> None:
    case_id = opened(world, "finn")
    action = want(world, case_id, "close", by="kim")
    decide(world, case_id)
    assert one(world, "SELECT status FROM case_action") == "waiting", "the verdict agrees with it"
    appealed(world, case_id)
    overturn(world, case_id, "sue")
    with pytest.raises(Conflict):
        confirm(world, action, "sue")
    with pytest.raises(Conflict, match="innocent"):
        want(world, case_id, "suspend", by="sam")
    assert (status(world, "finn"), one(world, "SELECT status FROM case_action")) == ("active", "refused")


@only_sqlite
def test_se_3_nothing_is_taken_by_the_verdict_that_finds_somebody_innocent(world: World) -> None:
    case_id = opened(world, "finn")
    for wish in (Wish("close"), Wish("pause_access", world.lakeside)):
        with pytest.raises(Invalid, match="innocent"):
            decide(world, case_id, INNOCENT, wish)
    decide(world, case_id, INNOCENT, *[Wish("education")] * 30)
    assert one(world, "SELECT count(*) FROM outbox WHERE template = 'case_education'") == 1, "once, however often sent"


@only_sqlite
def test_security_66_who_asked_must_still_be_of_the_desk_when_the_second_confirms(world: World) -> None:
    case_id = opened(world, "finn")
    action = want(world, case_id, "close", by="sam")
    with transaction(world.database) as db:
        right = "SELECT id FROM \"grant\" WHERE account_id = :a AND entitlement = 'security.access.revoke'"
        [held] = db.execute(text(right), {"a": world.sam}).scalars().all()
        grants.end(db, db.get_one(Grant, held), by="operator", reason="left")
    with pytest.raises(Conflict, match="no longer"):
        confirm(world, action, "sue")
    again = want(world, opened(world, "ana"), "close", by="kim")
    with transaction(world.database) as db:
        people.suspend(db, world.kim, because="left", by="operator")
    with pytest.raises(Conflict, match="no longer"):
        confirm(world, again, "sue")
    assert (status(world, "finn"), status(world, "ana")) == ("active", "active")


def test_security_65_one_human_with_two_accounts_is_not_two_people(world: World) -> None:
    action = want(world, opened(world, "finn"), "close", by="sam")
    merged(world, "kim", "sam")
    with pytest.raises(NotEntitled, match="Two different people"):
        confirm(world, action, "kim")
    case_id = opened(world, "ana")
    merged(world, "kim", "ana")  # and then the case is about Kim
    with reading(world.database) as db:
        assert [line.case.account_id for line in desk.queue(db, by=world.kim)] == [world.finn]
        assert world.kim not in staff.readers(db, but={world.ana})
    for act in (
        lambda: decide(world, case_id, INNOCENT, by="kim"),
        lambda: want(world, case_id, "education", by="kim"),
    ):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(Invalid), transaction(world.database) as db:
        desk.open_by_hand(db, by=world.kim, account_id=world.ana, kind="takeover", why="nothing to see here")


@only_sqlite
def test_se_3_a_suspect_does_not_leave_the_case_behind_by_merging(world: World) -> None:
    case_id = opened(world, "ana")
    merged(world, "finn", "ana")
    want(world, case_id, "pause_access", world.lakeside)
    denied = "SELECT count(*) FROM \"grant\" WHERE account_id = :a AND effect = 'deny' AND ended_at IS NULL"
    assert one(world, denied, a=world.finn)
    want(world, case_id, "suspend")
    assert status(world, "finn") == "suspended"
    decide(world, case_id)
    tell(world, case_id)
    assert one(world, "SELECT count(*) FROM outbox WHERE template = 'case_told' AND account_id = :a", a=world.finn)
    confirm(world, want(world, case_id, "close"), "sue")
    assert status(world, "finn") == "ceased"


@only_sqlite
def test_domain_10_the_practices_log_does_not_say_why(world: World) -> None:
    world.sign_in("ana")
    want(world, opened(world, "ana"), "end_access", world.lakeside)
    with reading(world.database) as db:
        rows = happened.page(db, Here(provider=world.lakeside), ["medical"]).rows
    assert rows
    assert not [row for row in rows if "misuse" in row.reason]
    assert not one(world, "SELECT count(*) FROM session WHERE account_id = :a AND ended_at IS NULL", a=world.ana)
    confirm(world, want(world, opened(world, "finn"), "close"), "sue")
    assert "misuse" not in one(world, "SELECT ceased_because FROM account WHERE id = :a", a=world.finn)
    assert not one(world, "SELECT count(*) FROM audit_record WHERE reason = 'misuse'")
