"""One person with two accounts: both proven in one browser, what they hold comes along, and it can be undone."""

import html
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import factor_rows, linking
from idp.accounts.link_tables import LinkOperation
from idp.accounts.tables import Account
from idp.database import transaction
from idp.entitlements import grants
from idp.entitlements.tables import Grant
from idp.merging import split
from idp.registration.tables import Application
from tests.accounts.test_passkeys import answer, enroll, newest
from tests.browser import Browser
from tests.fakes.authenticator import Authenticator
from tests.linking.people import KEYS, give, strong, with_steps
from tests.sign_in_world import World, code_now, link_ana, sign_in


def begun(world: World) -> Browser:
    browser = strong(world.browser(), "ana")
    browser.get("/account/logins").click("make them one").submit("Sign in to the other account")
    assert browser.path == "/sign-in"
    return browser


def second(browser: Browser) -> Browser:
    browser.submit("Continue", username="ana.twin").submit("Sign in", password="seven quiet lamps in a row")
    if browser.path != "/sign-in/confirm":
        return browser
    return browser.submit("Confirm", code=code_now(KEYS["twin"]))


def held(world: World, account_id: str) -> set[tuple[str, str]]:
    with transaction(world.database) as db:
        rows = db.exec(select(Grant).where(col(Grant.account_id) == account_id, col(Grant.ended_at).is_(None)))
        return {(row.entitlement, row.effect) for row in rows}


def test_invariant_1_two_proven_accounts_become_one_with_grants_and_pauses(world: World) -> None:
    ids = with_steps(world)
    other = sign_in(world.browser(), "ana.twin")
    browser = second(begun(world))
    assert "Are both accounts yours?" in browser.text, browser.text
    browser.submit("Make them one")
    assert "Your accounts are one" in browser.text
    assert browser.get("/account").path == "/sign-in"
    assert other.get("/account").path == "/sign-in"
    assert held(world, ids["ana"]) == {("claim.status.view", "allow"), ("remit.view", "deny")}
    assert held(world, ids["twin"]) == set()
    with transaction(world.database) as db:
        closed = db.get(Account, ids["twin"])
        assert closed is not None
        assert (closed.status, closed.merged_into) == ("closed", ids["ana"])
    assert world.events("accounts.accounts.merged") == 1
    assert "accounts_merged" in world.mails()


def test_a_merge_is_undone_and_each_gets_back_what_was_theirs(world: World) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        give(db, ids["ana"], "eligibility.view")
    second(begun(world)).submit("Make them one")
    with transaction(world.database) as db:
        [operation] = db.exec(select(LinkOperation)).all()
        split.undo_operation(db, operation.id, by="operator", because="two people after all")
    assert held(world, ids["ana"]) == {("eligibility.view", "allow")}
    assert held(world, ids["twin"]) == {("claim.status.view", "allow"), ("remit.view", "deny")}
    assert sign_in(world.browser(), "ana.twin").status == 200
    with transaction(world.database) as db:
        assert grants.count_live(db, ids["twin"]) == 1


def test_security_28_a_merge_needs_the_second_step_of_both(world: World) -> None:
    with_steps(world)
    browser = begun(world)
    browser.submit("Continue", username="ana.twin").submit("Sign in", password="seven quiet lamps in a row")
    pending = browser.url.partition("/account/merge/")[2] or "x"
    browser.get(f"/account/merge/{pending}")
    assert "Are both accounts yours?" not in browser.text
    assert world.count("link_operation") == 0


def test_security_29_a_merge_begun_by_an_attacker_is_not_finished_by_the_victim(world: World) -> None:
    with_steps(world)
    attacker = begun(world)
    address = attacker.trail[-1] if attacker.trail else attacker.url
    with transaction(world.database) as db:
        pending = db.exec(select_pending()).one()
    victim = strong(world.browser(), "twin")
    victim.get(f"/account/merge/{pending}")
    assert victim.status == 400, address
    victim.get("/account")
    victim.post(f"/account/merge/{pending}", {"form_key": victim.form_key(), "answer": "merge"})
    assert victim.status == 400
    assert world.count("link_operation") == 0


def test_a_merge_works_once(world: World) -> None:
    with_steps(world)
    browser = second(begun(world))
    form = dict(browser.form("Make them one").fields) | {"answer": "merge"}
    address = browser.path
    browser.submit("Make them one")
    strong(browser, "ana")
    browser.post(address, form)
    assert browser.status in (400, 403)
    assert world.count("link_operation") == 1


def test_invariant_7_an_account_that_manages_access_is_not_closed_by_a_merge(world: World) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        from idp import clock
        from idp.entitlements.tables import Appointment

        db.add(
            Appointment(
                account_id=ids["twin"], provider_id="prv_lakeside", verified_by="operator", starts_at=clock.now()
            )
        )
    browser = second(begun(world))
    assert browser.status == 409
    assert "These accounts can't become one yet" in html.unescape(browser.text)
    assert "manages other people" in browser.text
    assert "Open the page again" not in browser.text, "it would be the same again"


