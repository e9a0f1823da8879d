"""A partner's standing: taken away at any step, every path closes at once; links stay and hold again afterwards."""

import threading
from collections.abc import Callable

import pytest
from sqlmodel import select

from idp import clock
from idp.accounts.tables import Session
from idp.database import Database, reading, transaction
from idp.database.history import StatusChange
from idp.federation.flow import Federation, finish
from idp.federation.pending import ReturnRefused
from idp.leaving import partners
from idp.leaving import people as leaving
from idp.outbound import Outbound
from tests.browser import Browser
from tests.contract.test_connectors import sent_back
from tests.fakes.upstreams.oidc import Wire, answered
from tests.sign_in_world import World, link_ana, sign_in


def suspend(world: World) -> None:
    with transaction(world.database) as db:
        assert partners.suspend(db, "ptr_evergreen", because="test")


def to_the_organization(world: World) -> tuple[Browser, Callable[[], object]]:
    browser = world.browser().get("/sign-in/organizations")
    return browser, lambda: browser.click("Evergreen Billing")


def back_from_it(world: World) -> tuple[Browser, Callable[[], object]]:
    browser, back = sent_back(world)
    return browser, lambda: browser.get(back)


def link_page(world: World) -> tuple[Browser, Callable[[], object]]:
    browser = sign_in(world.browser()).get("/account/logins").click("Evergreen Billing")
    assert browser.path == "/link/confirm"
    return browser, lambda: browser.submit("Add this login")


def adding(world: World) -> tuple[Browser, Callable[[], object]]:
    browser = sign_in(world.browser()).get("/account/logins")
    return browser, lambda: browser.click("Evergreen Billing")


STEPS = {"before leaving": to_the_organization, "coming back": back_from_it, "adding": adding, "confirming": link_page}


@pytest.mark.parametrize("step", STEPS)
def test_security_35_a_partner_suspended_at_any_step_closes_that_step(world: World, step: str) -> None:
    if step == "coming back":
        link_ana(world)
    browser, go_on = STEPS[step](world)
    links = world.count("login", "upstream_id IS NOT NULL")
    suspend(world)
    go_on()
    assert browser.status == 403, browser.text[:200]
    assert "logins are paused" in browser.text
    assert world.count("session", "partner_id IS NOT NULL") == 0
    assert world.count("login", "upstream_id IS NOT NULL") == links


def test_invariant_11_sessions_end_links_stay_and_hold_again_after_reinstatement(world: World) -> None:
    link_ana(world)
    browser = world.browser().get("/login/ups_evergreen")
    with reading(world.database) as db:
        before = partners.affected(db, "ptr_evergreen")
    assert (before.logins, before.people, before.sessions, before.left_outside) == (1, 1, 1, ())
    suspend(world)
    assert browser.get("/account").path == "/sign-in"
    assert world.count("login", "upstream_id IS NOT NULL AND ended_at IS NULL") == 1
    with transaction(world.database) as db:
        assert partners.reinstate(db, "ptr_evergreen", because="mended")
        assert not partners.reinstate(db, "ptr_evergreen", because="mended")
    assert browser.get("/account").path == "/sign-in"
    assert world.browser().get("/login/ups_evergreen").path == "/account"


def test_invariant_11_a_session_born_while_the_standing_went_does_not_come_back_with_it(world: World) -> None:
    link_ana(world)
    suspend(world)
    world.set_partner("ptr_evergreen", "active")
    browser = world.browser().get("/login/ups_evergreen")
    world.set_partner("ptr_evergreen", "suspended")
    with transaction(world.database) as db:
        partners.reinstate(db, "ptr_evergreen", because="mended")
    assert browser.get("/account").path == "/sign-in"


def test_domain_9_who_would_be_left_outside_is_told(world: World) -> None:
    account_id = link_ana(world)
    with transaction(world.database) as db:
        from idp.accounts import linking

        local = next(one for one in linking.logins(db, account_id) if one.upstream_id is None)
        linking.take_off(db, local.id, by="operator", because="test")
        assert partners.affected(db, "ptr_evergreen").left_outside == (account_id,)


def test_security_37_the_last_login_that_works_stays_when_the_others_are_paused(world: World) -> None:
    link_ana(world)
    suspend(world)
    browser = sign_in(world.browser()).get("/account/logins").click("Remove your user name")
    browser.submit("Remove this login")
    assert browser.status == 409
    assert "paused" in browser.text


def test_statuses_of_people_and_partners_are_kept_with_their_day(world: World) -> None:
    ana = world.ids()["ana"]
    suspend(world)
    with transaction(world.database) as db:
        leaving.suspend(db, ana, because="leave", by="operator")
    with transaction(world.database) as db:
        leaving.reinstate(db, ana, because="back", by="operator")
        rows = db.exec(select(StatusChange).order_by(StatusChange.id)).all()
    assert [r.status for r in rows if r.subject_id == ana] == ["active", "suspended", "active"]
    assert [r.status for r in rows if r.subject_id == "ptr_evergreen"] == ["active", "suspended"]
    assert all(r.at <= clock.now() for r in rows)


def test_security_31_a_callback_replayed_fifty_times_on_two_workers_opens_one_session(world: World) -> None:
    link_ana(world)
    browser, back = sent_back(world)
    other = Database(world.settings)
    outbound = Outbound(development=True, transport=Wire(world.evergreen))
    workers = [Federation(world.database, outbound), Federation(other, outbound)]
    secret = browser.cookie("flow")
    gate = threading.Barrier(50)
    won: list[str] = []
    lost: list[str] = []

    def go(number: int) -> None:
        gate.wait()
        try:
            won.append(finish(workers[number % 2], "ups_evergreen", answered(back), browser=secret).assertion.subject)
        except ReturnRefused as refusal:
            lost.append(refusal.code)

    threads = [threading.Thread(target=go, args=(n,)) for n in range(50)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    other.dispose()
    assert won == ["ev-1"]
    assert len(lost) == 49
    assert world.evergreen.calls.count("/token") == 1


def test_security_29_a_link_begun_by_an_attacker_is_not_finished_in_the_victims_browser(world: World) -> None:
    attacker = sign_in(world.browser())
    attacker.stop_at = world.evergreen.issuer
    attacker.get("/account/logins/add/ups_evergreen")
    assert attacker.left is not None
    back = world.evergreen.client.get(attacker.left, follow_redirects=False).headers["location"]
    victim = sign_in(world.browser())
    victim.get(back)
    assert victim.status == 400
    assert world.count("pending_link") == 0
    with reading(world.database) as db:
        assert len(db.exec(select(Session)).all()) == 2
    assert world.count("login", "upstream_id IS NOT NULL") == 0
