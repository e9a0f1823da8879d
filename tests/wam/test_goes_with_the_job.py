"""W-4: the check page says "goes with the job from now on" of what then does, and of nothing else."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from idp import clock
from idp.database import transaction
from idp.entitlements.duty_tables import DutyException
from idp.entitlements.tables import Assignment, BundleItem, Grant
from idp.errors import Invalid
from idp.wam import granting
from idp.wam.difference import Difference, Line
from tests.wam import acts
from tests.wam.world import LINE, World

EFT, DATA = "eft.manage", "demographics.update"


def job_has(world: World, *keys: str) -> None:
    """Let the job of the front desk have more, as a version of the insurer may."""
    with transaction(world.database) as db:
        [version] = db.execute(text("SELECT max(version) FROM bundle WHERE key = 'front_desk'")).scalars()
        db.add_all(BundleItem(bundle="front_desk", version=version, entitlement=key) for key in keys)


def held_on_their_own(world: World, who: str, *keys: str) -> None:
    with transaction(world.database) as db:
        for key in keys:
            acts.give(db, world, who, key)


def given(world: World, who: str, functions: tuple[str, ...] = ()) -> Difference:
    """Give the job of the front desk without an end; return what the check page showed before."""
    about = {"by": world.wes, "provider_id": world.lakeside, "account_id": world.people[who], "line": LINE}
    with transaction(world.database) as db:
        wish, _ = granting.wish(
            db, world.lakeside, LINE, functions=list(functions), bundle="front_desk", starts_at=None, ends_at=None
        )
        shown = granting.preview(db, **about, wish=wish)
        granting.apply(db, **about, wish=wish, seen=shown.seen, reason="the job", form_id="form-the-job")
    return shown.difference


def of_the_job(world: World, who: str) -> set[str]:
    """What a person has that goes with a job they have."""
    with transaction(world.database) as db:
        rows = db.exec(
            select(Grant.entitlement)
            .join(Assignment, col(Assignment.id) == col(Grant.assignment_id))
            .where(
                col(Grant.account_id) == world.people[who],
                col(Grant.ended_at).is_(None),
                col(Assignment.ended_at).is_(None),
            )
        )
        return set(rows.all())


def keys(lines: Iterable[Line]) -> set[str]:
    return {line.key for line in lines}


def test_w4_what_two_managers_gave_goes_with_the_job_as_it_is_without_a_third_word(world: World) -> None:
    job_has(world, EFT)
    held_on_their_own(world, "finn", EFT)
    shown = given(world, "finn")
    assert EFT in keys(shown.joined)
    assert keys(shown.joined) <= of_the_job(world, "finn")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w4_what_may_no_longer_be_given_to_this_person_stays_on_its_own_and_the_page_says_so(world: World) -> None:
    job_has(world, EFT)
    held_on_their_own(world, "ana", EFT)  # whose identity is not proven to the level this asks for
    shown = given(world, "ana")
    assert EFT in keys(shown.stay)
    assert EFT not in keys(shown.joined)
    assert EFT not in of_the_job(world, "ana")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w4_what_only_clashed_with_what_this_change_takes_goes_with_the_job(world: World) -> None:
    job_has(world, DATA)
    held_on_their_own(world, "finn", DATA, EFT)
    shown = given(world, "finn")
    assert EFT in keys(shown.removed)
    assert DATA in keys(shown.joined)
    assert keys(shown.joined) <= of_the_job(world, "finn")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w4_nothing_is_shown_to_join_that_an_exception_allows_for_less_time(world: World) -> None:
    """Both are kept, the exception ends; what has no end can't be given anew beside the other."""
    job_has(world, DATA)
    held_on_their_own(world, "finn", DATA, EFT)
    with transaction(world.database) as db:
        [pair] = db.execute(
            text("SELECT id FROM duty_conflict WHERE first = :f AND second = :s"), {"f": DATA, "s": EFT}
        ).scalars()
    with transaction(world.database) as db:
        db.add(
            DutyException(
                conflict_id=pair,
                account_id=world.finn,
                provider_id=world.lakeside,
                line=LINE,
                reason="one month",
                asked_by="acc_staff",
                confirmed_by="acc_other",
                confirmed_at=clock.now(),
                ends_at=clock.now() + timedelta(days=30),
            )
        )
    with pytest.raises(Invalid, match="Nothing would change"):
        given(world, "finn", (EFT,))
    shown = given(world, "finn", (EFT, "claim.status.view"))
    assert DATA in keys(shown.stay)
    assert DATA not in of_the_job(world, "finn")
