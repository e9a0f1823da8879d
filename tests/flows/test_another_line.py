"""Managers and auditors of one line of business learn nothing of another one, and a closed line closes no other."""

import pytest

from idp import clock
from idp.database import transaction
from idp.entitlements import grants
from idp.providers import organisations
from idp.wam import appointments, removing
from tests.flows.managing import Managed, filling, managed
from tests.wam.world import LINE

__all__ = ["filling", "managed"]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def dental(managed: Managed) -> Managed:
    """Lakeside has dental too: Ana looks at its access, Wes manages both lines; Finn has medical functions alone."""
    world = managed.world
    with transaction(world.database) as db:
        organisations.open_portal(db, world.lakeside, "dental", by="operator")
        organisations.agree(db, world.lakeside, "dental")
        organisations.participate(db, world.lakeside, "dental")
        grants.grant(
            db,
            account_id=world.ana,
            provider_id=world.lakeside,
            line="dental",
            entitlement="access.view",
            by="operator",
            reason="audits",
        )
        appointments.appoint(
            db, account_id=world.wes, provider_id=world.lakeside, line="dental", by="operator", verified_by="claim"
        )
    return managed


def test_security_62_an_auditor_of_one_line_sees_nothing_of_another(dental: Managed) -> None:
    world, here = dental.world, f"{dental.here}/people/{dental.world.finn}"
    assert "Front desk" in dental.as_("mia").get(f"{dental.here}/people").text
    assert "Front desk" not in dental.as_("ana").get(f"{dental.here}/people").text
    with transaction(world.database) as db:
        receipt = removing.remove(
            db,
            by=world.mia,
            provider_id=world.lakeside,
            account_id=world.finn,
            function="message.send",
            lines=[LINE],
            reason="role_change",
            form_id="medical-1",
        ).id
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
