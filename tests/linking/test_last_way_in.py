"""The last way in, and what looks like one: turned off by its organization, asked for by a thief, just ceased."""

import pytest
from sqlalchemy import text

from idp import clock
from idp.accounts import addresses, linking, moved, recovered, recovery
from idp.accounts.link_tables import LinkOperation
from idp.accounts.proof_tables import Recovery
from idp.accounts.tables import Account
from idp.database import transaction
from idp.errors import Conflict, NotFound
from idp.leaving import partners
from idp.merging import split
from idp.provisioning import people as provisioned
from tests.sign_in_world import World, link_ana, sign_in

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_security_37_a_login_its_organization_turned_off_is_no_last_way_in(world: World) -> None:
    ana = link_ana(world)
    with transaction(world.database) as db:
        local, outside = linking.logins(db, ana)
        assert linking.usable(db, ana) == {local.id, outside.id}
        off = provisioned.create(db, "ptr_evergreen", name_key="ana", external_id="ev-1", facts={"active": False})
        assert linking.usable(db, ana) == {local.id}
        with pytest.raises(Conflict, match="paused"):
            linking.unlink(db, ana, local.id, by=ana)
        assert partners.affected(db, "ptr_lakeside").left_outside == ()
        provisioned.change(db, "ptr_evergreen", off, name_key="ana", external_id="ev-1", facts={"active": True})
        assert linking.usable(db, ana) == {local.id, outside.id}


def test_security_30_an_address_asked_for_before_somebody_got_back_in_is_not_confirmed_afterwards(
    world: World,
) -> None:
    ana = world.ids()["ana"]
    with transaction(world.database) as db:
        addresses.ask(db, ana, "thief@example.org")
        row = recovery.begin(db, "ana.ruiz", browser="mine", device_secret=None)
        row.saved_proved_at = row.code_proved_at = clock.now()
        db.add(row)
        db.flush()
        recovered.finish(db, db.get_one(Recovery, row.id), None)
        sql = "SELECT facts FROM outbox WHERE template = 'address_proof'"
        secret = str(db.execute(text(sql)).scalar_one()).partition("/confirm/")[2].partition('"')[0]
        assert secret
        with pytest.raises(NotFound):
            addresses.confirm(db, ana, secret)


def test_t_17_a_session_of_the_moment_of_ceasing_opens_no_page(world: World) -> None:
    browser = sign_in(world.browser())
    with transaction(world.database) as db:  # what ceasing leaves that did not see this session yet
        db.execute(text("UPDATE account SET status = 'ceased' WHERE id = :a"), {"a": world.ids()["ana"]})
    assert browser.get("/account").status == 401


def test_security_35_what_its_organization_stopped_stays_stopped_until_it_says_otherwise(world: World) -> None:
    ana = link_ana(world)
    issuer = world.evergreen.issuer
    with transaction(world.database) as db:
        [first] = [one for one in linking.logins(db, ana) if one.upstream_id]
        moved.hold_for_organization(db, first.id, "Evergreen Billing")
        with pytest.raises(Conflict, match="stopped"):
            linking.unlink(db, ana, first.id, by=ana)
        linking.take_off(db, first.id, by="operator", because="support")
        wes = world.ids()["wes"]
    with transaction(world.database) as db:
        again = linking.link(db, wes, upstream_id="ups_evergreen", issuer=issuer, subject="ev-1")
        assert again.held_because == moved.ORGANIZATION, "at another account too"
        linking.take_off(db, again.id, by="operator", because="support")
        moved.let_in_again(db, "ups_evergreen", issuer, "ev-1", clock.now())
        assert linking.link(db, ana, upstream_id="ups_evergreen", issuer=issuer, subject="ev-1").held_at is None


def test_invariant_1_a_merge_is_not_undone_under_a_later_one(world: World) -> None:
    ids = world.ids()
    with transaction(world.database) as db:
        ana = db.get_one(Account, ids["ana"])
        ana.status, ana.merged_into = "closed", ids["wes"]
        made = LinkOperation(kind="merge", account_id=ids["ana"], other_id=ids["wes"], by=ids["ana"], moved={})
        db.add_all([ana, made])
        db.flush()
        with pytest.raises(Conflict, match="became part of another"):
            split.undo_operation(db, made.id, by="operator", because="two people after all")
