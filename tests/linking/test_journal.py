"""The link journal: each line names its proof; links, removals and wrong mergers are undone, once (T-25 to T-27)."""

import pytest
from sqlmodel import select

from idp.accounts import journal, linking, people
from idp.accounts.link_tables import LinkEntry
from idp.accounts.tables import Account
from idp.database import transaction
from idp.entitlements import grants
from idp.errors import Conflict, Invalid
from idp.merging import split
from tests.linking.people import give, login_of
from tests.sign_in_world import World, link_ana, sign_in


def entries(world: World) -> list[LinkEntry]:
    with transaction(world.database) as db:
        return list(db.exec(select(LinkEntry).order_by(LinkEntry.created_at)))


def test_invariant_1_every_link_names_who_added_it_and_what_proved_it(world: World) -> None:
    browser = sign_in(world.browser()).get("/account/logins").click("Evergreen Billing").submit("Add this login")
    [line] = entries(world)
    assert (line.act, line.account_id, line.by) == ("linked", world.ids()["ana"], world.ids()["ana"])
    assert set(line.proof) == {"session", "login", "pending", "acr"}
    browser.get("/account/logins").click("Remove Evergreen Billing").submit("Remove this login")
    assert [one.act for one in entries(world)] == ["linked", "unlinked"]


def test_a_link_found_wrong_is_undone_once_with_what_it_opened(world: World) -> None:
    account_id = link_ana(world)
    outside = world.browser().get("/login/ups_evergreen")
    assert outside.get("/account").path == "/account"
    [line] = entries(world)
    with transaction(world.database) as db:
        split.undo_entry(db, line.id, by="operator", because="typed by the wrong person")
    assert outside.get("/account").path == "/sign-in"
    with pytest.raises(Conflict), transaction(world.database) as db:
        split.undo_entry(db, line.id, by="operator", because="again")
    with transaction(world.database) as db:
        removal = journal.of_account(db, account_id)[0]
        split.undo_entry(db, removal.id, by="operator", because="it was right after all")
    assert world.browser().get("/login/ups_evergreen").path == "/account"
    assert world.events("accounts.login.undone") == 2


def test_a_removal_is_not_undone_once_the_login_opens_another_account(world: World) -> None:
    account_id = link_ana(world)
    with transaction(world.database) as db:
        linking.unlink(db, account_id, login_of(world, "ev-1").id, by=account_id)
        removal = journal.of_account(db, account_id)[0]
        linking.link(db, world.ids()["wes"], upstream_id="ups_evergreen", issuer=world.evergreen.issuer, subject="ev-1")
    with pytest.raises(Conflict), transaction(world.database) as db:
        split.undo_entry(db, removal.id, by="operator", because="x")
    assert world.count("link_entry", "undone_at IS NOT NULL") == 0


def test_an_undo_needs_a_reason_and_never_takes_the_last_way_in(world: World) -> None:
    link_ana(world)
    [line] = entries(world)
    with pytest.raises(Invalid), transaction(world.database) as db:
        split.undo_entry(db, line.id, by="operator", because=" ")
    with transaction(world.database) as db:
        linking.take_off(db, login_of(world, "ana.ruiz").id, by="operator", because="test")
    with pytest.raises(Conflict), transaction(world.database) as db:
        split.undo_entry(db, line.id, by="operator", because="x")


def test_invariant_1_two_people_in_one_account_become_two_and_the_second_holds_nothing(world: World) -> None:
    account_id = link_ana(world)
    with transaction(world.database) as db:
        kept = give(db, account_id, "claim.status.view")
        people.add_contact(db, account_id, "stranger@example.com", verified=True)
    outside = world.browser().get("/login/ups_evergreen")
    inside = sign_in(world.browser())
    with transaction(world.database) as db:
        done = split.split(
            db, account_id, [login_of(world, "ev-1").id], name="Eve Marsh", by="operator", because="two people"
        )
    assert done.review == [kept]
    assert outside.get("/account").path == "/sign-in"
    assert inside.get("/account").path == "/sign-in"
    with transaction(world.database) as db:
        assert grants.count_live(db, account_id) == 1
        assert grants.count_live(db, done.new_account) == 0
        assert [c.email for c in people.contacts(db, done.new_account)] == ["stranger@example.com"]
        other = db.get(Account, done.new_account)
        assert other is not None
        assert other.status == "invited"
    outside.get("/login/ups_evergreen")
    assert "Eve Marsh" in outside.get("/account").text
    assert sign_in(world.browser()).path == "/account"


def test_a_split_is_undone_and_both_are_signed_out(world: World) -> None:
    account_id = link_ana(world)
    with transaction(world.database) as db:
        done = split.split(
            db, account_id, [login_of(world, "ev-1").id], name="Eve Marsh", by="operator", because="two people"
        )
    outside = world.browser().get("/login/ups_evergreen")
    with transaction(world.database) as db:
        split.undo_operation(db, done.operation.id, by="operator", because="one person after all")
    assert outside.get("/account").path == "/sign-in"
    assert "Ana Ruiz" in world.browser().get("/login/ups_evergreen").get("/account").text
    with pytest.raises(Conflict), transaction(world.database) as db:
        split.undo_operation(db, done.operation.id, by="operator", because="again")


def test_a_split_leaves_each_account_a_login(world: World) -> None:
    account_id = link_ana(world)
    both = [login_of(world, "ev-1").id, login_of(world, "ana.ruiz").id]
    for chosen in (both, [], ["lgn_none"], [login_of(world, "wes.kane").id]):
        with pytest.raises(Invalid), transaction(world.database) as db:
            split.split(db, account_id, chosen, name="Eve Marsh", by="operator", because="x")
