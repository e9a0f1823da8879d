"""Cases are kept for years from their last effect, held ones longer; nobody's words are destroyed while they count."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlmodel import select

from idp import clock
from idp.audit import holds as legal
from idp.audit import shredding
from idp.cases import file
from idp.cases.tables import SecurityCase
from idp.casework import acting, keeping
from idp.casework.acting import Wish
from idp.database import transaction
from idp.errors import Conflict, Invalid, NotFound
from idp.leaving import people
from idp.security import reports
from idp.security.reports import Told
from tests import engines
from tests.cases.test_deciding import SHARED, Verdict, decide, one, tell, want
from tests.cases.test_opening import opened
from tests.wam.world import World

YEARS = timedelta(days=6 * 366 + 1)
INNOCENT = Verdict("innocent", "It was the practice's own front desk computer.", cause="pool")


@pytest.fixture
def database_url(database_url: str) -> str:
    """The owner's address: the service's own role may destroy nothing of a case."""
    return engines.as_owner(database_url)


def cases(world: World) -> int:
    return int(one(world, "SELECT count(*) FROM security_case"))


def test_domain_7_a_case_is_destroyed_whole_six_years_after_its_last_effect_and_not_before(world: World) -> None:
    case_id = opened(world, "finn")
    decide(world, case_id, SHARED)
    open_one = opened(world, "ana")
    with freeze_time(clock.now() + timedelta(days=2)):
        tell(world, case_id)  # an entry: the last effect
        told = clock.now()
    with freeze_time(told + timedelta(days=6 * 365)):
        assert keeping.destroy(world.database).cases == 0
        with pytest.raises(Invalid, match="kept"):
            keeping.destroy(world.database, clock.now())
    with freeze_time(told + YEARS):
        reference = one(world, "SELECT reference FROM security_case WHERE id = :c", c=case_id)
        done = keeping.destroy(world.database)
        assert (done.cases, done.held, done.standing, cases(world)) == (1, 0, 0, 1)
        for table in ("case_entry", "case_question", "case_action", "case_appeal", "case_label"):
            assert one(world, f"SELECT count(*) FROM {table} WHERE case_id = :c", c=case_id) == 0, table
        said = one(world, "SELECT leaf FROM audit_record WHERE event = 'security.case.destroyed'")
        assert reference in bytes(said).decode()
        assert keeping.destroy(world.database).cases == 0
    # The guard is back, and the case nobody decided is whole.
    with pytest.raises(DatabaseError), transaction(world.database) as db:
        db.execute(text("DELETE FROM case_entry"))
    with transaction(world.database) as db:
        assert file.check(db, db.get_one(SecurityCase, open_one)).whole


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_domain_7_a_legal_hold_wins_over_the_time_of_a_case(world: World) -> None:
    case_id = opened(world, "finn")
    decide(world, case_id, INNOCENT)
    tell(world, case_id)
    with freeze_time(clock.now() + YEARS):
        for named in ({"account": world.finn}, {"provider": world.lakeside}, {}):
            with transaction(world.database) as db:
                hold = legal.place(db, "matter 7", **named)
            if named:
                assert keeping.destroy(world.database).held == 1
            else:
                with pytest.raises(Conflict, match="whole log"):
                    keeping.destroy(world.database)
            assert cases(world) == 1
            with transaction(world.database) as db:
                legal.lift(db, hold)
        assert keeping.destroy(world.database).cases == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_domain_7_a_case_stays_while_what_it_paused_or_holds_still_stands(world: World) -> None:
    case_id = opened(world, "finn")
    decide(world, case_id, SHARED)
    want(world, case_id, "suspend")
    tell(world, case_id)
    with freeze_time(clock.now() + YEARS):
        assert keeping.destroy(world.database).standing == 1
        assert cases(world) == 1


def _leave(world: World, who: str) -> None:
    with transaction(world.database) as db:
        people.cease(db, world.people[who], because="left", by="system")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_76_nobody_is_shredded_out_of_an_open_case_or_before_an_appeal_is_over(world: World) -> None:
    case_id = opened(world, "finn")
    _leave(world, "finn")

    def refused(words: str) -> None:
        with pytest.raises(Conflict, match=words), transaction(world.database) as db:
            keeping.shred(db, world.finn)

    refused("is open")
    decide(world, case_id, SHARED)
    refused("appealed")
    tell(world, case_id)
    refused("appealed")
    with freeze_time(clock.now() + timedelta(days=31)):
        with transaction(world.database) as db:
            assert keeping.shred(db, world.finn) == 1
        refused("before")
    with pytest.raises(NotFound), transaction(world.database) as db:
        keeping.shred(db, "acc_nobody")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_76_a_hold_and_a_shredding_reach_every_account_of_one_human(world: World) -> None:
    with transaction(world.database) as db:
        people.close(db, world.hana, because="merged", by="system", into=world.finn)
    for named in (world.hana, world.finn):  # hold one, shred by the other
        other = world.finn if named == world.hana else world.hana
        with transaction(world.database) as db:
            hold = legal.place(db, "matter 7", account=named)
        with pytest.raises(Conflict, match="legal hold"), transaction(world.database) as db:
            shredding.shred(db, other)
        with transaction(world.database) as db:
            legal.lift(db, hold)
    with pytest.raises(Conflict, match="in use"), transaction(world.database) as db:
        keeping.shred(db, world.hana)  # closed, but its person is here
    _leave(world, "finn")
    with transaction(world.database) as db:
        assert keeping.shred(db, world.hana) >= 1
    left = "SELECT count(*) FROM subject_key WHERE key IS NOT NULL AND account_id IN (:a, :b)"
    assert one(world, left, a=world.finn, b=world.hana) == 0


def test_security_76_what_was_said_of_a_shredded_person_is_readable_nowhere(world: World) -> None:
    said = "Finn let a temp in"
    case_id = opened(world, "finn")
    with transaction(world.database) as db:
        told = Told(form_id="f" * 32, words=said, about="finn@practice.example")
        report = reports.by_owner(db, world.finn, told, lock=False).id
    with transaction(world.database) as db:
        acting.want(db, case_id, Wish("education"), by=world.sam, reason=f"{said}, three times")
    with transaction(world.database) as db:
        every = db.exec(select(SecurityCase.id).where(SecurityCase.account_id == world.finn)).all()
    assert len(every) == 2, "the report has its own"
    for one_case in every:
        decide(world, one_case, SHARED)
        tell(world, one_case)
    _leave(world, "finn")
    with freeze_time(clock.now() + timedelta(days=31)), transaction(world.database) as db:
        keeping.shred(db, world.finn)
    with transaction(world.database) as db:
        read = reports.view(db, report, by=world.sam)
        assert (read.words, read.about, read.report.outcome) == ("", "", "")
        assert file.check(db, file.hold(db, case_id)).whole
    left = "SELECT count(*) FROM case_action WHERE case_id = :c AND reason <> ''"
    assert one(world, left, c=case_id) == 0
    assert one(world, "SELECT count(*) FROM outbox WHERE account_id = :a", a=world.finn) == 0
