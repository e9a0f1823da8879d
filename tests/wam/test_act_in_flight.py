"""Invariant 6: a manager's act is done before their authority rests, or not at all; never after (security.md 66)."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from sqlmodel import Session

from idp.audit import log
from idp.audit.events import Event
from idp.catalogue import gate
from idp.database import transaction
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.errors import Refused
from idp.leaving import people
from idp.wam import authority, company
from tests.wam.third_parties import extend
from tests.wam.world import LINE, World

Rests = Callable[[Session, World], object]


def paused(db: Session, world: World) -> object:
    place = Place(world.mia, world.lakeside, LINE)
    return pauses.suspend(db, place, ["access.manage"], by="acc_desk", reason=pauses.DESK)


def held(db: Session, world: World) -> object:
    return people.suspend(db, world.mia, because="lost laptop", by="acc_desk")


def withheld(db: Session, world: World) -> object:
    return gate.withhold(db, world.lakeside, LINE, "access.manage", by="acc_desk", reason="no contract")


def act(db: Session, world: World) -> None:
    authority.must_manage(db, world.mia, world.lakeside, LINE)
    grants.grant(
        db,
        account_id=world.finn,
        provider_id=world.lakeside,
        line=LINE,
        entitlement="remit.view",
        by=world.mia,
        reason="bills",
    )


def company_acts(db: Session, world: World) -> None:
    company.must_administer(db, world.ada, world.firm)
    log.record(db, Event("partners.partner.changed", details={"by": world.ada}))


def company_held(db: Session, world: World) -> object:
    return people.suspend(db, world.ada, because="lost laptop", by="acc_desk")


def beside(work: Callable[[], object], said: list[str], name: str) -> threading.Thread:
    def run() -> None:
        try:
            work()
            said.append(name)
        except Refused:
            said.append("refused")

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def alone(world: World, work: Callable[[Session, World], object]) -> None:
    with transaction(world.database) as db:
        work(db, world)


@pytest.mark.parametrize("rests", [paused, held, withheld])
def test_invariant_6_authority_rests_only_once_the_act_it_covered_is_done(world: World, rests: Rests) -> None:
    said: list[str] = []
    with transaction(world.database) as db:
        act(db, world)
        desk = beside(partial(alone, world, rests), said, "rests")
        desk.join(0.5)
        assert said == [], "the desk was answered while the manager's act could still be written"
    desk.join(20)
    assert said == ["rests"]


@pytest.mark.parametrize("rests", [paused, held, withheld])
def test_invariant_6_an_act_begun_while_its_authority_is_put_to_rest_waits_and_is_refused(
    world: World, rests: Rests
) -> None:
    said: list[str] = []
    with transaction(world.database) as db:
        rests(db, world)
        manager = beside(partial(alone, world, act), said, "done")
        manager.join(0.5)
        assert said == []
    manager.join(20)
    assert said == ["refused"]


def test_invariant_6_a_company_s_administrator_does_nothing_after_the_hold_is_acknowledged(world: World) -> None:
    parties, said = extend(world), list[str]()
    with transaction(world.database) as db:
        company_acts(db, parties)
        desk = beside(partial(alone, parties, company_held), said, "rests")
        desk.join(0.5)
        assert said == []
    desk.join(20)
    with transaction(world.database) as db:
        people.reinstate(db, parties.ada, because="found", by="acc_desk")
    with transaction(world.database) as db:
        company_held(db, parties)
        administrator = beside(partial(alone, parties, company_acts), said, "done")
        administrator.join(0.5)
        assert said == ["rests"]
    administrator.join(20)
    assert said == ["rests", "refused"]
