"""Who manages access meanwhile is nobody who wants it, works at the desk or is under a case; and only for a while."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.casework import interim
from idp.database import reading, transaction
from idp.errors import Invalid
from idp.providers import affiliations
from idp.wam import appointments
from tests.cases.test_deciding import appointment, confirm, one, want
from tests.cases.test_opening import opened
from tests.cases.test_second_person import merged
from tests.wam.world import LINE, World

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def proven(world: World, *names: str) -> None:
    """Let people work for Harbor with a proven identity."""
    with transaction(world.database) as db:
        for name in names:
            who = world.people[name]
            db.execute(text("UPDATE account SET ial = 2 WHERE id = :a"), {"a": who})
            if name != "hana":  # works there already
                affiliations.approve(db, account_id=who, provider_id=world.harbor, by="operator")


def test_security_64_neither_who_asks_nor_who_confirms_nor_any_of_the_desk_is_the_interim_manager(
    world: World,
) -> None:
    proven(world, "sam", "sue", "kim", "hana")
    case_id, target = opened(world, "otto"), appointment(world, "otto")
    for of_the_desk in ("sam", "sue", "kim"):  # asks, confirms, has nothing to do with it
        with pytest.raises(Invalid):
            want(world, case_id, "end_manager", target, world.people[of_the_desk])
    action = want(world, case_id, "end_manager", target, world.hana)
    with transaction(world.database) as db:  # as an older version kept it
        db.execute(text("UPDATE case_action SET interim_id = :a"), {"a": world.sue})
    with pytest.raises(Invalid, match="Nobody who wants this"):
        confirm(world, action, "sue")
    with reading(world.database) as db:
        assert [interim.managed(db, world.people[name]) for name in ("sam", "sue", "kim")] == [[], [], []]
        assert interim.managed(db, world.otto)


@pytest.mark.parametrize("under", ["own", "merged"])
def test_security_64_who_is_under_an_open_case_is_not_the_interim_manager(world: World, under: str) -> None:
    proven(world, "hana")
    case_id, target = opened(world, "otto"), appointment(world, "otto")
    action = want(world, case_id, "end_manager", target, world.hana)
    opened(world, "hana" if under == "own" else "ana")
    if under == "merged":
        merged(world, "hana", "ana")
    for act in (lambda: confirm(world, action, "sue"), lambda: want(world, case_id, "suspend", "", world.hana)):
        with pytest.raises(Invalid, match="under no case"):
            act()
    with reading(world.database) as db:
        assert not interim.managed(db, world.hana)


def test_domain_2_7_an_interim_manager_holds_the_role_for_30_days_at_the_longest(world: World) -> None:
    proven(world, "hana")
    now = clock.now()
    with freeze_time(now):
        action = want(world, opened(world, "otto"), "end_manager", appointment(world, "otto"), world.hana)
        confirm(world, action, "sue")
    for later, able in ((timedelta(days=30) - timedelta(seconds=1), {world.hana}), (timedelta(days=30), set())):
        with freeze_time(now + later), reading(world.database) as db:
            assert appointments.able(db, world.harbor, LINE) == able
    facts = one(world, "SELECT facts FROM outbox WHERE template = 'case_interim'")
    assert "until" in facts
