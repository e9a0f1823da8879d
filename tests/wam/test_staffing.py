"""W-6: an outside company's administrators bring people in, name each other, and let people go."""

from typing import Any

import pytest

from idp.database import Database, transaction
from idp.errors import NotEntitled, NotFound
from idp.partners import members
from idp.registration import accepting, invitations
from idp.wam import company, staffing
from tests.engines import Filling
from tests.wam.third_parties import FILLING, Parties


@pytest.fixture
def filling() -> Filling:
    return FILLING


@pytest.fixture
def world(database: Database, facts: dict[str, Any]) -> Parties:
    return Parties(database, **facts)


def member(world: Parties, name: str) -> str:
    with transaction(world.database) as db:
        for partner_id in (world.firm, world.helper):
            found = members.of_person(db, world.people[name], partner_id)
            if found is not None:
                return found.id
    raise AssertionError(name)


def invited(world: Parties, *, administrator: bool = False) -> str:
    with transaction(world.database) as db:
        made, _ = invitations.invite(
            db, invited_by=world.ada, display_name="Gus Hale", partner_id=world.firm, administrator=administrator
        )
        return made.id


def test_w6_an_invitation_of_a_company_makes_one_of_its_people_and_gives_nothing(world: Parties) -> None:
    waiting = invited(world)
    with transaction(world.database) as db:
        gus = accepting.accept(db, waiting).id
        found = members.of_person(db, gus, world.firm)
        assert found is not None
        assert not found.administrator
        assert staffing.practices_of(db, world.firm, gus) == []
        assert gus in {one.id for one in company.people(db, world.firm)}
        assert not members.administers(db, gus, world.firm)


def test_w6_who_no_longer_administers_brings_nobody_in(world: Parties) -> None:
    waiting = invited(world, administrator=True)
    ada, bo = member(world, "ada"), member(world, "bo")
    with transaction(world.database) as db:
        staffing.name(db, by=world.ada, partner_id=world.firm, member_id=bo, administrator=True)
    with transaction(world.database) as db:
        staffing.name(db, by=world.bo, partner_id=world.firm, member_id=ada, administrator=False)
    with pytest.raises(invitations.InvitationLost), transaction(world.database) as db:
        accepting.accept(db, waiting)


def test_w6_who_is_let_go_loses_all_they_had_through_the_company(world: Parties) -> None:
    made = world.delegate()
    world.assign(made)
    bo = member(world, "bo")
    for by, partner_id, refusal in ((world.ed, world.helper, NotFound), (world.bo, world.firm, NotFound)):
        with pytest.raises(refusal), transaction(world.database) as db:
            staffing.let_go(db, by=by, partner_id=partner_id, member_id=bo)
    ada = member(world, "ada")
    with pytest.raises(NotEntitled), transaction(world.database) as db:
        staffing.name(db, by=world.ada, partner_id=world.firm, member_id=ada, administrator=True)
    with transaction(world.database) as db:
        assert staffing.let_go(db, by=world.ada, partner_id=world.firm, member_id=bo)
    assert world.decide("bo").reason == "affiliation_ended"
    with pytest.raises(members.LastAdministrator), transaction(world.database) as db:
        staffing.let_go(db, by=world.ada, partner_id=world.firm, member_id=ada)
