"""The demo world fits its applied file, and applying it again changes nothing (D-6)."""

import pytest
from sqlmodel import select

from idp.apply.run import apply_file
from idp.database import transaction
from idp.entitlements.tables import Appointment
from idp.partners.tables import FunctionOwner, Partner
from tests.world import World, world

__all__ = ["world"]
pytestmark = pytest.mark.usefixtures("world")


def test_d6_applying_the_world_again_changes_nothing(world: World) -> None:
    assert not apply_file(world.database, world.places.secrets / "meridian.yaml")


def test_d6_the_world_has_a_manager_at_each_practice_and_one_suspended_partner(
    world: World,
) -> None:
    with transaction(world.database) as db:
        managers = {(a.account_id, a.provider_id) for a in db.exec(select(Appointment)).all()}
        partners = {p.name: p.status for p in db.exec(select(Partner)).all()}
        owners = {o.entitlement for o in db.exec(select(FunctionOwner)).all()}
    assert managers == {(world.wes, world.lakeside), (world.hana, world.harbor)}
    assert partners["Evergreen Health"] == "active"
    assert partners["Cascade Billing Services"] == "suspended"
    assert owners == {"claim.status.view"}
