"""Functions of a job that somebody holds on their own do not move with it; whom a version leaves so is told (T-09)."""

import pytest
from freezegun import freeze_time

from idp import clock
from idp.accounts.tables import Contact
from idp.catalogue import bundles as versions
from idp.catalogue import telling
from idp.database import transaction
from idp.entitlements import bundles
from idp.jobs import catalogue as job
from idp.wam import granting
from tests.catalogue.test_taken_from_a_job import change, remove_one
from tests.catalogue.test_versions import DAY, DESK, held
from tests.flows.managing import Managed, managed
from tests.wam import acts
from tests.wam.world import FILLING, LINE, World

__all__ = ["managed"]
WANTED = [key for key in DESK if key != "estimate.view"] + ["claim.attach"]


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> object:
    return FILLING


def publish(world: World) -> None:
    with transaction(world.database) as db:
        seen = bundles.find(db, "front_desk").version
        versions.publish(
            db, "front_desk", WANTED, seen=seen, effective_at=clock.now() + 2 * DAY, reason="new work", by="acc_staff"
        )


def told(world: World) -> list[tuple[str, ...]]:
    """What the preview says of Finn: who is apart, what he keeps, and what he does not get."""
    with transaction(world.database) as db:
        found = versions.impact(db, "front_desk", WANTED, provider_id=world.lakeside)
        assert (found.gain, found.lose) == (0, 0)
        return [(*one.keeps, "|", *one.misses) for one in found.affected if one.apart]


@pytest.mark.parametrize("road", ["function removed", "job changed"])
def test_w3_a_preview_counts_whom_a_version_does_not_move_and_what_they_keep_or_miss(world: World, road: str) -> None:
    if road == "function removed":
        remove_one(world)
        assert told(world) == [("estimate.view", "|", "claim.attach")]
    else:
        change(world, ["estimate.view"], bundle="biller")  # the function goes on by itself
        assert told(world) == [("estimate.view", "|")]
    publish(world)
    before = held(world, world.finn, clock.now())
    with freeze_time(clock.now() + 3 * DAY):
        job.run(world.database)
        assert held(world, world.finn, clock.now()) == before, "nothing is taken or given by itself"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w3_who_has_the_whole_job_again_or_lost_all_of_it_is_not_apart(world: World) -> None:
    assert told_of_none(world)
    remove_one(world)
    change(world, list(DESK), bundle="front_desk")
    with transaction(world.database) as db:
        found = versions.impact(db, "front_desk", WANTED, provider_id=world.lakeside)
        assert [(one.apart, one.gains, one.loses + one.idle) for one in found.affected] == [
            (False, ("claim.attach",), ("estimate.view",))
        ]
    acts.remove(world, world.wes, world.finn)
    with transaction(world.database) as db:
        assert versions.impact(db, "front_desk", WANTED, provider_id=world.lakeside).affected == ()


def told_of_none(world: World) -> bool:
    with transaction(world.database) as db:
        return not any(one.apart for one in versions.impact(db, "front_desk", WANTED).affected)


def test_w3_managers_are_told_before_see_it_on_jobs_and_are_offered_it_on_the_person_s_page(managed: Managed) -> None:
    world = managed.world
    with transaction(world.database) as db:
        db.add(Contact(account_id=world.wes, email="wes@mail.example"))
    remove_one(world)  # nobody of Lakeside has the job as a whole
    publish(world)
    with transaction(world.database) as db:
        telling.tell(db)
    mine = "SELECT count(*) FROM outbox WHERE template = 'version_coming' AND account_id = :a"
    assert managed.one(mine, a=world.wes) == 1
    wes = managed.as_("wes").get(f"{managed.here}/jobs")
    assert "Keeps on their own" in wes.text
    assert "Does not get" in wes.text
    with freeze_time(clock.now() + 3 * DAY):
        job.run(world.database)
        wes = managed.as_("wes").get(f"{managed.here}/people/{world.finn}")
        assert "Front desk changed since" in wes.text
        wes.click("Give Front desk as it is now")
        assert "bundle=front_desk" in wes.url
        wes.get(wes.url.replace("/change", "/change/check") + "&end=none" + "".join(f"&f={key}" for key in WANTED[1:3]))
        assert "goes with the job from now on" in wes.text
        wes.submit("Confirm", reason="the job again")
        assert held(world, world.finn, clock.now()) == set(WANTED)
        assert "Front desk changed since" not in wes.get(f"{managed.here}/people/{world.finn}").text
        with transaction(world.database) as db:
            found = versions.impact(db, "front_desk", DESK[:1], provider_id=world.lakeside).affected
            assert [(one.apart, set(one.loses)) for one in found] == [(False, set(WANTED) - set(DESK[:1]))]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w4_a_job_whose_new_version_began_between_check_and_confirm_is_not_given_unseen(world: World) -> None:
    about = {"by": world.wes, "provider_id": world.lakeside, "account_id": world.ana, "line": LINE}
    with transaction(world.database) as db:
        wish, _ = granting.wish(
            db, world.lakeside, LINE, functions=[], bundle="front_desk", starts_at=None, ends_at=None
        )
        shown = granting.preview(db, **about, wish=wish).seen
    publish(world)
    with freeze_time(clock.now() + 3 * DAY):
        job.run(world.database)
        with transaction(world.database) as db:
            wish, _ = granting.wish(
                db, world.lakeside, LINE, functions=[], bundle="front_desk", starts_at=None, ends_at=None
            )
            with pytest.raises(granting.ChangedMeanwhile):
                granting.apply(db, **about, wish=wish, seen=shown, reason="new", form_id="form-version-begun")
            again = granting.preview(db, **about, wish=wish).seen
            granting.apply(db, **about, wish=wish, seen=again, reason="new", form_id="form-version-seen")
        assert held(world, world.ana, clock.now()) >= set(WANTED)
