"""What waits for a second word about payments ends with the work or the authority of who asked (domain.md 6)."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.database import transaction
from idp.entitlements import grants
from idp.errors import Conflict, NotEntitled
from idp.leaving import people
from idp.providers import affiliations
from idp.wam import appointments, dual_control
from idp.wam.tables import HeldChange
from tests.wam import acts
from tests.wam.world import LINE, World


def asked(world: World) -> str:
    with transaction(world.database) as db:
        return acts.payments_asked(db, world, "finn").id


def confirm(world: World, held_id: str) -> str:
    with transaction(world.database) as db:
        return dual_control.confirm(db, db.get_one(HeldChange, held_id), by=world.mia).entitlement


def waits(world: World) -> int:
    with transaction(world.database) as db:
        return len(dual_control.waiting(db, world.lakeside, [LINE]))


def test_domain_6_who_left_and_came_back_is_asked_for_anew(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        held = asked(world)
    with freeze_time(now + timedelta(hours=1)):
        with transaction(world.database) as db:
            people.leave(db, world.finn, world.lakeside, reason="left", by=world.wes)
        assert waits(world) == 0
    with freeze_time(now + timedelta(hours=2)):
        with transaction(world.database) as db:
            affiliations.approve(db, account_id=world.finn, provider_id=world.lakeside, by=world.wes)
        assert waits(world) == 0
        with pytest.raises(Conflict, match="Ask anew"):
            confirm(world, held)
        again = asked(world)
        assert waits(world) == 1
        assert confirm(world, again) == "eft.manage"
    with transaction(world.database) as db:
        begins = db.execute(text("SELECT not_before FROM \"grant\" WHERE entitlement = 'eft.manage'")).scalar_one()
        assert begins >= clock.micros(now + timedelta(hours=26)), "and the day of the hold begins anew"


def test_domain_6_a_manager_who_was_one_no_more_meanwhile_has_to_ask_again(world: World) -> None:
    now = clock.now()
    with freeze_time(now):
        held = asked(world)
    with freeze_time(now + timedelta(hours=1)), transaction(world.database) as db:
        rows = appointments.in_force(db, world.lakeside, LINE, clock.now())
        appointments.end(
            db, next(row for row in rows if row.account_id == world.wes), by="operator", reason="role_change"
        )
        appointments.appoint(
            db, account_id=world.wes, provider_id=world.lakeside, by="operator", verified_by="claim", line=LINE
        )
    with freeze_time(now + timedelta(hours=2)), pytest.raises(NotEntitled):
        confirm(world, held)


@pytest.mark.parametrize("what", ["eft.manage", None])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_domain_6_taking_the_function_or_the_line_away_ends_what_waits(world: World, what: str | None) -> None:
    with transaction(world.database) as db:
        acts.open_dental(db, world)  # Finn goes on there
        acts.give(db, world, "finn", "eft.manage")
        grants.grant(
            db,
            account_id=world.finn,
            provider_id=world.lakeside,
            line="dental",
            entitlement="idcard.view",
            by="operator",
            reason="works there too",
        )
    held = asked(world)
    acts.remove(world, world.wes, world.finn, function=what)
    assert waits(world) == 0
    with pytest.raises(Conflict, match="decided already"):
        confirm(world, held)
    with transaction(world.database) as db:
        assert db.get_one(HeldChange, held).status == "refused"
        events = db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'wam.change.refused'")).scalar()
        assert events == 1
