"""A desk's pause of an access manager rests the role too: nothing but the desk's word brings it back (SE-3, W-9)."""

import threading

import pytest
from sqlalchemy import text

from idp.cases.tables import CaseAction
from idp.casework.acting import Wish
from idp.database import reading, transaction
from idp.entitlements.tables import Appointment
from idp.errors import Conflict, Invalid, NotEntitled, Refused
from idp.leaving import people, telling
from idp.merging import access as merging
from idp.providers import affiliations
from idp.wam import appointments, authority, succession
from tests.cases.test_deciding import SHARED, appointment, confirm, decide, want
from tests.cases.test_desk_pause import answer
from tests.cases.test_interim import proven
from tests.cases.test_opening import opened
from tests.cases.test_second_person import merged
from tests.wam.world import LINE, World

MANAGES = ("access.manage", "access.view", "delegation.approve")


def pause(world: World, who: str = "mia", place: str = "lakeside", meanwhile: str | None = None) -> str:
    """Pause a manager at a practice, as two of the desk do; return the case."""
    case_id = opened(world, who)
    action = want(world, case_id, "pause_access", getattr(world, place), meanwhile)
    assert action.status == "waiting", "authority takes two"
    confirm(world, action, "sue")
    return case_id


def able(world: World, place: str = "lakeside", line: str = LINE) -> set[str]:
    with reading(world.database) as db:
        return appointments.able(db, getattr(world, place), line)


def appoint(world: World, who: str, line: str = LINE, by: str = "operator") -> Appointment:
    with transaction(world.database) as db:
        about = {"account_id": world.people[who], "provider_id": world.lakeside, "line": line}
        if by == "operator":
            return appointments.appoint(db, **about, by=by, verified_by="claim")  # type: ignore[arg-type]
        return succession.appoint(db, **about, by=world.people[by])  # type: ignore[arg-type]


def test_se_3_a_paused_manager_acts_no_more_and_comes_back_by_the_desk(world: World) -> None:
    assert able(world) == {world.wes, world.mia}
    case_id = pause(world)
    assert able(world) == {world.wes}
    assert {answer(world, key, "mia") for key in MANAGES} == {"grant_suspended"}
    with transaction(world.database) as db:
        assert authority.lines_of(db, world.mia, world.lakeside) == []
        assert authority.lines_seen(db, world.mia, world.lakeside) == []
        assert telling.managers_of(db, world.lakeside) == {world.wes}, "nor do they hear what managers hear"
        with pytest.raises(NotEntitled):
            succession.end(
                db, by=world.mia, provider_id=world.lakeside, appointment_id=appointment(world, "wes"), reason="left"
            )
        with pytest.raises(NotEntitled):
            succession.appoint(db, by=world.mia, provider_id=world.lakeside, line=LINE, account_id=world.finn)
    decide(world, case_id, SHARED, Wish("resume_access", world.lakeside))
    assert able(world) == {world.wes, world.mia}
    assert answer(world, "access.manage", "mia") == "permit"


def test_se_3_a_manager_does_not_shed_the_pause_by_leaving_a_new_appointment_or_another_line(world: World) -> None:
    pause(world)
    with transaction(world.database) as db:
        people.leave(db, world.mia, world.lakeside, reason="left", by=world.wes)
    with transaction(world.database) as db:
        affiliations.approve(db, account_id=world.mia, provider_id=world.lakeside, by=world.wes)
    with pytest.raises(Invalid, match="security desk"):
        appoint(world, "mia", by="wes")
    appoint(world, "mia")
    appoint(world, "mia", "dental")
    assert able(world) == {world.wes}
    assert able(world, line="dental") == set()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_3_an_earlier_pause_rests_a_later_appointment_whoever_makes_it(world: World) -> None:
    want(world, opened(world, "finn"), "pause_access", world.lakeside)
    appoint(world, "finn")
    assert answer(world, "access.manage") == "grant_suspended"
    assert able(world) == {world.wes, world.mia}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_invariant_7_pausing_the_last_manager_asks_for_an_interim_one_who_is_not_paused(world: World) -> None:
    proven(world, "hana")
    with pytest.raises(Invalid, match="manages access"):
        want(world, opened(world, "otto"), "pause_access", world.harbor)
    pause(world, "otto", "harbor", world.hana)
    assert able(world, "harbor") == {world.hana}


def test_se_3_merging_brings_the_pause_along_and_leaves_no_practice_bare(world: World) -> None:
    want(world, opened(world, "finn"), "pause_access", world.lakeside)
    with transaction(world.database) as db:
        db.execute(text("UPDATE appointment SET ended_at = 1 WHERE account_id = :a"), {"a": world.wes})
    with pytest.raises(merging.CannotBecomeOne, match="only access manager"):
        merged(world, "mia", "finn")
    appoint(world, "ana")
    merged(world, "mia", "finn")
    assert able(world) == {world.ana}
    assert answer(world, "access.manage", "mia") == "grant_suspended"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_3_pausing_again_is_refused(world: World) -> None:
    case_id = pause(world)
    again = want(world, case_id, "pause_access", world.lakeside)
    with pytest.raises(Conflict, match="nothing to pause"):
        confirm(world, again, "sue")


def test_invariant_7_of_the_last_two_paused_in_one_moment_one_goes_on(world: World) -> None:
    """Each word was given while the other manager still could: it counts at the moment it is carried out."""
    waiting = [want(world, opened(world, who), "pause_access", world.lakeside) for who in ("wes", "mia")]
    together, said = threading.Barrier(2), []

    def go(action: CaseAction) -> None:
        together.wait()
        try:
            confirm(world, action, "sue")
            said.append("done")
        except Refused as problem:
            said.append(problem.code)

    threads = [threading.Thread(target=go, args=(action,)) for action in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(said) == ["done", "invalid"]
    assert len(able(world)) == 1
