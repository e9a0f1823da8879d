"""RU-7: a person looks at their sessions and devices, ends them, and reports misuse, signed in or not (T-37, T-38)."""

import re
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlmodel import col, select
from starlette.testclient import TestClient

from idp import clock
from idp.accounts import places, second_factor, sessions
from idp.accounts.tables import Session, TokenFamily
from idp.database import transaction
from idp.entitlements import grants
from idp.errors import Conflict
from idp.notices import reading
from idp.notices.tables import Outbox
from idp.providers import affiliations
from idp.providers.tables import PortalAccess, Provider
from idp.security import reports
from idp.security.tables import SecurityReport
from tests.browser import Browser
from tests.sign_in_world import World, code_now, link_ana, sign_in

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) AppleWebKit/605 Version/19 Mobile/15E Safari/604"


def at(world: World, address: str, **more: str) -> Browser:
    """A browser on another network."""
    there = TestClient(world.app, base_url=world.settings.issuer, client=(address, 50_000))
    there.portal = world.sites[world.settings.issuer].portal
    return Browser({**world.sites, world.settings.issuer: there}, world.settings.issuer, **more)


def told(world: World) -> list[str]:
    """The templates mailed since the world was filled."""
    return [one for one in world.mails() if one not in ("login_linked", "factor_added")]


def one_report(world: World) -> SecurityReport:
    with transaction(world.database) as db:
        return db.exec(select(SecurityReport)).one()


def newest_mail(world: World, template: str) -> Outbox:
    with transaction(world.database) as db:
        found = db.exec(select(Outbox).where(col(Outbox.template) == template).order_by(col(Outbox.id).desc()))
        return found.first()


def not_me(world: World, template: str) -> str:
    """The address of the "This wasn't me" link in the newest mail of a template."""
    mail = newest_mail(world, template)
    with transaction(world.database) as db:
        from idp import configuration

        insurer = configuration.current(db).insurer
    _, words = reading.shown(mail, world.settings, world.database.ring, insurer)
    return re.search(r"http\S+/report/not-me/\S+", words)[0]


# Sessions and devices


def test_ru7_every_session_says_device_login_place_and_times_and_marks_this_one(world: World) -> None:
    link_ana(world)
    at(world, "198.51.100.20", agent=PHONE).get("/login/ups_evergreen")
    browser = sign_in(at(world, "203.0.113.7")).get("/account/activity")
    assert "Where you are signed in: 2" in browser.text
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", browser.response.text, re.DOTALL)
    own, phone = (" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows[:2])
    assert own.startswith("Chrome on Windows this one User name and password the network you are on now (203.0.113.x)")
    assert phone.startswith("Safari on iPhone Evergreen Billing network 198.51.100.x")
    assert "198.51.100.20" not in browser.text, "the page shows the network, not the address (ui.md 8)"
    assert "Sign out Safari on iPhone" in phone
    assert "Sign out Chrome" not in own


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("203.0.113.9", "the network you are on now (203.0.113.x)"),
        ("203.0.114.9", "network 203.0.114.x"),
        ("10.1.2.3", "an inside network (10.1.2.x)"),
        ("127.0.0.1", "this computer's own network"),
        ("2a00:1450:4001:81b::5", "network 2a00:1450:4001::x"),
        ("::ffff:203.0.113.9", "the network you are on now (203.0.113.x)"),
        ("testclient", "an unknown network"),
        (None, "an unknown network"),
    ],
)
def test_ru7_places_are_coarse_and_ask_nobody(address: str | None, words: str) -> None:
    assert places.words(address, "203.0.113.200") == words


def test_ru7_signing_out_everywhere_ends_sessions_token_families_and_journeys(world: World) -> None:
    other = sign_in(world.browser())
    other.get("/sign-in?next=/account/logins&other=true")
    with transaction(world.database) as db:
        session = db.exec(select(Session)).one()
        db.add(TokenFamily(session_id=session.id, client_id="claims", account_id=session.account_id))
    browser = sign_in(world.browser()).get("/account/activity").submit("Sign out everywhere")
    assert "on every device and in every app" in browser.text
    assert browser.get("/account").path == "/sign-in"
    assert other.get("/account").path == "/sign-in"
    assert world.count("session", "ended_at IS NULL") == 0
    assert world.count("token_family", "ended_at IS NULL") == 0
    assert world.count("revocation", "kind = 'signed_out'") == 1


