"""Combinations nobody walks by intent: absences and silence, people who come back, two rows of one function."""

from datetime import datetime, timedelta

import pytest
from freezegun import freeze_time
from sqlmodel import col, select

from idp import clock
from idp.database import transaction
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Grant
from idp.errors import Invalid, NotEntitled
from idp.jobs import silence
from idp.leaving import people as leaving
from idp.providers import affiliations
from idp.wam import (
    appointments,
    authority,
    dual_control,
    requests,
    review_calendar,
    reviews,
    succession,
)
from idp.wam.tables import HeldChange
from tests.wam import acts
from tests.wam.world import LINE, World

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
DAY = timedelta(days=1)


def reason(world: World, who: str, key: str = "eligibility.view") -> str | None:
    with transaction(world.database) as db:
        return acts.reason(db, world, who, key)


def give(world: World, who: str, key: str, expires_at: datetime | None = None) -> None:
    with transaction(world.database) as db:
        acts.give(db, world, who, key, expires_at=expires_at)


def long_attested(world: World) -> None:
    with transaction(world.database) as db:
        db.connection().exec_driver_sql("UPDATE attestation SET expires_at = 4000000000000000")


def test_domain_7_silence_of_who_is_recorded_as_away_ends_nothing(world: World) -> None:
    long_attested(world)
    start = clock.now() + DAY
    with freeze_time(start), transaction(world.database) as db:
        acts.away(db, world, "finn", until=start + 200 * DAY)
    for day in (61, 95, 190):
        with freeze_time(start + day * DAY):
            silence.run(world.database)
    with freeze_time(start + 201 * DAY):
        silence.run(world.database)
        assert reason(world, "finn") == "step_up_required"
        with transaction(world.database) as db:
            warned = db.connection().exec_driver_sql(
                "SELECT count(*) FROM inactivity WHERE account_id = ?", (world.finn,)
            )
            assert warned.scalar() == 0, "nobody is warned on the day they are back either"


def test_domain_7_who_left_while_paused_and_came_back_is_not_ended_by_the_old_silence(world: World) -> None:
    long_attested(world)
    start = clock.now() + DAY
    for day in (61, 92):
        with freeze_time(start + day * DAY):
            silence.run(world.database)
    with freeze_time(start + 100 * DAY), transaction(world.database) as db:
        leaving.leave(db, world.finn, world.lakeside, reason="left", by=world.wes)
    with freeze_time(start + 170 * DAY):
        with transaction(world.database) as db:
            affiliations.approve(db, account_id=world.finn, provider_id=world.lakeside, by=world.wes)
        give(world, "finn", "remit.view")
    with freeze_time(start + 185 * DAY):
        silence.run(world.database)
        assert reason(world, "finn", "remit.view") == "step_up_required"


def test_domain_7_who_left_while_away_and_came_back_is_not_away(world: World) -> None:
    with transaction(world.database) as db:
        acts.away(db, world, "finn")
        leaving.leave(db, world.finn, world.lakeside, reason="left", by=world.wes)
        affiliations.approve(db, account_id=world.finn, provider_id=world.lakeside, by=world.wes)
    give(world, "finn", "remit.view")
    assert reason(world, "finn", "remit.view") == "step_up_required"


def test_w7_who_was_marked_for_removal_in_a_review_nobody_signed_is_not_kept_by_silence(world: World) -> None:
    with transaction(world.database) as db:
        made = reviews.open_review(db, world.lakeside, LINE, [world.finn, world.ana], due_at=clock.now() + 45 * DAY)
        assert made is not None
        review_id = made.id
        reviews.answer(db, made, {world.finn: "remove"}, by=world.wes)
    give(world, "ana", "remit.view")
    due = clock.now() + 46 * DAY
    with freeze_time(due):
        with transaction(world.database) as db:
            review_calendar.miss(db)
        assert reason(world, "finn") == "grant_suspended"
        assert reason(world, "ana", "remit.view") == "grant_suspended"
    with freeze_time(due + 15 * DAY):
        with transaction(world.database) as db:
            review_calendar.finish(db)
        assert reason(world, "finn") == "entitlement_not_granted"
    assert review_id


def test_w4_a_shorter_end_holds_for_every_row_of_the_function(world: World) -> None:
    now = clock.now()
    give(world, "ana", "remit.view", now + 300 * DAY)
    give(world, "ana", "remit.view", now + 200 * DAY)
    acts.change(world, world.wes, world.ana, functions=["remit.view"], ends_at=now + 10 * DAY, dates_for_all=True)
    with freeze_time(now + 11 * DAY):
        assert reason(world, "ana", "remit.view") == "grant_expired"


