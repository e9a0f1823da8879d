"""Two accounts become one while something is under way for one of them: nothing is shed, nothing sticks."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import people
from idp.database import transaction
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Absence, Grant
from idp.leaving import people as leaving
from idp.merging import access
from idp.providers import affiliations
from idp.providers.tables import Affiliation
from idp.wam import emergency, leave, requests, review_calendar, reviews
from idp.wam.tables import AccessRequest, Review
from tests.wam.acts import away, give, reason
from tests.wam.world import LINE, World

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def merged(db: Db, world: World, kept: str, closed: str) -> None:
    """What `merge.merge` does with access, both accounts being proven."""
    kept, closed = world.people[kept], world.people[closed]
    access.refuse_conflicts(db, kept=kept, closed=closed)
    leaving.close(db, closed, because="merged", by=kept, into=kept)
    access.move(db, source=closed, target=kept, by=kept, reason="merged")


def test_security_64_nobody_gives_themselves_access_by_way_of_a_second_account(world: World) -> None:
    with transaction(world.database) as db:
        give(db, world, "ana", "remit.view", by=world.wes)
        with pytest.raises(access.CannotBecomeOne, match="gave"):
            merged(db, world, "wes", "ana")
        assert reason(db, world, "wes", "remit.view") == "entitlement_not_granted"
        for row in db.exec(select(Grant).where(col(Grant.account_id) == world.ana)).all():
            grants.end(db, row, by=world.mia, reason="taken away first")
        merged(db, world, "wes", "ana")


def test_domain_7_what_a_merge_brings_rests_with_what_the_desk_paused(world: World) -> None:
    with transaction(world.database) as db:
        give(db, world, "ana", "remit.view")
        pauses.suspend(
            db, Place(world.finn, world.lakeside, LINE), ["eligibility.view"], by="operator", reason=pauses.DESK
        )
        merged(db, world, "finn", "ana")
        assert reason(db, world, "finn", "eligibility.view") == "grant_suspended"
        assert reason(db, world, "finn", "remit.view") == "grant_suspended"


def test_domain_7_what_the_desk_paused_on_the_closed_account_rests_all_of_the_kept_one(world: World) -> None:
    with transaction(world.database) as db:
        give(db, world, "ana", "remit.view")
        pauses.suspend(db, Place(world.ana, world.lakeside, LINE), ["remit.view"], by="operator", reason=pauses.DESK)
        merged(db, world, "finn", "ana")
        assert reason(db, world, "finn", "remit.view") == "grant_suspended"
        give(db, world, "finn", "report.quality")
        assert reason(db, world, "finn", "report.quality") == "grant_suspended"


def test_domain_7_a_time_away_comes_along_and_a_manager_can_end_it(world: World) -> None:
    with transaction(world.database) as db:
        give(db, world, "ana", "remit.view")
        away(db, world, "ana")
        merged(db, world, "finn", "ana")
        assert reason(db, world, "finn", "remit.view") == "grant_suspended"
        assert reason(db, world, "finn", "eligibility.view") == "grant_suspended", "one person is away as a whole"
        leave.back(db, by=world.wes, provider_id=world.lakeside, account_id=world.finn)
        assert reason(db, world, "finn", "remit.view") == "step_up_required"
        assert reason(db, world, "finn", "eligibility.view") == "step_up_required"
        assert db.exec(select(Absence).where(col(Absence.ended_at).is_(None))).all() == []


def test_w7_a_review_asks_about_the_account_that_stays_and_its_answer_lets_go_on(world: World) -> None:
    with transaction(world.database) as db:
        give(db, world, "ana", "remit.view")
        made = reviews.open_review(
            db, world.lakeside, LINE, [world.ana, world.finn], due_at=clock.now() + timedelta(seconds=1)
        )
        assert made is not None
        made.due_at = clock.now() - timedelta(seconds=1)
        db.add(made)
        reviews.answer(db, made, {world.finn: "keep"}, by=world.wes)
        review_calendar.miss(db)
        assert reason(db, world, "ana", "remit.view") == "grant_suspended"
        merged(db, world, "finn", "ana")
        review = db.exec(select(Review)).one()
        assert [i.account_id for i in reviews.to_answer(db, review)] == [world.finn]
        with pytest.raises(reviews.NotAllAnswered):
            reviews.sign(db, review, by=world.wes, word=True)
        reviews.answer(db, review, {world.finn: "keep"}, by=world.wes)
        reviews.sign(db, review, by=world.wes, word=True)
        assert reason(db, world, "finn", "remit.view") == "step_up_required"


def test_emergency_what_was_taken_in_one_ends_with_the_account_and_a_request_is_withdrawn(world: World) -> None:
    with transaction(world.database) as db:
        emergency.start(
            db, account_id=world.ana, provider_id=world.lakeside, line=LINE, reason="patient in the chair now"
        )
        requests.ask(
            db,
            account_id=world.ana,
            provider_id=world.lakeside,
            line=LINE,
            entitlement="report.financial",
            note="month end",
        )
        merged(db, world, "finn", "ana")
        mine = db.exec(select(Grant).where(col(Grant.account_id) == world.finn, col(Grant.ended_at).is_(None))).all()
        assert not [row for row in mine if row.reason.startswith("emergency")]
        assert emergency.running(db, world.ana, world.lakeside) is None
        assert db.exec(select(AccessRequest.status)).all() == ["withdrawn"]


def _tie_of_ana(db: Db, world: World) -> tuple[dict[str, Any], Affiliation]:
    """Merge ana, whose work for the practice ends in ten days, into gil, who works elsewhere; return what moved."""
    gil = people.create(db, display_name="Gil Roe", ial=2).id
    world.people["gil"] = gil
    tie = affiliations.live(db, world.ana, world.lakeside)
    assert tie is not None
    affiliations.set_end(db, tie, clock.now() + timedelta(days=10), by="operator")
    leaving.close(db, world.ana, because="merged", by=gil, into=gil)
    moved = access.move(db, source=world.ana, target=gil, by=gil, reason="merged")
    return moved, db.get_one(Affiliation, moved["affiliations"][tie.id])


def test_merge_undone_brings_back_no_work_that_somebody_ended_since(world: World) -> None:
    with transaction(world.database) as db:
        moved, carried = _tie_of_ana(db, world)
        gil = world.people["gil"]
        leaving.leave(db, gil, world.lakeside, reason="left", by=world.wes)
        access.move_back(db, moved, source=gil, target=world.ana, by="operator", reason="merge_undone")
        assert carried.ended_at is not None
        assert affiliations.live(db, world.ana, world.lakeside) is None, "removed is removed"


def test_merge_is_undone_after_work_that_was_carried_over_has_run_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(world.database) as db:
        moved, _ = _tie_of_ana(db, world)
        later = clock.now() + timedelta(days=11)
        monkeypatch.setattr(clock, "now", lambda: later)
        gil = world.people["gil"]
        access.move_back(db, moved, source=gil, target=world.ana, by="operator", reason="merge_undone")
        assert affiliations.live(db, world.ana, world.lakeside) is None
        assert affiliations.live(db, gil, world.lakeside) is None


def test_t10_work_that_has_run_out_unmarked_keeps_nobody_from_working_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(world.database) as db:
        tie = affiliations.live(db, world.finn, world.lakeside)
        assert tie is not None
        affiliations.set_end(db, tie, clock.now() + timedelta(days=1), by="operator")
        later = clock.now() + timedelta(days=2)
        monkeypatch.setattr(clock, "now", lambda: later)
        assert affiliations.current(db, world.finn, world.lakeside) is None
        merged(db, world, "finn", "ana")
        assert affiliations.current(db, world.finn, world.lakeside) is not None
