"""Versions of functions and jobs: previewed person by person, in effect from a day, seen by replays."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.catalogue import bundles as versions
from idp.catalogue import functions
from idp.database import transaction
from idp.entitlements import asking, bundles, grants
from idp.entitlements.question import OURSELVES, Question
from idp.errors import Conflict, Invalid
from idp.jobs import catalogue as job
from tests.wam.world import LINE, World, person, practice

DAY = timedelta(days=1)
DESK = ["eligibility.view", "network.verify", "idcard.view", "estimate.view", "precert.view", "message.send"]


def publish(world: World, items: list[str], *, days: int = 7, seen: int = 1) -> None:
    with transaction(world.database) as db:
        versions.publish(
            db, "front_desk", items, seen=seen, effective_at=clock.now() + days * DAY, reason="new work", by="acc_staff"
        )


def held(world: World, who: str, at: datetime) -> set[str]:
    with transaction(world.database) as db:
        return {g.entitlement for g in grants.live(db, who, world.lakeside, at) if g.effect == "allow"}


def later(world: World, days: int) -> None:
    with freeze_time(clock.now() + days * DAY):
        job.run(world.database)


def test_domain_6_a_job_s_new_version_says_for_each_person_who_gains_and_loses_before_it_counts(world: World) -> None:
    wanted = [*DESK[1:], "claim.attach"]
    with transaction(world.database) as db:
        found = versions.impact(db, "front_desk", wanted)
    assert {(a.account_id, a.gains, a.loses) for a in found.affected} == {
        (world.finn, ("claim.attach",), ("eligibility.view",)),
        (world.hana, ("claim.attach",), ("eligibility.view",)),
    }
    assert (found.gain, found.lose, found.practices) == (2, 2, 2)
    publish(world, wanted)
    later(world, 6)
    assert held(world, world.finn, clock.now() + 6 * DAY) == set(DESK)
    later(world, 8)
    after = held(world, world.finn, clock.now() + 9 * DAY)
    assert after == set(wanted)
    later(world, 9)
    assert held(world, world.finn, clock.now() + 10 * DAY) == after
    with transaction(world.database) as db, freeze_time(clock.now() + 9 * DAY):
        assert bundles.find(db, "front_desk").version == 2
        assert versions.impact(db, "front_desk", wanted).affected == ()


def test_domain_6_a_preview_asks_the_whole_decision_who_keeps_it_by_another_grant_or_could_not_use_it(
    world: World,
) -> None:
    with transaction(world.database) as db:
        grants.grant(
            db, account_id=world.finn, provider_id=world.lakeside, line=LINE, entitlement="eligibility.view",
            by="operator", reason="besides",
        )  # fmt: skip
        before = versions.impact(db, "front_desk", DESK[1:])
        told = {a.account_id: (a.loses, a.keeps, a.idle) for a in before.affected}
        assert told == {
            world.finn: ((), ("eligibility.view",), ()),
            world.hana: (("eligibility.view",), (), ()),
        }
        assert (before.lose, before.keep) == (1, 1)
        db.execute(text("UPDATE account SET status = 'suspended' WHERE id = :a"), {"a": world.hana})
        after = versions.impact(db, "front_desk", DESK[1:])
        assert {a.idle for a in after.affected if a.account_id == world.hana} == {("eligibility.view",)}
        assert (after.lose, after.keep) == (0, 1)
    publish(world, DESK[1:])
    later(world, 8)
    assert "eligibility.view" in held(world, world.finn, clock.now() + 9 * DAY), "as the preview said"


def test_domain_6_what_a_practice_does_not_hold_or_the_person_may_not_stays_out_and_is_named(world: World) -> None:
    with transaction(world.database) as db:
        small = practice(db, "Small Office", "11-1111111", participates=False)
        sue = person(db, world, "sue", "Sue Hart", small)
        bundles.assign(
            db, account_id=sue, provider_id=small, line=LINE, bundle="front_desk", by="operator", reason="set up"
        )
        found = versions.impact(db, "front_desk", [*DESK, "fee.view"], provider_id=small)
    assert [(a.account_id, a.gains, a.stays_out) for a in found.affected] == [(sue, (), ("fee.view",))]


@pytest.mark.parametrize("extra", ["eft.manage", "access.manage", "delegation.approve", "audit.search", "no.such"])
def test_security_64_money_authority_and_staff_functions_are_in_no_job(world: World, extra: str) -> None:
    with pytest.raises(Invalid):
        publish(world, [*DESK, extra])


def test_domain_6_one_version_waits_at_a_time_and_a_stale_preview_publishes_nothing(world: World) -> None:
    publish(world, DESK[:3])
    for seen in (1, 2):
        with pytest.raises(Conflict):
            publish(world, DESK[:2], seen=seen)
    with transaction(world.database) as db:
        versions.withdraw(db, "front_desk", by="acc_staff")
    publish(world, DESK[:2], seen=2)
    later(world, 8)
    assert held(world, world.finn, clock.now() + 9 * DAY) == set(DESK[:2])
    with pytest.raises(Invalid), transaction(world.database) as db:
        versions.publish(db, "wam", ["remit.view"], seen=1, effective_at=clock.now() + DAY, reason="x", by="acc_s")


def change(world: World, key: str, **wanted: Any) -> None:
    with transaction(world.database) as db:
        facts = functions.facts(functions.find(db, key)) | wanted
        functions.publish(db, key, facts, effective_at=clock.now() + DAY, reason="policy", by="acc_staff")


def test_domain_5_a_function_s_new_version_previews_who_loses_it_and_counts_from_its_day(world: World) -> None:
    with transaction(world.database) as db:
        small = practice(db, "Small Office", "11-1111111", participates=False)
        sue = person(db, world, "sue", "Sue Hart", small)
        bundles.assign(
            db, account_id=sue, provider_id=small, line=LINE, bundle="front_desk", by="operator", reason="set up"
        )
        found = functions.impact(db, "idcard.view", {"non_participating": False})
        assert [(a.account_id, a.loses) for a in found.affected] == [(sue, ("idcard.view",))]
        assert functions.impact(db, "idcard.view", {"fresh": True}).affected[0].note
    ask = {"account_id": sue, "entitlement": "idcard.view", "provider_id": small, "app": OURSELVES, "line": LINE}
    change(world, "idcard.view", non_participating=False)
    before = clock.now()
    assert answer(world, **ask) != "organisation_not_granted"
    with freeze_time(before + 2 * DAY):
        job.run(world.database)
        assert answer(world, **ask) == "organisation_not_granted"
        assert answer(world, **ask, at=before + timedelta(hours=1)) != "organisation_not_granted"


def answer(world: World, **ask: Any) -> str | None:
    with transaction(world.database) as db:
        return asking.decide_in_session(db, Question(**ask)).reason


def test_security_64_no_version_weakens_what_moves_money_or_gives_access(world: World) -> None:
    for key, weaker in (
        ("eft.manage", {"fresh": False}),
        ("access.manage", {"ial": 1}),
        ("eft.manage", {"sensitivity": 2}),
    ):
        with pytest.raises(Invalid):
            change(world, key, **weaker)
    with pytest.raises(Invalid):
        change(world, "claim.status.view", purposes=[])
    with pytest.raises(Invalid):
        change(world, "idcard.view")
    change(world, "idcard.view", name="Member card")
    with pytest.raises(Conflict):
        change(world, "idcard.view", name="Card")