def test_domain_6_a_merge_never_joins_functions_one_person_may_not_have(world: World) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        give(db, ids["ana"], "eft.manage")
        give(db, ids["twin"], "demographics.update")
    browser = second(begun(world))
    assert browser.status == 409
    assert "one person may not have" in browser.text


def test_one_account_is_not_merged_with_itself(world: World) -> None:
    link_ana(world)
    with_steps(world, twin=False)
    browser = begun(world)
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password="seven quiet lamps in a row")
    if browser.path == "/sign-in/confirm":
        browser.submit("Confirm", code=code_now(KEYS["ana"], 1))
    assert browser.status == 409


@pytest.mark.parametrize("path", ["/account/merge/pmg_none", "/account/merge/%00"])
def test_an_invented_merge_is_answered_clearly(world: World, path: str) -> None:
    browser = sign_in(world.browser())
    assert browser.get(path).status == 400


def select_pending():
    from idp.accounts.link_tables import PendingMerge

    return select(PendingMerge.id)


def test_passkeys_of_both_accounts_open_the_one_that_stays_and_go_back_when_it_is_undone(world: World) -> None:
    ids = with_steps(world)
    twin = strong(world.browser(), "twin")
    key = Authenticator(world.settings.issuer)
    enroll(twin, key)
    assert twin.status == 200
    browser = begun(world).submit("Continue", username="ana.twin")
    answer(browser.submit("Sign in", password="seven quiet lamps in a row"), key)
    browser.submit("Make them one")

    def whose() -> str:
        browser = world.browser().get("/sign-in?next=/account")
        answer(browser, key)
        assert browser.path == "/account", browser.text
        return newest(world).account_id

    assert whose() == ids["ana"]
    with transaction(world.database) as db:
        kinds = [one.kind for one in factor_rows.live(db, ids["ana"])]
        assert sorted(kinds) == ["passkey", "totp"], "the app of the account that stays, and the passkey"
        assert factor_rows.live(db, ids["twin"]) == []
        [operation] = db.exec(select(LinkOperation)).all()
        split.undo_operation(db, operation.id, by="operator", because="two people after all")
    assert whose() == ids["twin"]
    with transaction(world.database) as db:
        assert sorted(one.kind for one in factor_rows.live(db, ids["twin"])) == ["passkey", "totp"]
        assert [one.kind for one in factor_rows.live(db, ids["ana"])] == ["totp"]


def applied(db: Db, account_id: str, tin: str, at: datetime | None = None) -> str:
    """An application that waits, as a registration leaves it."""
    made = Application(
        account_id=account_id,
        tin_hash=tin.encode(),
        tin_encrypted=b"sealed",
        tin_last4=tin[-4:],
        starts_at=clock.now(),
        expires_at=clock.now() + timedelta(days=30),
    )
    made.created_at = at or made.created_at
    db.add(made)
    db.flush()
    return made.id


def test_waiting_applications_come_along_once_each_and_go_back(world: World) -> None:
    ids = with_steps(world)
    with transaction(world.database) as db:
        both = [applied(db, ids[name], "11-1111111") for name in ("ana", "twin")]
        lone = applied(db, ids["twin"], "22-2222222")

    def standing() -> dict[str, tuple[str, str]]:
        with transaction(world.database) as db:
            return {one.id: (one.account_id, one.status) for one in db.exec(select(Application)).all()}

    second(begun(world)).submit("Make them one")
    assert standing() == {
        both[0]: (ids["ana"], "submitted"),
        both[1]: (ids["twin"], "withdrawn"),
        lone: (ids["ana"], "submitted"),
    }
    assert world.events("registration.application.moved") == 1
    with transaction(world.database) as db:
        [operation] = db.exec(select(LinkOperation)).all()
        split.undo_operation(db, operation.id, by="operator", because="two people after all")
    assert standing()[lone] == (ids["twin"], "submitted")
    assert standing()[both[0]] == (ids["ana"], "submitted")


def test_a_split_ends_what_was_applied_for_since_the_wrong_link(world: World) -> None:
    ids = world.ids()
    with transaction(world.database) as db:
        before = applied(db, ids["ana"], "11-1111111", clock.now() - timedelta(days=1))
    link_ana(world)
    with transaction(world.database) as db:
        since = applied(db, ids["ana"], "22-2222222")
        [outside] = [one for one in linking.logins(db, ids["ana"]) if one.upstream_id]
        done = split.split(db, ids["ana"], [outside.id], name="Eve Other", by="operator", because="two people")
        assert done.operation.moved["applications_ended"] == [since]
        status = {one.id: one.status for one in db.exec(select(Application)).all()}
    assert status == {before: "submitted", since: "withdrawn"}
