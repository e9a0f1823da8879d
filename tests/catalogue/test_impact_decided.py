"""Previews of a function's new version and of a withholding ask the whole decision, and forget no access manager."""

import pytest

from idp.catalogue import functions, gate
from idp.database import transaction
from idp.entitlements import bundles, pauses
from idp.entitlements.grant_rows import Place
from tests.wam.world import LINE, World, person, practice

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_domain_5_who_could_not_use_a_function_anyway_does_not_lose_it_by_its_new_version(world: World) -> None:
    with transaction(world.database) as db:
        small = practice(db, "Small Office", "11-1111111", participates=False)
        for name, shown in (("sue", "Sue Hart"), ("max", "Max Orr")):
            person(db, world, name, shown, small)
            bundles.assign(
                db,
                account_id=world.people[name],
                provider_id=small,
                line=LINE,
                bundle="front_desk",
                by="operator",
                reason="set up",
            )
        pauses.suspend(db, Place(world.max, small, LINE), ["idcard.view"], by="operator", reason="inactive")
        found = {a.account_id: a for a in functions.impact(db, "idcard.view", {"non_participating": False}).affected}
        assert found[world.sue].loses == ("idcard.view",)
        assert (found[world.max].loses, found[world.max].idle) == ((), ("idcard.view",))
        capitated = {a.account_id: a.loses for a in functions.impact(db, "message.send", {"ial": 2}).affected}
        assert capitated == {
            world.sue: ("message.send",),
            world.max: ("message.send",),
            world.hana: ("message.send",),
        }, "Finn's identity is proven"


def test_t_07_withholding_shows_who_loses_it_paused_people_apart_and_access_managers_too(world: World) -> None:
    with transaction(world.database) as db:
        pauses.suspend(db, Place(world.finn, world.lakeside, LINE), ["idcard.view"], by="operator", reason="leave")
        [finn] = gate.impact(db, world.lakeside, LINE, ["idcard.view"]).affected
        assert (finn.loses, finn.idle) == ((), ("idcard.view",))
        found = gate.impact(db, world.lakeside, LINE, ["access.manage"]).affected
        assert {a.account_id for a in found if a.loses} == {world.wes, world.mia}
