"""Managers and auditors of one line of business learn nothing of another one, and a closed line closes no other."""

from datetime import timedelta
from functools import partial

import pytest

from idp import clock
from idp.accounts.tables import Contact
from idp.database import transaction
from idp.entitlements import grants
from idp.entitlements.chains import Scope
from idp.partners import register
from idp.wam import appointments, authority, delegating, emergency, emergency_bars
from tests.flows.managing import Managed, filling, managed
from tests.wam import acts
from tests.wam.world import LINE

__all__ = ["filling", "managed"]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def dental(managed: Managed) -> Managed:
    """Lakeside has dental too: Ana looks at its access, Wes manages both lines; Finn has medical functions alone."""
    world = managed.world
    with transaction(world.database) as db:
        acts.open_dental(db, world)
        grants.grant(
            db,
            account_id=world.ana,
            provider_id=world.lakeside,
            line="dental",
            entitlement="access.view",
            by="operator",
            reason="audits",
        )
    return managed


def test_security_62_an_auditor_of_one_line_sees_nothing_of_another(dental: Managed) -> None:
    world, here = dental.world, f"{dental.here}/people/{dental.world.finn}"
    assert "Front desk" in dental.as_("mia").get(f"{dental.here}/people").text
    assert "Front desk" not in dental.as_("ana").get(f"{dental.here}/people").text
    receipt = acts.remove(world, world.mia, world.finn, function="message.send", reason="role_change").id
    ana = dental.as_("ana").get(here)
    assert ana.status == 200
    assert "has no functions" in ana.text
    assert "Removed 1 function" not in ana.text
    assert ana.get(f"{dental.here}/removals/{receipt}").status == 404
    assert ana.get(f"{dental.here}/receipts/{receipt}/signed.json").status == 404
    assert ana.get(f"{here}/why?function=eligibility.view").status == 200
    assert "Dental" in ana.text
    assert ana.get(f"{here}/why?function=eligibility.view&line={LINE}").status == 422
    mia = dental.as_("mia").get(here)
    assert "Eligibility and benefits" in mia.text
    assert "Removed 1 function" in mia.text
    assert mia.get(f"{dental.here}/removals/{receipt}").status == 200


def test_t30_a_line_whose_agreement_ended_closes_no_other_line_of_the_practice(dental: Managed) -> None:
    world = dental.world
    with transaction(world.database) as db:
        db.connection().exec_driver_sql(
            "UPDATE agreement SET ends_at = ? WHERE provider_id = ? AND line = ?",
            (clock.micros(clock.now()), world.lakeside, LINE),
        )
        db.connection().exec_driver_sql("UPDATE policy_epoch SET epoch = epoch + 1")
    assert dental.as_("mia").get(f"{dental.here}/people").status == 403
    wes = dental.as_("wes")
    assert wes.get(f"{dental.here}/people").status == 200
    assert wes.get(f"{dental.here}/people/{world.finn}/change?line=dental").status == 200


def test_domain_7_a_pause_names_who_can_lift_it(dental: Managed) -> None:
    from idp.entitlements import asking, pauses
    from idp.entitlements.grant_rows import Place
    from idp.entitlements.question import OURSELVES, Question
    from idp.entitlements.sentences import sentence

    world = dental.world
    asked = Question(world.finn, "message.send", world.lakeside, OURSELVES, line=LINE)
    place = Place(world.finn, world.lakeside, LINE)
    with transaction(world.database) as db:
        pauses.suspend(db, place, ["message.send"], by=world.wes, reason=pauses.AWAY)
        said = asking.decide_in_session(db, asked)
        assert "access manager can lift" in str(sentence(said))
        assert said.help
        pauses.suspend(db, place, ["message.send"], by="operator", reason=pauses.DESK)
        said = asking.decide_in_session(db, asked)
        assert "Only the desk can lift" in str(sentence(said))
        assert "access manager" not in str(sentence(said))
        assert said.help is None


