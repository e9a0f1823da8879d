"""Emergency access that was found not justified is not taken again until somebody with the right opens it (SE-4)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from idp.database import transaction
from idp.errors import Conflict, Invalid, NotEntitled
from idp.wam import emergency, emergency_bars
from tests.cases.test_second_person import merged
from tests.cases.world import FILLING
from tests.engines import Filling
from tests.flows.managing import Managed, managed
from tests.wam.test_emergency import start
from tests.wam.world import World

__all__ = ["managed"]
NOTE = "There was no such patient"


@pytest.fixture
def filling() -> Filling:
    return FILLING


def judge(world: World, use_id: str, *, by: str, desk: bool = False, verdict: str = "not_justified") -> None:
    with transaction(world.database) as db:
        use = emergency.find(db, use_id)
        emergency.review(db, use, by=world.people[by], verdict=verdict, note=NOTE, desk=desk)


def lift(world: World, use_id: str, *, by: str, desk: bool = False, why: str = "We spoke about it") -> None:
    with transaction(world.database) as db:
        emergency_bars.lift(db, emergency.find(db, use_id), by=world.people[by], why=why, desk=desk)


@contextmanager
def refused(sentence: str) -> Iterator[None]:
    with pytest.raises(NotEntitled, match=sentence) as caught:
        yield
    assert caught.value.code == "emergency_barred"


def test_se_4_who_used_it_without_need_takes_it_again_only_after_somebody_opened_it(managed: Managed) -> None:
    world, first = managed.world, start(managed)
    judge(world, first, by="wes")
    with refused("found not justified on .*another access manager of Lakeside Clinic or .*security desk"):
        start(managed)
    start(managed, "ana")  # a bar is one person's
    finn = managed.as_("finn").get(f"/account/access/{world.lakeside}/emergency")
    assert "found not justified" in finn.text
    assert "Start emergency access" not in finn.text
    finn.post(f"/account/access/{world.lakeside}/emergency", {"line": "medical", "reason": "x" * 20})
    assert finn.status == 403
    mia = managed.as_("mia").get(f"{managed.here}/emergency").click("Finn Oakes")
    mia.submit("Open emergency access again", why="")
    assert mia.status == 422
    mia.submit("Open emergency access again", why="We spoke about it")
    assert "Opened again by Mia Ode" in mia.get(f"{managed.here}/emergency/{first}").text
    leaf = bytes(managed.one("SELECT leaf FROM audit_record WHERE event = 'entitlements.emergency.lifted'")).decode()
    assert world.mia in leaf
    assert first in leaf
    assert managed.mails("emergency_lifted") == 1
    start(managed)
    with pytest.raises(Conflict):
        lift(world, first, by="wes")


def test_se_4_what_the_desk_found_the_desk_alone_opens_and_nobody_their_own(managed: Managed) -> None:
    world, use = managed.world, start(managed, "wes")
    judge(world, use, by="sam", desk=True)
    with refused("Ask .*security desk"):
        start(managed, "wes")
    for who, desk in (("mia", False), ("wes", False), ("wes", True)):
        with pytest.raises(NotEntitled):
            lift(world, use, by=who, desk=desk)
    assert "Open emergency access again" not in managed.as_("mia").get(f"{managed.here}/emergency/{use}").text
    with pytest.raises(Invalid):
        lift(world, use, by="sue", desk=True, why=" ")
    sue = managed.as_("sue").get(f"/security/emergency/{use}")
    sue.submit("Open emergency access again", why="Spoke with the practice")
    assert start(managed, "wes")


def test_se_4_a_use_that_runs_when_an_earlier_one_is_found_without_need_ends(managed: Managed) -> None:
    world, first = managed.world, start(managed)
    with transaction(world.database) as db:
        emergency.end(db, emergency.find(db, first), by=world.finn)
    start(managed)
    judge(world, first, by="wes")
    assert managed.one("SELECT count(*) FROM emergency_use WHERE ended_at IS NULL") == 0
    with refused("not justified"):
        start(managed)


def test_se_4_a_bar_is_not_shed_by_merging_and_is_not_lifted_by_ones_other_account(managed: Managed) -> None:
    world, use = managed.world, start(managed)
    judge(world, use, by="wes")
    merged(world, "ana", "finn")
    with refused("not justified"):
        start(managed, "ana")
    merged(world, "sue", "ana")
    with pytest.raises(NotEntitled):
        lift(world, use, by="sue", desk=True)
