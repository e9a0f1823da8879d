"""W-9: access managers add and replace access managers; authority passes on, what was given stays."""

import threading

import pytest
from sqlmodel import select

from idp import clock
from idp.database import transaction
from idp.entitlements.tables import Appointment
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, Refused
from idp.leaving import people
from idp.wam import appointments, succession
from tests.flows.managing import Managed, filling, managed
from tests.wam.test_more_receipts import events
from tests.wam.world import LINE, person

__all__ = ["filling", "managed"]


def appointment_of(managed: Managed, name: str) -> str:
    with transaction(managed.world.database) as db:
        return db.exec(select(Appointment.id).where(Appointment.account_id == managed.world.people[name])).one()


def test_w9_a_manager_appoints_a_colleague_and_everybody_is_told(managed: Managed) -> None:
    wes = managed.as_("wes").get(f"{managed.here}/managers")
    assert "Access managers, Medical: 2" in wes.text
    wes.click("Appoint an access manager")
    assert "Finn Oakes" in wes.text
    assert "Ana Ruiz" not in wes.text  # her identity was not proven
    wes.submit("Appoint as access manager", account=managed.world.finn)
    assert "Access managers, Medical: 3" in wes.text
    assert "Finn Oakes is an access manager, Medical." in wes.text
    said = wes.path
    promise = wes.click("Signed receipt").click("Save the signed receipt").response.json()
    assert set(events(managed.world.database, promise)) == {"wam.appointment.made"}
    assert managed.as_("otto").get(f"/p/{managed.world.lakeside}{said.removeprefix(managed.here)}").status == 404
    assert managed.as_("finn").get(f"{managed.here}/people").status == 200
    assert managed.events("wam.appointment.made") == 4
    wes.get(f"{managed.here}/managers/{appointment_of(managed, 'finn')}/end").submit(
        "End the appointment", reason="other"
    )
    assert "Finn Oakes is no longer an access manager" in wes.text
    promise = wes.click("Signed receipt").click("Save the signed receipt").response.json()
    assert "wam.appointment.ended" in events(managed.world.database, promise)
    wes.get(f"{managed.here}/people/{managed.world.finn}")
    assert "Ended as access manager" in wes.text
    assert "Made an access manager" in wes.text


def test_w9_the_departing_managers_grants_are_flagged_not_ended(managed: Managed) -> None:
    managed.give("ana", "remit.view", by="wes")
    wes = managed.as_("wes").get(f"{managed.here}/managers/{appointment_of(managed, 'wes')}/end")
    assert "What you gave to others stays" in wes.text
    wes.submit("End the appointment", reason="left")
    assert wes.path == "/account"
    assert managed.held("ana") == {"remit.view"}
    assert wes.get(f"{managed.here}/people").status == 403
    mia = managed.as_("mia").get(f"{managed.here}/reviews").click("What a former access manager gave")
    assert "Ana Ruiz" in mia.text
    assert "Fewer than two people" in mia.get(f"{managed.here}/managers").text


def test_w9_the_last_able_manager_cannot_go_even_when_another_is_on_hold(managed: Managed) -> None:
    world = managed.world
    with transaction(world.database) as db:
        people.suspend(db, world.wes, because="asked", by="operator")
    mia = managed.as_("mia").get(f"{managed.here}/managers/{appointment_of(managed, 'mia')}/end")
    assert "the only access manager" in mia.text
    with pytest.raises(appointments.LastManager), transaction(world.database) as db:
        succession.end(
            db, by=world.mia, provider_id=world.lakeside, appointment_id=appointment_of(managed, "mia"), reason="left"
        )


def test_w9_two_managers_leaving_at_once_leave_one(managed: Managed) -> None:
    world, answers, together = managed.world, [], threading.Barrier(2)
    ids = {name: appointment_of(managed, name) for name in ("wes", "mia")}

    def go(name: str) -> None:
        together.wait()
        try:
            with transaction(world.database) as db:
                by = world.people[name]
                succession.end(db, by=by, provider_id=world.lakeside, appointment_id=ids[name], reason="left")
            answers.append("done")
        except Refused as refusal:
            answers.append(refusal.code)

    threads = [threading.Thread(target=go, args=(name,)) for name in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["done", "last_access_manager"]


def test_w9_the_last_two_leaving_in_two_tabs_that_both_offered_it(managed: Managed) -> None:
    tabs = {
        name: managed.as_(name).get(f"{managed.here}/managers/{appointment_of(managed, name)}/end")
        for name in ("wes", "mia")
    }
    for tab in tabs.values():
        assert "End the appointment" in tab.text
    tabs["wes"].submit("End the appointment", reason="left")
    assert tabs["wes"].path == "/account"
    tabs["mia"].submit("End the appointment", reason="left")
    assert tabs["mia"].status == 409
    assert "only access manager" in tabs["mia"].text
    assert managed.as_("mia").get(f"{managed.here}/people").status == 200


def test_w9_the_sixteenth_is_refused_also_when_one_begins_later(managed: Managed) -> None:
    world = managed.world
    with transaction(world.database) as db:
        for number in range(13):
            account_id = person(db, world, f"p{number}", f"Person {number}", world.lakeside, ial=2)
            starts = clock.now().replace(year=2090) if number == 12 else None
            appointments.appoint(db, account_id=account_id, provider_id=world.lakeside, by="operator", starts_at=starts)
    with pytest.raises(Conflict, match="at most 15"), transaction(world.database) as db:
        succession.appoint(db, by=world.wes, provider_id=world.lakeside, line=LINE, account_id=world.finn)


def test_security_64_nobody_appoints_themselves_a_stranger_or_somebody_unproven(managed: Managed) -> None:
    world = managed.world
    tries = (
        (world.wes, world.wes, NotEntitled),
        (world.wes, world.hana, NotFound),
        (world.wes, world.ana, Invalid),
        (world.otto, world.finn, NotEntitled),
        (world.finn, world.finn, NotEntitled),
    )
    for by, account_id, refusal in tries:
        with pytest.raises(refusal), transaction(world.database) as db:
            succession.appoint(db, by=by, provider_id=world.lakeside, line=LINE, account_id=account_id)
    assert managed.as_("otto").get(f"{managed.here}/managers").status == 404
    otto = managed.as_("otto").get(f"/p/{world.harbor}/managers/{appointment_of(managed, 'wes')}/end")
    assert otto.status == 404
