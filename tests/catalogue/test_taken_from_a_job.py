"""What was taken from somebody who has a job comes back by nothing but a new decision to give it (T-09, W-3)."""

from pathlib import Path

import pytest
from freezegun import freeze_time
from sqlmodel import select

from idp import clock
from idp.apply.export import export
from idp.apply.run import apply_file
from idp.catalogue import bundles as versions
from idp.database import transaction
from idp.entitlements import bundles, grants
from idp.entitlements.tables import Assignment
from idp.jobs import catalogue as job
from idp.wam import granting, removing
from tests.catalogue.test_versions import DAY, DESK, held
from tests.wam.world import LINE, World

KEPT = DESK[1:]


def change(world: World, functions: list[str], bundle: str | None = None) -> None:
    with transaction(world.database) as db:
        wish, lacking = granting.wish(
            db, world.lakeside, LINE, functions=functions, bundle=bundle, starts_at=None, ends_at=None
        )
        about = {"by": world.wes, "provider_id": world.lakeside, "account_id": world.finn, "line": LINE}
        seen = granting.preview(db, **about, wish=wish, lacking=lacking).seen  # type: ignore[arg-type]
        granting.apply(db, **about, wish=wish, seen=seen, reason="new work", form_id="form-change-01")  # type: ignore[arg-type]


def remove_one(world: World) -> None:
    with transaction(world.database) as db:
        removing.remove(
            db,
            by=world.wes,
            provider_id=world.lakeside,
            account_id=world.finn,
            function=DESK[0],
            lines=[LINE],
            reason="misuse",
            form_id="form-remove-01",
        )


def next_version(world: World) -> set[str]:
    """Publish a version with one function less and one more; return what Finn has the day after it counts."""
    wanted = [key for key in DESK if key != "message.send"] + ["claim.attach"]
    with transaction(world.database) as db:
        now = bundles.find(db, "front_desk").version
        versions.publish(
            db, "front_desk", wanted, seen=now, effective_at=clock.now() + 2 * DAY, reason="new work", by="acc_staff"
        )
    with freeze_time(clock.now() + 3 * DAY):
        job.run(world.database)
    return held(world, world.finn, clock.now() + 4 * DAY)


def has_job(world: World) -> bool:
    with transaction(world.database) as db:
        jobs = db.exec(select(Assignment).where(Assignment.account_id == world.finn)).all()
        return any(one.ended_at is None and one.bundle == "front_desk" for one in jobs)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("road", ["removed", "changed", "before_jobs_ended_too"])
def test_t_09_a_new_version_of_a_job_gives_nothing_back_that_was_taken(world: World, road: str) -> None:
    assert held(world, world.finn, clock.now()) == set(DESK)
    if road == "removed":
        remove_one(world)
    elif road == "changed":
        change(world, KEPT)
    else:  # as databases hold it that are older than this rule
        with transaction(world.database) as db:
            for row in grants.live(db, world.finn, world.lakeside, clock.now()):
                if row.entitlement == DESK[0]:
                    grants.end(db, row, by=world.wes, reason="misuse", of_job=True)
    after = next_version(world)
    assert DESK[0] not in after
    if road != "before_jobs_ended_too":
        assert not has_job(world)
        assert after == set(KEPT), "what is left stands by itself"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_t_09_a_new_version_gives_nothing_to_whoever_lost_all_of_the_job(world: World) -> None:
    change(world, [])
    assert held(world, world.finn, clock.now()) == set()
    assert next_version(world) == set()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_t_09_nor_to_somebody_all_of_whose_job_was_taken_before_jobs_ended_with_it(world: World) -> None:
    with transaction(world.database) as db:
        for row in grants.live(db, world.finn, world.lakeside, clock.now()):
            grants.end(db, row, by=world.wes, reason="misuse", of_job=True)
    assert has_job(world)
    assert next_version(world) == set()
    assert not has_job(world)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_t_09_who_is_given_another_job_has_the_one_before_no_longer(world: World) -> None:
    change(world, [], bundle="biller")
    assert not has_job(world)
    assert "claim.attach" not in next_version(world) - held(world, world.finn, clock.now())


def test_operations_a_world_s_own_export_gives_nothing_back(world: World, tmp_path: Path) -> None:
    written = tmp_path / "exported.yaml"

    def kept_as_it_is() -> None:
        before = {who: held(world, world.people[who], clock.now()) for who in ("finn", "ana", "hana")}
        written.write_text(export(world.database))
        found = apply_file(world.database, written)
        assert [str(one) for one in found.changes if one.kind != "kept"] == []
        assert {who: held(world, world.people[who], clock.now()) for who in before} == before

    kept_as_it_is()
    remove_one(world)
    kept_as_it_is()
    change(world, [])
    kept_as_it_is()
    with transaction(world.database) as db:  # as older databases hold it
        made, _ = bundles.assign(
            db,
            account_id=world.finn,
            provider_id=world.lakeside,
            line=LINE,
            bundle="front_desk",
            by="operator",
            reason="again",
        )
        for row in grants.live(db, world.finn, world.lakeside, clock.now()):
            grants.end(db, row, by=world.wes, reason="misuse", of_job=True)
        assert made.ended_at is None
    kept_as_it_is()