def test_security_64_who_is_on_hold_gives_nothing_by_a_second_word_that_comes_later(world: World) -> None:
    with transaction(world.database) as db:
        held_id = acts.payments_asked(db, world, "finn").id
        leaving.suspend(db, world.wes, because="case", by="operator")
    with transaction(world.database) as db, pytest.raises(NotEntitled):
        dual_control.confirm(db, db.get_one(HeldChange, held_id), by=world.mia)


def test_domain_6_a_payment_function_made_to_last_longer_goes_on_until_the_new_grant_begins(world: World) -> None:
    now = clock.now()
    long_attested(world)
    give(world, "finn", "eft.manage", now + 30 * DAY)
    with transaction(world.database) as db:
        held = acts.payments_asked(db, world, "finn", until=now + 300 * DAY)
        dual_control.confirm(db, held, by=world.mia)
    for later in (timedelta(0), timedelta(hours=23), timedelta(hours=25), 299 * DAY):
        with freeze_time(clock.now() + later):
            said = reason(world, "finn", "eft.manage")
            assert said == "precondition_failed", later  # gate 10: given, and nobody of the practice is credentialed
    with transaction(world.database) as db:
        rows = [g for g in authority.not_ended(db, world.lakeside, world.finn, LINE) if g.entitlement == "eft.manage"]
        assert len(rows) == 2


def test_security_64_authority_paused_in_one_line_does_not_act_there_by_way_of_another(world: World) -> None:
    with transaction(world.database) as db:
        pauses.suspend(
            db,
            Place(world.wes, world.lakeside, LINE),
            ["access.manage"],
            by="operator",
            reason=pauses.DESK,
        )
        assert authority.lines_of(db, world.wes, world.lakeside) == []
    with pytest.raises(NotEntitled):
        acts.remove(world, world.wes, world.finn, function="eligibility.view")
    with transaction(world.database) as db:
        assert world.mia in appointments.able(db, world.lakeside, LINE)
        assert world.wes not in appointments.able(db, world.lakeside, LINE), "who can't act is not the one who stays"


def test_domain_6_money_and_managing_stay_apart_across_lines_of_a_practice(world: World) -> None:
    with transaction(world.database) as db:
        acts.open_dental(db, world)
        with pytest.raises(NotEntitled, match="one person"):
            grants.grant(
                db,
                account_id=world.mia,
                provider_id=world.lakeside,
                line="dental",
                entitlement="eft.manage",
                by=world.wes,
                confirmed_by=world.finn,
                reason="x",
            )
        assert db.exec(select(Grant.id).where(col(Grant.entitlement) == "eft.manage")).first() is None


def test_invariant_7_a_manager_whose_time_at_the_practice_has_run_out_is_not_the_one_who_stays(world: World) -> None:
    with transaction(world.database) as db:
        tie = affiliations.live(db, world.mia, world.lakeside)
        assert tie is not None
        affiliations.set_end(db, tie, clock.now() + timedelta(hours=1), by="operator")
        wes = next(a for a in appointments.in_force(db, world.lakeside, LINE, clock.now()) if a.account_id == world.wes)
        appointment_id = wes.id
    with freeze_time(clock.now() + timedelta(hours=1)), transaction(world.database) as db:
        assert appointments.able(db, world.lakeside, LINE) == {world.wes}
        with pytest.raises(appointments.LastManager):
            succession.end(db, by=world.wes, provider_id=world.lakeside, appointment_id=appointment_id, reason="left")


def test_domain_7_whom_the_desk_paused_becomes_no_access_manager(world: World) -> None:
    with transaction(world.database) as db:
        place = Place(world.finn, world.lakeside, LINE)
        pauses.suspend(db, place, ["eligibility.view"], by="operator", reason=pauses.DESK)
        with pytest.raises(Invalid, match="security desk"):
            succession.appoint(db, by=world.wes, provider_id=world.lakeside, line=LINE, account_id=world.finn)


def test_t_18_a_request_of_who_left_waits_for_nobody(world: World) -> None:
    with transaction(world.database) as db:
        requests.ask(
            db, account_id=world.finn, provider_id=world.lakeside, line=LINE, entitlement="remit.view", note="month end"
        )
        assert len(requests.waiting_at(db, world.lakeside, [LINE])) == 1
        leaving.leave(db, world.finn, world.lakeside, reason="left", by=world.wes)
        assert requests.waiting_at(db, world.lakeside, [LINE]) == []
