"""A pause the security desk wants is ended by the desk alone, whatever a practice's managers do meanwhile (SE-3)."""

import pytest

from idp.cases.tables import CaseAction, SecurityCase
from idp.casework.acting import Wish
from idp.casework.doing import KINDS
from idp.database import reading, transaction
from idp.entitlements import asking, grant_rows, grants, pauses
from idp.entitlements.decision import OURSELVES, Question
from idp.errors import Conflict
from idp.leaving import people
from idp.wam import granting, leave, removing
from tests.cases.test_deciding import SHARED, decide, want
from tests.cases.test_opening import opened
from tests.wam import acts
from tests.wam.world import LINE, World


def answer(world: World, function: str, who: str = "finn") -> str:
    with reading(world.database) as db:
        asked = Question(world.people[who], function, world.lakeside, OURSELVES, line=LINE, assume_authenticated=True)
        given = asking.decide_in_session(db, asked)
        return given.reason or given.outcome


def held(world: World, who: str = "finn") -> list[str]:
    with reading(world.database) as db:
        rows = grant_rows.not_ended(db, world.people[who], world.lakeside)
        return sorted({row.entitlement for row in rows if row.effect == "allow"})


def give(world: World, functions: list[str], form: str, who: str = "finn") -> None:
    with transaction(world.database) as db:
        wish, lacking = granting.wish(
            db, world.lakeside, LINE, functions=functions, bundle=None, starts_at=None, ends_at=None
        )
        about = {"by": world.wes, "provider_id": world.lakeside, "account_id": world.people[who], "line": LINE}
        seen = granting.preview(db, **about, wish=wish, lacking=lacking).seen  # type: ignore[arg-type]
        granting.apply(db, **about, wish=wish, seen=seen, reason="new work", form_id=form)  # type: ignore[arg-type]


def remove(world: World, function: str | None, form: str, who: str = "finn") -> None:
    with transaction(world.database) as db:
        removing.remove(
            db,
            by=world.wes,
            provider_id=world.lakeside,
            account_id=world.people[who],
            function=function,
            lines=[LINE],
            reason="role_change",
            form_id=form,
        )


def paused(world: World) -> tuple[str, list[str], str]:
    """Pause Finn's access; return the case, what was held, and one function of it that decides yes before."""
    before = held(world)
    function = next(key for key in before if answer(world, key) == "permit")
    case_id = opened(world, "finn")
    want(world, case_id, "pause_access", world.lakeside)
    assert answer(world, function) == "grant_suspended"
    return case_id, before, function


def test_se_3_a_manager_does_not_lift_the_desks_pause_by_removing_and_giving_again(world: World) -> None:
    _, before, function = paused(world)
    remove(world, function, "form-remove-1")
    give(world, before, "form-give-0001")
    assert function in held(world)
    assert answer(world, function) == "grant_suspended"


def test_se_3_nor_by_letting_the_person_go_and_come_back(world: World) -> None:
    _, before, function = paused(world)
    with transaction(world.database) as db:
        people.leave(db, world.finn, world.lakeside, reason="left", by=world.wes)
        grants.grant(
            db,
            account_id=world.finn,
            provider_id=world.lakeside,
            line=LINE,
            entitlement=function,
            by="operator",
            reason="is back",
        )
        assert {row.entitlement for row in pauses.desk_pauses(db, world.finn)} >= {function}
    assert before


def test_se_3_what_a_paused_person_is_given_rests_too(world: World) -> None:
    _, before, _ = paused(world)
    new = next(key for key in ("remit.view", "claim.status.view", "prior_auth.status.view") if key not in before)
    give(world, [*before, new], "form-give-0002")
    assert answer(world, new) == "grant_suspended"


def test_se_3_somebody_who_is_away_is_paused_beyond_their_return(world: World) -> None:
    before = held(world)
    function = next(key for key in before if answer(world, key) == "permit")
    with transaction(world.database) as db:
        acts.away(db, world, "finn")
    case_id = opened(world, "finn")
    want(world, case_id, "pause_access", world.lakeside)
    with transaction(world.database) as db:
        leave.back(db, by=world.wes, provider_id=world.lakeside, account_id=world.finn)
    assert answer(world, function) == "grant_suspended"


def test_se_3_the_desk_gives_back_what_it_paused(world: World) -> None:
    case_id, _, function = paused(world)
    decide(world, case_id, SHARED, Wish("resume_access", world.lakeside))
    assert answer(world, function) == "permit"
    with pytest.raises(Conflict, match="Nothing of this person"), transaction(world.database) as db:
        case = db.get_one(SecurityCase, case_id)
        KINDS["resume_access"].do(db, case, CaseAction(case_id=case_id, target=world.lakeside), world.sam)
