"""Who manages access meanwhile is nobody who wants it, works at the desk or is under a case; and only for a while."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts.tables import Contact
from idp.casework import clocks, interim
from idp.database import reading, transaction
from idp.entitlements import asking, grants
from idp.entitlements.question import OURSELVES, Question
from idp.errors import Invalid
from idp.jobs import expiries
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.wam import appointments
from tests.cases.test_deciding import appointment, confirm, one, want
from tests.cases.test_opening import opened
from tests.cases.test_second_person import merged
from tests.wam.world import LINE, World, person

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


def insurers(world: World, name: str = "ina") -> str:
    """Let somebody of the insurer confirm access managers, with a proven identity."""
    with transaction(world.database) as db:
        insurer = db.execute(text("SELECT id FROM provider WHERE kind = 'insurer'")).scalar()
        who = person(db, world, name, "Ina Voss", insurer, ial=2)
        db.add(Contact(account_id=who, email="ina@mail.example"))
        place = {"account_id": who, "provider_id": insurer, "line": LINE}
        grants.grant(db, entitlement="wam.verify", by="operator", reason="staff", **place)
    return who


def test_domain_2_7_one_of_the_insurer_manages_several_practices_meanwhile_and_only_meanwhile(world: World) -> None:
    ina = insurers(world)
    with transaction(world.database) as db:  # Otto alone manages both; nobody of both practices could
        affiliations.approve(db, account_id=world.otto, provider_id=world.lakeside, by="operator")
        appointments.appoint(db, account_id=world.otto, provider_id=world.lakeside, by="operator", verified_by="claim")
        for row in [one for who in (world.wes, world.mia) for one in interim.managed(db, who)]:
            appointments.end(db, row, by="operator", reason="left")
    case_id, now = opened(world, "otto"), clock.now()
    with freeze_time(now):
        action = want(world, case_id, "close", "", ina)
        confirm(world, action, "sue")
        with reading(world.database) as db:
            assert appointments.able(db, world.harbor, LINE) == appointments.able(db, world.lakeside, LINE) == {ina}
        for place in (world.harbor, world.lakeside):  # the decision says so too, not the appointment alone
            assert may_manage(world, ina, place)
    with freeze_time(now + timedelta(days=31)):
        expiries.run(world.database)
        assert not may_manage(world, ina, world.harbor)
        with reading(world.database) as db:
            assert affiliations.live(db, ina, world.harbor) is None


def may_manage(world: World, account_id: str, provider_id: str) -> bool:
    with reading(world.database) as db:
        asked = Question(
            account_id=account_id,
            entitlement="access.manage",
            provider_id=provider_id,
            app=OURSELVES,
            assume_authenticated=True,
        )
        answer = asking.decide_in_session(db, asked)
    return answer.allowed or answer.reason in ("terms_required", "eligibility_ceased")


def test_domain_2_7_an_interim_manager_is_warned_and_no_practice_is_left_bare_by_the_end(world: World) -> None:
    proven(world, "hana")
    ina, now = insurers(world), clock.now()
    with freeze_time(now):
        confirm(world, want(world, opened(world, "otto"), "end_manager", appointment(world, "otto"), world.hana), "sue")

    def mails(template: str) -> set[str]:
        with reading(world.database) as db:
            found = db.execute(text("SELECT account_id FROM outbox WHERE template = :t"), {"t": template})
            return set(found.scalars())

    for days, warned in ((22, 0), (23, 1), (24, 1), (29, 2), (29.5, 2)):
        with freeze_time(now + timedelta(days=days)):
            clocks.run(world.database)
            count = one(world, "SELECT count(*) FROM outbox WHERE template = 'case_interim_ends'")
            assert count == warned, days
    assert mails("case_interim_ends") == {world.hana}
    assert {ina, world.sam, world.sue, world.kim} <= mails("case_interim_bare")
    with freeze_time(now + timedelta(days=30, hours=1)), reading(world.database) as db:
        assert appointments.able(db, world.harbor, LINE) == {world.hana}, "nobody else: a week more"
    with freeze_time(now + timedelta(days=31)), transaction(world.database) as db:
        affiliations.approve(db, account_id=world.mia, provider_id=world.harbor, by="operator")
        appointments.appoint(db, account_id=world.mia, provider_id=world.harbor, by="operator", verified_by="claim")
    for days in (31, 36.5, 38):
        with freeze_time(now + timedelta(days=days)):
            clocks.run(world.database)
    with freeze_time(now + timedelta(days=38)), reading(world.database) as db:
        assert appointments.able(db, world.harbor, LINE) == {world.mia}, "the practice's own has taken over"


def test_domain_2_7_work_approved_for_interim_roles_lasts_as_long_as_the_last_of_them(world: World) -> None:
    """Somebody of the insurer takes a second line of the practice on ten days after the first."""
    ina, now = insurers(world), clock.now()
    for days, line in ((0, LINE), (10, "dental")):
        with freeze_time(now + timedelta(days=days)), transaction(world.database) as db:
            left = interim.Left(db.get_one(Provider, world.harbor), line, ())
            interim.appoint(db, [left], ina, by=world.sam, case_id=line)
    for days in (29.5, 31, 39.5, 41):  # Otto manages the first line; of the second nobody else could
        with freeze_time(now + timedelta(days=days)):
            clocks.run(world.database)
            expiries.run(world.database)
    with freeze_time(now + timedelta(days=41)), reading(world.database) as db:
        assert appointments.able(db, world.harbor, LINE) == {world.otto}
        assert appointments.able(db, world.harbor, "dental") == {ina}
    with transaction(world.database) as db:
        appointments.appoint(
            db, account_id=world.otto, provider_id=world.harbor, line="dental", by="operator", verified_by="claim"
        )
    for days in (46.5, 48):
        with freeze_time(now + timedelta(days=days)):
            clocks.run(world.database)
            expiries.run(world.database)
    with freeze_time(now + timedelta(days=48)), reading(world.database) as db:
        assert affiliations.live(db, ina, world.harbor) is None, "and no longer"
