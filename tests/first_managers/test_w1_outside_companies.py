"""An outside company knows the claims it sends in: its people become no access manager of a practice by them (W-6)."""

import pytest

from idp import clock
from idp.database import transaction
from idp.errors import Conflict
from idp.first_managers import confirming
from idp.first_managers import facts as known_facts
from idp.partners import register
from idp.providers import affiliations
from idp.registration.tables import Application, FirstManagerClaim
from tests.first_managers.world import LIST, TIN, claim
from tests.wam.conftest import filling, world
from tests.wam.world import World, practice

__all__ = ["filling", "world"]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_w1_who_came_by_an_outside_companys_login_opens_no_claim(world: World) -> None:
    with transaction(world.database) as db:
        practice(db, "North Shore", TIN)
        assert claim(db, world.ana, route="third_party") is None
        assert claim(db, world.hana) is not None


def test_w1_who_works_there_for_an_outside_company_does_not_take_on_the_duties(world: World) -> None:
    with transaction(world.database) as db:
        shore = practice(db, "North Shore", TIN)
        known_facts.load(db, [line.format(day=clock.now().date().isoformat()) for line in LIST])
        mine = str(claim(db, world.ana))
        known_facts.prove(db, mine, account_id=world.ana, kind="claim", number="CL-2026-0001", amount="1250.00")
        confirming.confirm(db, mine, by=world.otto, identity="passport")
        firm = register.record(db, name="Evergreen Billing", kind="third_party", status="active")
        affiliations.approve(
            db, account_id=world.ana, provider_id=shore, capacity="agent", by="operator", partner_id=firm.id
        )
        with pytest.raises(Conflict, match="outside company"):
            confirming.accept(db, mine, account_id=world.ana)
        found = db.get_one(FirstManagerClaim, mine)
        assert found.accepted_at is None
        assert db.get_one(Application, found.application_id).status == "submitted"
