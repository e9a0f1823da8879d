"""What the registration tests share: a practice with a TIN, mails read, a person who walks the steps."""

import re

import orjson
import pytest
from sqlalchemy import text

from idp.accounts import attestations, local_logins, passwords, people, second_factor, terms
from idp.database import transaction
from idp.entitlements import asking
from idp.entitlements.decision import OURSELVES, Question
from idp.providers import affiliations, organisations
from idp.wam import appointments
from tests.browser import Browser
from tests.sign_in_world import PASSWORD, TOTP, World, code_now, sign_in
from tests.sign_in_world import world as _world

TIN, UNKNOWN = "12-3456789", "98-7654321"
HARBOR = "prv_harbor"


@pytest.fixture
def harbor(world: World) -> World:
    """The sign-in world with Harbor Imaging: its TIN known, its portal open, Wes its access manager."""
    with transaction(world.database) as db:
        organisations.register(db, name="Harbor Imaging", tin=TIN, provider_id=HARBOR)
        organisations.open_portal(db, HARBOR, "medical", by="operator")
        organisations.participate(db, HARBOR, "medical")
        organisations.agree(db, HARBOR, "medical")
        wes = world.ids()["wes"]
    with transaction(world.database) as db:
        appointments.appoint(db, account_id=wes, provider_id=HARBOR, by="operator", verified_by="operator")
        affiliations.approve(db, account_id=wes, provider_id=HARBOR, by="operator")
    return world


def mails_to(world: World, address: str) -> list[tuple[str, dict[str, str]]]:
    """The mails to an address, oldest first: template and facts."""
    with transaction(world.database) as db:
        rows = db.execute(text("SELECT template, facts FROM outbox WHERE recipient = :a ORDER BY id"), {"a": address})
        return [(str(row[0]), orjson.loads(row[1])) for row in rows]


def code_for(world: World, address: str) -> str:
    """The newest code mailed to an address."""
    return [facts["code"] for template, facts in mails_to(world, address) if template == "registration_code"][-1]


def to_the_email(browser: Browser, *, tins: str = TIN, way: str = "new", **you: str) -> Browser:
    """Start, name the practice, say who one is; stop at the e-mail page."""
    browser.get("/register")
    browser.submit("Continue", way=way)
    browser.submit("Continue", tins=tins)
    browser.submit("Continue", **(dict(given_name="Nina", family_name="Frost", **WORKS) | you))
    return browser


WORKS = {"capacity": "employee", "bundle": "biller", "clinician": "no"}


def to_the_login(world: World, browser: Browser, *, email: str = "nina@example.com", **more: str) -> Browser:
    """Also confirm the address; stop at the login page."""
    to_the_email(browser, **more)
    browser.submit("Mail me a code", email=email)
    return browser.submit("Confirm my e-mail", code=code_for(world, email))


def to_the_end(browser: Browser) -> Browser:
    """Terms, attestation, second step, recovery codes; stop at "Check and send"."""
    if browser.path == "/terms":
        ids = re.findall(r'value="(trm_[a-z0-9]+)"', browser.response.text)
        browser.submit("Accept and continue", accept=ids)
    assert browser.path == "/attest", (browser.url, browser.text[:300])
    browser.submit("Confirm", capacity="authorised_agent", principal="Harbor Imaging", word="yes")
    assert browser.path == "/sign-in/enroll"
    browser.submit("Set up an authenticator app")
    key = re.search(r"<code[^>]*>([A-Z2-7 ]+)</code>", browser.response.text)
    assert key
    browser.submit("Confirm and turn on", code=code_now(key.group(1).replace(" ", "")))
    return browser.click("I have saved them")


def registered(world: World, *, name: str = "nina.frost", email: str = "nina@example.com", **more: str) -> Browser:
    """Register from the first page to the last; the browser of who now waits."""
    browser = to_the_login(world, world.browser(), email=email, **more)
    browser.submit("Create my account", user_name=name, password=PASSWORD)
    to_the_end(browser)
    assert browser.path == "/register/send", (browser.url, browser.text[:400])
    return browser.submit("Send to my access manager")


def manager(world: World, name: str = "wes.kane", steps: int = 0, key: str = TOTP) -> Browser:
    """An access manager, signed in with a fresh second step."""
    browser = sign_in(world.browser(), name)
    return browser.submit("Confirm", code=code_now(key, steps))


world = _world


def account_of(world: World, name: str = "Nina Frost") -> tuple[str, str]:
    with transaction(world.database) as db:
        row = db.execute(text("SELECT id, status FROM account WHERE display_name = :n"), {"n": name}).one()
        return str(row[0]), str(row[1])


def outcome_of(world: World, account_id: str, entitlement: str = "claim.status.view") -> str:
    """What a decision says about this person at Harbor, strength left out."""
    with transaction(world.database) as db:
        sid = db.execute(
            text("SELECT id FROM session WHERE account_id = :a AND ended_at IS NULL"), {"a": account_id}
        ).scalar()
        question = Question(
            account_id=account_id,
            entitlement=entitlement,
            provider_id=HARBOR,
            app=OURSELVES,
            line="medical",
            sid=sid,
            purpose="CLAIM_REDUCTION_REVIEW",
        )
        return str(asking.decide_in_session(db, question).reason or "permit")


def open_application(browser: Browser) -> Browser:
    browser.get(f"/p/{HARBOR}/inbox")
    return browser.click("Nina Frost")


def second_manager(world: World, *, line: str = "medical", provider_id: str = HARBOR) -> None:
    """Mia Lund, another access manager with her own second step."""
    hashed = passwords.hashed(world.database.ring, PASSWORD)
    with transaction(world.database) as db:
        mia = people.create(db, display_name="Mia Lund", emails=["mia@example.com"], ial=2)
        local_logins.add(db, mia.id, "mia.lund", hashed)
        second_factor.install(db, mia.id, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
        affiliations.approve(db, account_id=mia.id, provider_id=provider_id, by="operator")
        appointments.appoint(
            db, account_id=mia.id, provider_id=provider_id, line=line, by="operator", verified_by="operator"
        )
        terms.accept(db, mia.id, [d.id for d in terms.current(db)])
        attestations.attest(db, mia.id, capacity="authorised_agent", principal="Harbor Imaging")