def test_ru7_removing_a_second_step_signs_out_everywhere_else(world: World) -> None:
    wes = world.ids()["wes"]
    other = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())
    browser = sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now(steps=1))
    with transaction(world.database) as db:
        second_factor.install(db, wes, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQ")
    browser.get("/account/second-step").click("Rename or remove").submit("Remove")
    assert browser.path == "/account/second-step"
    assert other.get("/account").path == "/sign-in", "a credential changed: every other session ends"
    assert browser.get("/account").path == "/account"


def test_t37_activity_shows_sign_ins_failures_and_changes_of_this_person_alone(world: World) -> None:
    sign_in(world.browser(), "wes.kane")
    sign_in(at(world, "198.51.100.20", agent=PHONE), password="wrong wrong wrong wrong")
    browser = sign_in(at(world, "203.0.113.7")).get("/account/activity")
    lately = browser.text.partition("What happened lately")[2]
    assert re.search(r"A sign-in was refused .{20,40} network 198.51.100.x wrong password, Safari on iPhone", lately)
    assert lately.count("Signed in") == 1, "another person's sign-in is not shown"


def test_t37_a_sign_in_on_a_new_device_is_told_to_every_address_but_never_the_first(world: World) -> None:
    first = sign_in(world.browser())
    assert told(world) == []
    first.submit("Sign out")
    sign_in(first)
    assert told(world) == [], "the device is known by its cookie"
    sign_in(at(world, "198.51.100.20", agent=PHONE))
    assert told(world) == ["new_device"] * 2
    mail = newest_mail(world, "new_device")
    assert mail.facts["device"] == "Safari on iPhone"
    assert mail.facts["where"] == "network 198.51.100.x"
    assert world.events("accounts.device.met") == 1


def test_t37_the_page_lane_tells_of_a_new_device_as_the_fast_lane_does(world: World) -> None:
    link_ana(world)
    mails = told(world)
    world.browser().get("/login/ups_evergreen")
    assert told(world) == mails
    world.browser(agent=PHONE).get("/login/ups_evergreen")
    assert told(world) == [*mails, "new_device", "new_device"]


# Automatic sign-out


def test_security_19_a_page_asks_before_the_automatic_sign_out_without_a_script(world: World) -> None:
    browser = sign_in(world.browser()).get("/account/logins")
    assert '<meta http-equiv="refresh" content="780;url=/still-there?next=/account/logins">' in browser.response.text
    with freeze_time(clock.now() + timedelta(minutes=13), tick=True):
        browser.get("/still-there?next=/account/logins")
        assert "You are signed out at" in browser.text
        browser.get("/account/session")
        assert 110 <= browser.response.json()["left"] <= 120, "asking prolongs nothing"
        browser.get("/still-there?next=/account/logins").submit("Stay signed in")
        assert browser.path == "/account/logins"
    with freeze_time(clock.now() + timedelta(minutes=20), tick=True):
        assert browser.get("/account").path == "/account"
    with freeze_time(clock.now() + timedelta(minutes=40), tick=True):
        browser.get("/still-there?next=/account/logins")
        assert browser.path == "/signed-out"
        assert "You did nothing for a while" in browser.text


def test_security_19_nothing_of_ours_leads_elsewhere_after_the_question(world: World) -> None:
    browser = sign_in(world.browser()).get("/still-there?next=https://evil.example/")
    assert "evil.example" not in browser.response.text
    browser.post("/still-there", {"form_key": browser.form("Stay").fields[0][1], "next": "//evil.example/"})
    assert browser.path == "/account"


# Reports of misuse


def test_ru7_a_report_that_locks_ends_every_session_and_token_at_once(world: World) -> None:
    other = sign_in(world.browser())
    with transaction(world.database) as db:
        session = db.exec(select(Session)).one()
        db.add(TokenFamily(session_id=session.id, client_id="claims", account_id=session.account_id))
    browser = sign_in(world.browser()).click("Report misuse")
    browser.submit("Send report", words="My badge and phone were stolen.", lock="yes")
    assert "Receipt number" in browser.text
    assert "The account is locked" in browser.text
    receipt = re.search(r"MR-[A-Z2-7]{4}-[A-Z2-7]{4}", browser.text)[0]
    assert other.get("/account").status == 401
    assert "Your account is on hold" in other.text
    assert "What can I do" not in other.text
    assert browser.get("/account").path == "/sign-in"
    assert world.count("token_family", "ended_at IS NULL") == 0
    assert world.count("revocation", "kind = 'account_ended'") == 1
    report = one_report(world)
    assert (report.receipt, report.status, report.about_id) == (receipt, "open", world.ids()["ana"])
    assert b"badge" not in report.words, "what people tell is sealed"
    assert sign_in(world.browser()).status == 403, "nobody signs in until support has recognized the owner"
    assert told(world) == ["new_device"] * 2 + ["account_locked"] * 2


def test_ru7_a_report_without_a_lock_leaves_everything_open(world: World) -> None:
    browser = sign_in(world.browser()).get("/report").submit("Send report", words="Somebody watched me type.")
    assert "locked" not in browser.text
    assert browser.get("/account").path == "/account"
    assert told(world) == ["misuse_reported"] * 2


def test_ru7_a_second_click_gives_the_same_receipt(world: World) -> None:
    browser = sign_in(world.browser()).get("/report")
    fields = dict(browser.form("Send report").fields) | {"words": "Somebody watched me type."}
    receipts = {browser.post("/report", fields).path for _ in range(2)}
    assert len(receipts) == 1
    assert world.count("security_report") == 1


def test_ru7_a_report_signed_out_is_answered_the_same_for_names_nobody_has(world: World) -> None:
    answers = []
    for name in ("ana.ruiz", "ana@example.com", "nobody.here", ""):
        browser = world.browser().get("/report").submit("Send report", words="I saw somebody.", about=name)
        receipt = re.search(r"MR-[A-Z2-7]{4}-[A-Z2-7]{4}", browser.text)[0]
        answers.append(re.sub(r"Sent .*? Keep", "", browser.text.replace(receipt, "")))
        assert browser.status == 200
    assert len(set(answers)) == 1
    assert told(world) == ["misuse_reported"] * 2, "only the user name is known: that address is not confirmed"
    assert sign_in(world.browser()).path == "/account", "a stranger locks nobody"


def test_ru7_reports_of_strangers_are_throttled_and_nobody_s_mailbox_is_filled(world: World) -> None:
    statuses = []
    for _ in range(8):
        browser = world.browser().get("/report").submit("Send report", words="Again.", about="ana.ruiz")
        statuses.append(browser.status)
    assert statuses[-1] == 429
    assert "Wait" in browser.text
    assert "Again." in browser.response.text, "what was typed is kept"
    assert len(told(world)) <= 2 * 6


def test_ru7_the_link_in_a_notice_locks_once_works_signed_out_and_only_by_a_click(world: World) -> None:
    thief = sign_in(world.browser())
    sign_in(world.browser(agent=PHONE))
    address = not_me(world, "new_device")
    browser = world.browser().get(address)
    assert "Lock this account?" in browser.text
    assert thief.get("/account").path == "/account", "opening the link changes nothing: mail scanners do that"
    browser.submit("Lock my account")
    assert "Receipt number" in browser.text
    assert thief.get("/account").status == 401
    again = world.browser().get(address).submit("Lock my account")
    assert again.path == browser.path
    assert world.count("security_report") == 1
    assert world.count("security_case", "kind = 'takeover' AND source = 'report' AND entries = 1") == 1


@pytest.mark.parametrize("change", ["1-00ff", "x", "-", "9999999999999999-00", "1-é"])
def test_ru7_a_made_up_link_locks_nobody(world: World, change: str) -> None:
    browser = world.browser().get(f"/report/not-me/{change}")
    assert browser.status == 404


def test_ru7_a_link_older_than_a_week_is_refused(world: World) -> None:
    sign_in(world.browser())
    sign_in(world.browser(agent=PHONE))
    address = not_me(world, "new_device")
    with freeze_time(clock.now() + timedelta(days=7), tick=True):
        assert world.browser().get(address).status == 404


@pytest.mark.parametrize("words", ["", "x" * 2001])
def test_ru7_a_report_says_what_to_mend(world: World, words: str) -> None:
    browser = world.browser().get("/report").submit("Send report", words=words)
    assert browser.status == 422
    assert browser.title.startswith("Error:")
    assert world.count("security_report") == 0


# Security staff


@pytest.fixture
def sam(world: World) -> Browser:
    """Wes, who also works at the security desk, signed in with his second step."""
    wes = world.ids()["wes"]
    with transaction(world.database) as db:
        db.add(Provider(id="prv_insurer", kind="insurer", name="Meridian Health Plan"))
        db.flush()
        db.add(PortalAccess(provider_id="prv_insurer", line="medical", opened_by="operator", starts_at=clock.now()))
        affiliations.approve(db, account_id=wes, provider_id="prv_insurer", by="operator")
        for key in ("security.case.work", "security.access.revoke", "audit.search"):
            grants.grant(
                db,
                account_id=wes,
                provider_id="prv_insurer",
                line="medical",
                entitlement=key,
                by="operator",
                reason="desk",
            )
    return sign_in(world.browser(), "wes.kane").submit("Confirm", code=code_now())


def test_t38_staff_read_the_report_and_only_they_open_the_account_again(world: World, sam: Browser) -> None:
    ana = sign_in(world.browser())
    ana.get("/report").submit("Send report", words="My phone was stolen.", lock="yes")
    sam.get("/security/search").click("Cases").click("Misuse reports")
    receipt = one_report(world).receipt
    sam.click(receipt)
    assert "My phone was stolen." in sam.text
    assert "Ana Ruiz (suspended)" in sam.text
    assert world.events("security.report.viewed") == 1
    sam.submit("Lift the lock", because="")
    assert sam.status == 422
    sam.submit("Lift the lock", because="Called back on the number of the practice")
    assert "lifted" in sam.text
    assert sign_in(world.browser()).path == "/account"
    assert ana.get("/account").path == "/sign-in", "sessions do not come back"
    sam.submit("Close this report", outcome="Phone lost; password changed")
    assert "Phone lost; password changed" in sam.text
    assert world.count("security_report", "status = 'closed' AND closed_by IS NOT NULL") == 1


def test_t38_nobody_judges_a_report_about_themselves(world: World, sam: Browser) -> None:
    with transaction(world.database) as db:
        told = reports.Told("f" * 20, "Was it me?")
        report = reports.by_owner(db, world.ids()["wes"], told, lock=False)
        report_id = report.id
    assert sam.get(f"/security/reports/{report_id}").status == 404, "nor reads what was said"
    with pytest.raises(Conflict, match="your own"), transaction(world.database) as db:
        reports.close(db, report_id, by=world.ids()["wes"], outcome="It was me")
    assert world.count("security_report", "status = 'open'") == 1


def test_security_61_others_see_no_reports(world: World) -> None:
    assert sign_in(world.browser()).get("/security/reports").status == 404
    assert world.browser().get("/security/reports").path == "/sign-in"


def test_t38_a_lock_ends_what_the_session_table_says_within_the_same_transaction(world: World) -> None:
    sign_in(world.browser())
    with transaction(world.database) as db:
        reports.by_owner(db, world.ids()["ana"], reports.Told("g" * 20, "Stolen."), lock=True)
        assert sessions.live_of(db, world.ids()["ana"]) == []
        held = db.execute(text("SELECT status FROM account WHERE display_name = 'Ana Ruiz'")).scalar_one()
    assert held == "suspended"
