"""A report's lock and a hold of the desk are two things: lifting one leaves the other (SE-3, RU-7)."""

import pytest

from idp.database import transaction
from idp.errors import Conflict, Invalid
from idp.notices import outbox
from idp.notices import reading as mails
from idp.notices.tables import Outbox
from idp.security import reports
from idp.security.reports import Told
from tests.cases.test_deciding import one, want
from tests.cases.test_opening import opened
from tests.cases.test_second_person import status
from tests.wam.world import World

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def unlock(world: World, report_id: str) -> None:
    with transaction(world.database) as db:
        reports.unlock(db, report_id, by=world.sue, because="I called the owner back")


def test_se_3_lifting_a_reports_lock_does_not_lift_the_desks_hold(world: World) -> None:
    with transaction(world.database) as db:
        outbox.send(db, world.finn, "misuse_reported", {"receipt": "MR-AAAA-BBBB"}, to=("finn@practice.example",))
    mail = one(world, "SELECT id FROM outbox WHERE account_id = :a", a=world.finn)
    case_id = opened(world, "finn")
    want(world, case_id, "suspend")
    with transaction(world.database) as db:  # an older mail's "this was not me"
        made = reports.by_link(db, mails.token(world.database.ring, db.get_one(Outbox, mail)))
        assert made.locked_at is None, "it locked nothing: the account was on hold"
    with pytest.raises(Conflict, match="no lock"):
        unlock(world, made.id)
    assert status(world, "finn") == "suspended"
    want(world, case_id, "lift_hold")
    assert status(world, "finn") == "active"
    with pytest.raises(Invalid):  # there is none to lift
        want(world, case_id, "lift_hold")


def test_se_3_a_hold_of_the_desk_that_came_after_a_lock_stays_when_the_lock_is_lifted(world: World) -> None:
    with transaction(world.database) as db:
        made = reports.by_owner(db, world.finn, Told("f" * 20, "Somebody else is in my account"), lock=True)
    case_id = opened(world, "finn")
    want(world, case_id, "suspend")
    with pytest.raises(Conflict):
        want(world, case_id, "suspend")
    unlock(world, made.id)
    assert status(world, "finn") == "suspended"
    want(world, case_id, "lift_hold")
    assert status(world, "finn") == "active"


def test_ru_7_a_lock_stays_when_the_desk_lets_go(world: World) -> None:
    with transaction(world.database) as db:
        made = reports.by_owner(db, world.finn, Told("f" * 20, "Somebody else is in my account"), lock=True)
    case_id = opened(world, "finn")
    want(world, case_id, "suspend")
    want(world, case_id, "lift_hold")
    assert status(world, "finn") == "suspended"
    unlock(world, made.id)
    assert status(world, "finn") == "active"