def test_w4_going_to_another_line_of_business_says_before_that_choices_are_dropped(dental: Managed) -> None:
    address = f"{dental.here}/people/{dental.world.finn}/change"
    assert "Going to another one drops what you chose here" in dental.as_("wes").get(address).text
    assert "Going to another one" not in dental.as_("mia").get(address).text  # one line: there is nowhere to go


def test_security_62_emergency_access_of_one_line_is_seen_and_judged_in_that_line_alone(dental: Managed) -> None:
    """The reason says what happened to a patient, and a verdict bars a person: neither is another line's."""
    world, listed = dental.world, f"{dental.here}/emergency"
    with transaction(world.database) as db:
        appointed = {"provider_id": world.lakeside, "line": "dental", "by": "operator", "verified_by": "claim"}
        appointments.appoint(db, account_id=world.ana, **appointed)
        for name in ("mia", "wes", "finn", "ana"):
            db.add(Contact(account_id=world.people[name], email=f"{name}@lakeside.example"))
        reason = "Lab results before surgery"
        use = emergency.start(db, account_id=world.finn, provider_id=world.lakeside, line=LINE, reason=reason).id
    told = "SELECT count(*) FROM outbox WHERE template = 'emergency_started' AND recipient = :a"
    assert [dental.one(told, a=f"{name}@lakeside.example") for name in ("mia", "wes", "finn", "ana")] == [1, 1, 1, 0]
    ana = dental.as_("ana").get(listed)
    assert ana.status == 200
    assert "Finn" not in ana.text
    assert ana.get(f"{listed}/{use}").status == 404
    with transaction(world.database) as db:
        found = emergency.find(db, use)
        for act in (
            partial(emergency.end_for_practice, db, found),
            partial(emergency.review, db, found, verdict="justified", note="x"),
        ):
            with pytest.raises(authority.NotYourLine):
                act(by=world.ana)
        emergency.review(db, found, by=world.mia, verdict="not_justified", note="There was no such patient")
        with pytest.raises(authority.NotYourLine):
            emergency_bars.lift(db, found, by=world.ana, why="We spoke")
        acts.give(db, world, "ana", "access.view")
    ana.get(f"{listed}/{use}")  # an auditor of that line reads it, and changes nothing
    assert "no such patient" in ana.text
    assert "Open emergency access again" not in ana.text
    assert "Open emergency access again" in dental.as_("wes").get(f"{listed}/{use}").text


def test_security_62_a_delegation_is_seen_in_its_own_lines_alone(dental: Managed) -> None:
    """It names a company's people and what each may do: Ana audits dental, and this is medical."""
    world = dental.world
    with transaction(world.database) as db:
        firm = register.record(db, name="Evergreen Billing", kind="third_party", status="active")
        until = clock.now() + timedelta(days=99)
        scope = Scope(("claim.status.view",), lines=(LINE,), ends_at=until)
        about = {"provider_id": world.lakeside, "partner_id": firm.id, "form_id": "form-of-medical"}
        made = delegating.delegate(db, by=world.wes, scope=scope, **about).id
    ana, wes = dental.as_("ana"), dental.as_("wes")
    for browser, seen in ((ana, False), (wes, True)):
        assert ("Evergreen" in browser.get(f"{dental.here}/delegations").text) is seen
        assert browser.get(f"{dental.here}/delegations/{made}").status == (200 if seen else 404)
    assert dental.as_("mia").get(f"{dental.here}/delegations/{made}/end").status == 200


def test_w3_who_manages_several_lines_chooses_one_for_an_invitation_and_reads_how_to_give_the_others(
    dental: Managed,
) -> None:
    wes = dental.as_("wes").get(f"{dental.here}/people/new")
    assert "This is for Medical" in wes.text
    wes.click("Dental")
    assert "This is for Dental" in wes.text
    wes.submit("Make the invitation link", name="Sol Vega", bundle="")
    assert "It is for Dental" in wes.text
    assert "give what they need in Medical on their page" in wes.text
    assert dental.one("SELECT line FROM invitation") == "dental"
    assert dental.as_("mia").get(f"{dental.here}/people/new?line=dental").status == 404  # hers is medical alone
    assert "This is for" not in dental.as_("mia").get(f"{dental.here}/people/new").text
