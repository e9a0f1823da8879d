"""W-4, domain.md 6: what moves money needs two access managers and begins a day later."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlmodel import select

from idp import clock
from idp.database import transaction
from idp.entitlements import grants
from idp.entitlements.tables import Appointment
from idp.errors import Conflict, NotEntitled
from idp.wam import appointments, dual_control
from tests.browser import Browser
from tests.flows.managing import Managed, filling, managed
from tests.wam.world import LINE

__all__ = ["filling", "managed"]


def asked(managed: Managed) -> Browser:
    """Wes wants to give Finn the payments function."""
    wes = managed.as_("wes")
    wes.get(f"{managed.here}/people/{managed.world.finn}/change/check?f=eft.manage&f=remit.view&end=none")
    assert "Needs two access managers" in wes.text
    return wes.submit("Confirm", reason="moves the account")


def held_id(managed: Managed) -> str:
    return str(managed.one("SELECT id FROM held_change"))


def test_w4_nothing_is_given_before_the_second_word_and_nothing_holds_before_a_day(managed: Managed) -> None:
    wes = asked(managed)
    assert "Waits for a second access manager" in wes.text
    assert managed.held("finn") == {"remit.view"}
    wes.get(f"{managed.here}/held/{held_id(managed)}")
    assert "A second access manager confirms this" in wes.text
    mia = managed.as_("mia").get(f"{managed.here}/inbox").click("Finn Oakes")
    mia.submit("Confirm")
    assert "Mia Ode confirmed this" in mia.text
    assert managed.held("finn") == {"remit.view"}
    now = clock.now()
    assert "eft.manage" not in managed.held("finn", now + timedelta(hours=23, minutes=59))
    assert "eft.manage" in managed.held("finn", now + timedelta(hours=24))
    assert managed.events("wam.change.confirmed") == 1


def test_security_64_the_asker_the_person_and_strangers_cannot_be_the_second_word(managed: Managed) -> None:
    asked(managed)
    world = managed.world
    for by in (world.wes, world.finn, world.otto):
        with pytest.raises(NotEntitled), transaction(world.database) as db:
            dual_control.confirm(db, dual_control.find(db, held_id(managed), world.lakeside, [LINE]), by=by)
    assert managed.as_("otto").get(f"/p/{world.harbor}/held/{held_id(managed)}").status == 404
    assert not managed.one("SELECT count(*) FROM \"grant\" WHERE entitlement = 'eft.manage'")


def test_security_64_no_other_road_gives_it_with_one_word(managed: Managed) -> None:
    world = managed.world
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        grants.grant(
            db,
            account_id=world.finn,
            provider_id=world.lakeside,
            line=LINE,
            entitlement="eft.manage",
            by=world.wes,
            reason="alone",
        )
    managed.give("finn", "eft.manage", expires_at=clock.now() + timedelta(days=2))
    with transaction(world.database) as db:
        old = next(g for g in grants.live(db, world.finn, world.lakeside, clock.now()) if g.entitlement == "eft.manage")
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        grants.replace(db, old, by=world.wes, reason="longer", expires_at=clock.now() + timedelta(days=9))
    with transaction(world.database) as db:
        grants.replace(db, old, by=world.wes, reason="shorter", expires_at=clock.now() + timedelta(days=1))


def test_w4_a_refused_or_old_one_and_one_whose_asker_left_is_not_given(managed: Managed) -> None:
    asked(managed)
    world, held = managed.world, held_id(managed)
    with freeze_time(clock.now() + timedelta(days=8)), pytest.raises(Conflict), transaction(world.database) as db:
        dual_control.confirm(db, dual_control.find(db, held, world.lakeside, [LINE]), by=world.mia)
    with transaction(world.database) as db:
        mine = db.exec(select(Appointment).where(Appointment.account_id == world.wes)).one()
        appointments.end(db, mine, by="operator", reason="left")
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        dual_control.confirm(db, dual_control.find(db, held, world.lakeside, [LINE]), by=world.mia)
    with transaction(world.database) as db:
        dual_control.refuse(db, dual_control.find(db, held, world.lakeside, [LINE]), by=world.mia)
    with pytest.raises(Conflict), transaction(world.database) as db:
        dual_control.refuse(db, dual_control.find(db, held, world.lakeside, [LINE]), by=world.mia)
