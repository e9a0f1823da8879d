"""Two addresses for notices: added by a mailed link, removed with a word to all, never the last one (domain.md 9)."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Contact
from idp.database import transaction
from idp.notices.tables import Outbox
from tests.browser import Browser
from tests.sign_in_world import World, code_now, sign_in

NEW = "ana@new.example"


def mailed(world: World, template: str) -> list[Outbox]:
    with transaction(world.database) as db:
        return list(db.exec(select(Outbox).where(col(Outbox.template) == template).order_by(col(Outbox.id))).all())


def addresses(world: World) -> dict[str, bool]:
    with transaction(world.database) as db:
        own = db.exec(select(Contact).where(col(Contact.account_id) == world.ids()["ana"])).all()
        return {one.email: one.verified_at is not None for one in own}


def ask(world: World, email: str = NEW) -> Browser:
    browser = sign_in(world.browser()).get("/account/notices").click("Add or confirm an address")
    return browser.submit("Mail me the link", email=email)


def test_a_new_address_counts_only_after_its_link_and_the_old_ones_are_told(world: World) -> None:
    browser = ask(world)
    assert "Look into that mailbox" in browser.text
    assert NEW not in addresses(world)
    [mail] = mailed(world, "address_proof")
    assert mail.recipient == NEW
    browser.get(mail.facts["url"])
    assert NEW not in addresses(world), "opening the link changes nothing"
    browser.submit("Confirm this address")
    assert addresses(world)[NEW] is True
    told = mailed(world, "address_added")
    assert [one.recipient for one in told] == ["ana@example.com", "ana.ruiz@home.example"]
    assert NEW not in str(told[0].facts), "shown in part"
    assert browser.get(mail.facts["url"]).status == 404, "the link worked once"


def test_a_link_works_for_the_account_that_asked_alone_and_for_a_day(world: World) -> None:
    ask(world)
    [mail] = mailed(world, "address_proof")
    other = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())
    assert other.get(mail.facts["url"]).status == 404
    assert world.browser().get(mail.facts["url"]).path == "/sign-in"
    with freeze_time(clock.now() + timedelta(hours=24), tick=True):
        assert sign_in(world.browser()).get(mail.facts["url"]).status == 404
    assert NEW not in addresses(world)


def test_an_address_that_stands_there_unconfirmed_can_be_confirmed(world: World) -> None:
    browser = ask(world, "ANA@example.com")
    [mail] = mailed(world, "address_proof")
    browser.get(mail.facts["url"]).submit("Confirm this address")
    assert addresses(world) == {"ana@example.com": True, "ana.ruiz@home.example": False}


@pytest.mark.parametrize("email", ["", "nonsense", "billing@lakeside.example", "a@b@c.example"])
def test_t19_an_address_is_a_person_s_own(world: World, email: str) -> None:
    browser = ask(world, email)
    assert browser.status == 422
    assert browser.title.startswith("Error:")
    assert mailed(world, "address_proof") == []


def test_nobody_s_mailbox_is_filled_with_links(world: World) -> None:
    browser = ask(world)
    statuses = []
    for _ in range(8):
        browser.get("/account/notices/add").submit("Mail me the link", email="victim@elsewhere.example")
        statuses.append(browser.status)
    assert statuses[-1] == 429
    assert len(mailed(world, "address_proof")) <= 7


def test_removing_tells_all_and_the_last_confirmed_one_stays(world: World) -> None:
    with transaction(world.database) as db:
        db.execute(text("UPDATE contact SET verified_at = 1 WHERE email = 'ana@example.com'"))
    browser = sign_in(world.browser()).get("/account/notices").click("Remove ana@example.com")
    browser.submit("Remove this address")
    assert browser.status == 409
    assert "only confirmed address" in browser.text
    browser.get("/account/notices").click("Remove ana.ruiz@home.example").submit("Remove this address")
    assert addresses(world) == {"ana@example.com": True}
    assert [one.recipient for one in mailed(world, "address_removed")] == ["ana@example.com", "ana.ruiz@home.example"]
    assert "Remove" not in browser.get("/account/notices").text


def test_a_stranger_s_address_looks_like_none_and_an_old_sign_in_is_asked_again(world: World) -> None:
    with transaction(world.database) as db:
        foreign = db.exec(select(Contact.id).where(col(Contact.account_id) == world.ids()["wes"])).first()
    browser = sign_in(world.browser())
    assert browser.get(f"/account/notices/{foreign}/remove").status == 404
    with freeze_time(clock.now() + timedelta(minutes=11), tick=True):
        assert browser.get("/account/notices/add").path == "/sign-in"
