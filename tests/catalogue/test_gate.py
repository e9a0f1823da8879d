"""The organisation gate: a function withheld from a practice is closed for everybody there, at the next decision."""

from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.catalogue import gate
from idp.database import transaction
from idp.entitlements import asking
from idp.entitlements.question import OURSELVES, Question
from idp.errors import Conflict, Invalid, NotFound
from idp.jobs import catalogue
from idp.wam import authority, granting, holdings
from tests.wam.world import LINE, World


def answer(world: World, **more: Any) -> str | None:
    facts = {"account_id": world.finn, "entitlement": "idcard.view", "provider_id": world.lakeside, "line": LINE}
    with transaction(world.database) as db:
        return asking.decide_in_session(db, Question(app=OURSELVES, **{**facts, **more})).reason


def test_t_07_a_withheld_function_is_refused_whatever_was_given_and_opens_again(world: World) -> None:
    before = clock.now()
    assert answer(world) == "step_up_required"
    with transaction(world.database) as db:
        found = gate.impact(db, world.lakeside, LINE, ["idcard.view", "fee.view"])
        assert [(a.account_id, a.loses) for a in found.affected] == [(world.finn, ("idcard.view",))]
        made = gate.withhold(db, world.lakeside, LINE, "idcard.view", by="acc_staff", reason="under review")
    assert answer(world) == "organisation_not_granted"
    assert answer(world, account_id=world.hana, provider_id=world.harbor) == "step_up_required"
    assert answer(world, at=before) != "organisation_not_granted"
    with transaction(world.database) as db:
        assert "idcard.view" not in holdings.functions(db, authority.provider(db, world.lakeside), LINE)
        with pytest.raises(Conflict):
            gate.withhold(db, world.lakeside, LINE, "idcard.view", by="acc_staff", reason="again")
    with transaction(world.database) as db:
        gate.give_back(db, gate.find(db, world.lakeside, made.id), by="acc_staff")
    assert answer(world) == "step_up_required"


def test_security_62_managers_of_the_practice_can_t_give_what_is_withheld(world: World) -> None:
    with transaction(world.database) as db:
        gate.withhold(db, world.lakeside, LINE, "fee.view", by="acc_staff", reason="no contract")
        wish, _ = granting.wish(
            db, world.lakeside, LINE, functions=["fee.view"], bundle=None, starts_at=None, ends_at=None
        )
        with pytest.raises(Invalid, match="does not hold"):
            granting.preview(db, by=world.wes, provider_id=world.lakeside, account_id=world.ana, line=LINE, wish=wish)


def test_t_07_withholding_names_a_real_place_function_and_reason(world: World) -> None:
    with transaction(world.database) as db:
        for line, key, reason in (("x", "fee.view", "y"), (LINE, "no.such", "y"), (LINE, "fee.view", " ")):
            with pytest.raises(Invalid):
                gate.withhold(db, world.lakeside, line, key, by="acc_staff", reason=reason)
        with pytest.raises(NotFound):
            gate.withhold(db, "prv_nobody", LINE, "fee.view", by="acc_staff", reason="y")
        row = gate.withhold(db, world.lakeside, LINE, "fee.view", by="acc_staff", reason="y")
        with pytest.raises(NotFound):
            gate.find(db, world.harbor, row.id)


def test_t_07_a_withholding_from_a_day_to_come_closes_on_that_day_and_apps_hear_of_it_then(world: World) -> None:
    start = clock.now() + timedelta(days=3)
    with transaction(world.database) as db:
        made = gate.withhold(
            db, world.lakeside, LINE, "idcard.view", by="acc_staff", reason="contract ends", starts_at=start
        )
        assert "idcard.view" in holdings.functions(db, authority.provider(db, world.lakeside), LINE)
    assert answer(world) == "step_up_required"
    assert answer(world, at=start) == "organisation_not_granted"
    assert answer(world, at=start - timedelta(microseconds=1)) != "organisation_not_granted"
    assert told(world) == 0
    catalogue.run(world.database)
    assert told(world) == 0
    with freeze_time(start):
        assert answer(world) == "organisation_not_granted"
        catalogue.run(world.database)
        catalogue.run(world.database)
        assert told(world) == 1
    with transaction(world.database) as db:
        gate.give_back(db, gate.find(db, world.lakeside, made.id), by="acc_staff")
    assert answer(world, at=start + timedelta(days=1)) != "organisation_not_granted"


def told(world: World) -> int:
    with transaction(world.database) as db:
        return int(db.execute(text("SELECT count(*) FROM revocation WHERE kind = 'portal_closed'")).scalar_one())
