"""Separation of duties as data: pairs, exceptions with an end and two people, and what they mean for a grant."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session as Db

from idp import clock
from idp.accounts.tables import Contact
from idp.catalogue import exceptions
from idp.database import transaction
from idp.entitlements import duties, grants
from idp.entitlements.duty_tables import DutyException
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.wam import appointments, granting
from tests.wam.world import LINE, World

DAY = timedelta(days=1)
STAFF, OTHER = "acc_staff", "acc_other_staff"


def pair(db: Db, one: str = "demographics.update", other: str = "eft.manage") -> str:
    return next(row.id for row in duties.pairs(db) if {row.first, row.second} == {one, other})


def excused(db: Db, world: World, who: str, *, days: int = 30) -> DutyException:
    made = exceptions.ask(
        db,
        pair_id=pair(db),
        account_id=who,
        provider_id=world.lakeside,
        line=LINE,
        reason="two people are ill",
        ends_at=clock.now() + days * DAY,
        by=STAFF,
    )
    exceptions.confirm(db, made, by=OTHER)
    return made


def give(db: Db, world: World, key: str, *, days: int | None = None) -> None:
    grants.grant(
        db,
        account_id=world.finn,
        provider_id=world.lakeside,
        line=LINE,
        entitlement=key,
        by=world.wes,
        confirmed_by=world.mia,
        reason="needs it",
        expires_at=clock.now() + days * DAY if days else None,
    )


def preview(db: Db, world: World, functions: Sequence[str], *, days: int | None) -> granting.Preview:
    wish, _ = granting.wish(
        db,
        world.lakeside,
        LINE,
        functions=list(functions),
        bundle=None,
        starts_at=None,
        ends_at=clock.now() + days * DAY if days else None,
    )
    return granting.preview(db, by=world.wes, provider_id=world.lakeside, account_id=world.finn, line=LINE, wish=wish)


def test_domain_6_a_pair_added_as_a_row_is_refused_at_the_next_grant_and_shown_in_the_preview(world: World) -> None:
    with transaction(world.database) as db:
        exceptions.add_pair(db, "remit.view", "claim.submit", why="Who bills does not post payments.", by=STAFF)
        give(db, world, "remit.view")
    with pytest.raises(NotEntitled, match="can't be in one person's hands"), transaction(world.database) as db:
        give(db, world, "claim.submit")
    with transaction(world.database) as db:
        shown = preview(db, world, ["remit.view", "claim.submit"], days=10).difference
        assert [c.why for c in shown.conflicts] == ["Who bills does not post payments."]
        exceptions.end_pair(db, pair(db, "remit.view", "claim.submit"), by=STAFF)
    with transaction(world.database) as db:
        give(db, world, "claim.submit")


def test_domain_6_an_exception_of_two_people_allows_the_pair_until_its_day_and_no_longer(world: World) -> None:
    with transaction(world.database) as db:
        give(db, world, "demographics.update")
        excused(db, world, world.finn, days=30)
    for days in (None, 31):
        with pytest.raises(NotEntitled), transaction(world.database) as db:
            give(db, world, "eft.manage", days=days)
    with transaction(world.database) as db:
        shown = preview(db, world, ["demographics.update", "eft.manage"], days=29).difference
        assert (len(shown.conflicts), len(shown.excepted)) == (0, 1)
        assert preview(db, world, ["demographics.update", "eft.manage"], days=None).difference.conflicts
        give(db, world, "eft.manage", days=29)


def test_domain_6_one_word_is_no_exception_and_neither_is_one_s_own(world: World) -> None:
    with transaction(world.database) as db:
        give(db, world, "demographics.update")
        asked = exceptions.ask(
            db, pair_id=pair(db), account_id=world.finn, provider_id=world.lakeside, line=LINE,
            reason="ill", ends_at=clock.now() + 9 * DAY, by=STAFF,
        )  # fmt: skip
        for one in (STAFF, world.finn):
            with pytest.raises(NotEntitled):
                exceptions.confirm(db, asked, by=one)
        with pytest.raises(NotEntitled):
            exceptions.ask(
                db, pair_id=pair(db), account_id=world.finn, provider_id=world.lakeside, line=LINE,
                reason="me", ends_at=clock.now() + DAY, by=world.finn,
            )  # fmt: skip
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        give(db, world, "eft.manage", days=5)
    with transaction(world.database) as db:
        made = exceptions.find(db, asked.id)
        exceptions.confirm(db, made, by=OTHER)
        with pytest.raises(Conflict):
            exceptions.confirm(db, made, by="acc_third")
        exceptions.end(db, made, by=STAFF)
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        give(db, world, "eft.manage", days=5)


def test_domain_6_an_exception_names_a_person_of_the_place_a_reason_and_an_end_within_a_year(world: World) -> None:
    with transaction(world.database) as db:
        facts = {"pair_id": pair(db), "line": LINE, "by": STAFF, "reason": "ill", "ends_at": clock.now() + DAY}
        with pytest.raises(NotFound):
            exceptions.ask(db, account_id=world.hana, provider_id=world.lakeside, **facts)
        for wrong in ({"reason": " "}, {"ends_at": clock.now() + 400 * DAY}, {"ends_at": clock.now()}, {"line": "x"}):
            with pytest.raises(Invalid):
                exceptions.ask(db, account_id=world.finn, provider_id=world.lakeside, **{**facts, **wrong})


def test_domain_6_a_second_appointment_road_to_the_pair_is_closed_too(world: World) -> None:
    with transaction(world.database) as db:
        give(db, world, "eft.manage")
    with pytest.raises(Conflict, match="can't be an access manager"), transaction(world.database) as db:
        appointments.appoint(db, account_id=world.finn, provider_id=world.lakeside, by="operator", verified_by="x")


def test_domain_6_taking_an_exception_back_ends_what_was_given_by_it_and_only_that(world: World) -> None:
    with transaction(world.database) as db:
        db.add(Contact(account_id=world.mia, email="mia@lakeside.example", verified_at=clock.now()))
        give(db, world, "demographics.update")
        made = excused(db, world, world.finn)
        give(db, world, "eft.manage", days=20)
    with transaction(world.database) as db:
        exceptions.end(db, exceptions.find(db, made.id), by=STAFF)
    with transaction(world.database) as db:
        held = {g.entitlement for g in grants.live(db, world.finn, world.lakeside, clock.now())}
        assert "demographics.update" in held
        assert "eft.manage" not in held
        told = db.execute(text("SELECT count(*) FROM outbox WHERE template = 'duty_exception_over'")).scalar_one()
        assert told == 1
        one, two = excused(db, world, world.finn), excused(db, world, world.finn, days=60)
        give(db, world, "eft.manage", days=20)
    with transaction(world.database) as db:
        exceptions.end(db, exceptions.find(db, one.id), by=STAFF)
        kept = {g.entitlement for g in grants.live(db, world.finn, world.lakeside, clock.now())}
        assert "eft.manage" in kept, "another exception allows it"
        exceptions.end(db, exceptions.find(db, two.id), by=STAFF)
        left = {g.entitlement for g in grants.live(db, world.finn, world.lakeside, clock.now())}
        assert "eft.manage" not in left
