"""Those concerned hear of what is done later too, and an appeal is heard: by the desk in time, by the detector."""

from datetime import timedelta

import pytest
from freezegun import freeze_time

from idp import clock
from idp.cases import appeals
from idp.casework import clocks, judging, listing
from idp.casework.acting import Wish
from idp.casework.listing import Wanted
from idp.database import reading, transaction
from idp.providers import affiliations
from tests.cases.test_deciding import SHARED, WHY, confirm, decide, link, one, tell, want
from tests.cases.test_opening import opened
from tests.wam.world import World

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
MAILS = "SELECT count(*) FROM outbox WHERE template = :t AND account_id = :a"


@pytest.mark.parametrize(
    ("kind", "said"), [("pause_access", "Access to the practice was paused."), ("close", "ended for good")]
)
def test_domain_10_what_is_done_after_the_notices_is_told_too(world: World, kind: str, said: str) -> None:
    case_id = opened(world, "finn")
    waiting = want(world, case_id, "close") if kind == "close" else None
    decide(world, case_id, SHARED)
    tell(world, case_id)
    carried = link(world)
    assert not one(world, MAILS, t="case_told_manager", a=world.wes), "nothing was done"
    if waiting is None:
        want(world, case_id, kind, world.lakeside)
    else:
        confirm(world, waiting, "sue")
    assert one(world, MAILS, t="case_told_more", a=world.finn) == 1
    for manager in (world.wes, world.mia):
        assert one(world, MAILS, t="case_told_manager", a=manager) == 1, "also where the work for the practice ended"
    assert said in one(world, "SELECT facts FROM outbox WHERE template = 'case_told_manager' LIMIT 1")
    with transaction(world.database) as db:
        appeals.appeal(db, carried, "The link of the first notice goes on working.")


def test_domain_10_a_practice_hears_that_its_access_ended_and_nothing_of_what_was_done_elsewhere(world: World) -> None:
    with transaction(world.database) as db:
        affiliations.approve(db, account_id=world.finn, provider_id=world.harbor, by="operator")
    case_id = opened(world, "finn")
    decide(world, case_id, SHARED, Wish("end_access", world.lakeside))
    tell(world, case_id)
    assert one(world, MAILS, t="case_told_manager", a=world.wes) == 1
    assert not one(world, MAILS, t="case_told_manager", a=world.otto)


def test_domain_10_the_desk_hears_of_an_appeal_at_once_and_again_when_its_answer_is_late(world: World) -> None:
    case_id, now = opened(world, "finn"), clock.now()
    decide(world, case_id)
    tell(world, case_id)
    with transaction(world.database) as db:
        appeals.appeal(db, link(world), "I did nothing wrong, look again.")
    heard = "SELECT count(*) FROM outbox WHERE template = :t"
    assert one(world, heard, t="case_appealed") == 2, "Sue and Kim: Sam decided"
    assert not one(world, MAILS, t="case_appealed", a=world.sam)
    for _ in range(3):  # however many are decided later, it stands in the list of its own, the waiting ones first
        decide(world, opened(world, "ana"), SHARED)
    with reading(world.database) as db:
        assert [line.case.id for line in listing.find(db, Wanted("appealed"), by=world.sue).lines] == [case_id]
    for later, mails in ((timedelta(), 0), (timedelta(days=6), 2), (timedelta(days=7), 2)):
        with freeze_time(now + later):
            clocks.run(world.database)
        assert one(world, heard, t="case_appeal_overdue") == mails
    with transaction(world.database) as db:
        judging.decide(db, case_id, by=world.sue, outcome="upheld", reason=WHY)


def test_domain_10_an_answered_appeal_is_late_no_more(world: World) -> None:
    case_id, now = opened(world, "finn"), clock.now()
    decide(world, case_id)
    tell(world, case_id)
    with transaction(world.database) as db:
        appeals.appeal(db, link(world), "I did nothing wrong, look again.")
        judging.decide(db, case_id, by=world.sue, outcome="upheld", reason=WHY)
    with freeze_time(now + timedelta(days=9)):
        clocks.run(world.database)
    assert not one(world, "SELECT count(*) FROM outbox WHERE template = 'case_appeal_overdue'")
