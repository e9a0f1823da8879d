"""A private question is nothing else: nobody acts on it, and what others say meanwhile is the desk's."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlmodel import Session as Db

from idp import clock
from idp.cases import asked, file, opening, questions
from idp.casework import acting, clocks, deciding, desk
from idp.casework.acting import Wish
from idp.database import reading, transaction
from idp.errors import Conflict, NotFound
from idp.leaving import people
from idp.security import reports
from idp.security.reports import Told
from tests.cases.test_deciding import SHARED, WHY, one
from tests.cases.test_opening import opened
from tests.wam.world import World

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def _partner(db: Db, world: World) -> None:
    told = {"events": ["credential-compromise"]}
    opening.open_case(db, kind="takeover", source="partner", account_id=world.ana, evidence=told)


def _owner(db: Db, world: World) -> None:
    reports.by_owner(db, world.ana, Told("f" * 20, "Somebody else is in my account"), lock=True)


def _desk(db: Db, world: World) -> None:
    why = "I saw two people use it"
    desk.open_by_hand(db, by=world.sam, account_id=world.ana, kind="takeover", why=why)


def answered(world: World) -> None:
    """Answer as who sits in the account: all of it was me."""
    question = one(world, "SELECT id FROM case_question")
    with transaction(world.database) as db:
        questions.answer(db, question, "person", world.ana, by=world.ana, choice="mine", said="")


@pytest.mark.parametrize("says", [_partner, _owner, _desk])
@pytest.mark.parametrize("intruder", [False, True])
def test_ru_7_what_is_told_while_a_private_question_is_open_comes_to_the_desk(
    world: World, says: Callable[[Db, World], None], intruder: bool
) -> None:
    now = clock.now()
    with freeze_time(now):
        case_id = opened(world, "ana", "notice", kind="takeover", score=-3.0)
        with transaction(world.database) as db:
            says(db, world)
        if intruder:
            answered(world)
    with freeze_time(now + timedelta(days=5)):
        clocks.run(world.database)
        with reading(world.database) as db:
            [line] = desk.queue(db, by=world.sue)
    assert (line.case.id, line.overdue) == (case_id, True)
    assert line.case.escalated_at is not None, "its clock ran, and the desk was told"


def test_domain_10_nobody_acts_on_a_private_question_open_or_over(world: World) -> None:
    case_id = opened(world, "ana", "notice", score=-2.0)
    work: tuple[Callable[[Db], object], ...] = (
        lambda db: acting.want(db, case_id, Wish("suspend"), by=world.sam, reason=WHY),
        lambda db: acting.want(db, case_id, Wish("education"), by=world.sam, reason=WHY),
        lambda db: deciding.decide(db, case_id, SHARED, by=world.sam),
        lambda db: desk.take(db, case_id, by=world.sam),
        lambda db: desk.note(db, case_id, by=world.sam, said="looks odd"),
    )
    for stage in ("question", "closed"):
        assert one(world, "SELECT status FROM security_case") == stage
        for act in work:
            with pytest.raises(Conflict), transaction(world.database) as db:
                act(db)
        if stage == "question":
            answered(world)
    assert one(world, "SELECT status FROM account WHERE id = :a", a=world.ana) == "active"


def test_domain_10_the_clock_of_a_containment_runs_whatever_was_done_with_the_question_before(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        case_id = opened(world, "ana", "notice", score=-2.0)
        with transaction(world.database) as db:  # as it could be taken once
            db.connection().exec_driver_sql(f"UPDATE security_case SET triaged_at = 1, worked_by = '{world.sam}'")
        opened(world, "ana", "containment", score=3.0)
    with freeze_time(now + timedelta(hours=4)):
        clocks.run(world.database)
    assert one(world, "SELECT escalated_at FROM security_case WHERE id = :c", c=case_id) is not None


def test_w_10_a_question_is_answered_by_whoever_the_account_was_made_one_with_and_by_nobody_else(world: World) -> None:
    case_id = opened(world, "ana", "notice", kind="takeover", score=-3.0)
    question = one(world, "SELECT id FROM case_question")
    with transaction(world.database) as db:
        people.close(db, world.ana, because="merged", by="system", into=world.finn)
    with reading(world.database) as db:
        assert [one.id for one in asked.of_person(db, world.finn)] == [question]
        assert asked.find(db, question, "person", world.finn, reader=world.finn).open
        assert asked.of_person(db, world.hana) == []
        with pytest.raises(NotFound):
            asked.find(db, question, "person", world.hana, reader=world.hana)
    with transaction(world.database) as db:
        questions.answer(db, question, "person", world.finn, by=world.finn, choice="not_me", said="")
    assert one(world, "SELECT status FROM security_case WHERE id = :c", c=case_id) == "new"


def test_w_10_a_question_asked_after_accounts_were_made_one_is_written_to_the_one_that_is_left(world: World) -> None:
    case_id = opened(world, "ana")
    with transaction(world.database) as db:
        people.close(db, world.ana, because="merged", by="system", into=world.finn)
    with transaction(world.database) as db:
        assert questions.ask_person(db, file.hold(db, case_id), by=world.sam)
    assert one(world, "SELECT count(*) FROM outbox WHERE template = 'case_question' AND account_id = :f", f=world.finn)
