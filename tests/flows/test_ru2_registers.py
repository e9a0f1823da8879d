"""RU-2: a person registers: TINs, profile, NPI, confirmed e-mail, then waits for the access manager (T-07, T-12).

Accept: bad NPI refused with the reason; unknown TIN starts RU-2b (first person, W-1); access managers notified; nothing
visible until approval. W-2: only managers of that TIN and line; concurrent decisions: first wins, second sees outcome.
"""

from datetime import timedelta

from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts import attestations, local_logins, passwords, people, second_factor, terms
from idp.database import reading, transaction
from idp.entitlements import asking
from idp.entitlements.decision import OURSELVES, Question
from idp.providers import affiliations, organisations
from idp.registration import waiting
from idp.wam import appointments
from tests.browser import Browser
from tests.flows.registering import (
    HARBOR,
    TIN,
    UNKNOWN,
    WORKS,
    code_for,
    harbor,
    mails_to,
    manager,
    registered,
    to_the_email,
    to_the_end,
    to_the_login,
    world,
)
from tests.sign_in_world import PASSWORD, World, sign_in

__all__ = ["harbor", "world"]


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


def test_ru2_from_the_first_page_to_the_approval(harbor: World) -> None:
    nina = registered(harbor)
    account_id, status = account_of(harbor)
    assert nina.path == "/register/waiting"
    assert "Waiting for your access manager" in nina.text
    assert "W. K." in nina.text
    assert "Wes" not in nina.text
    assert "Harbor Imaging" not in nina.text
    assert "3456789" not in nina.response.text
    assert status == "verified"
    # nothing is usable before approval: no home, no decision, no practice
    assert nina.get("/account").path == "/register/waiting"
    assert outcome_of(harbor, account_id) == "account_inactive"
    assert nina.get(f"/p/{HARBOR}/people").status == 404
    assert sign_in(harbor.browser(), "nina.frost").path == "/sign-in/confirm"
    assert [m for m, _ in mails_to(harbor, "wes@example.com")].count("application_waiting") == 1

    wes = open_application(manager(harbor))
    assert "Nina Frost asks to work for Harbor Imaging" in wes.text
    assert "nina@example.com (confirmed)" in wes.text
    assert "User name and password, and a second step" in wes.text
    assert "Job asked for Biller" in wes.text
    wes.submit("Approve Nina Frost")
    assert "Wes Kane approved Nina Frost" in wes.text
    assert account_of(harbor)[1] == "active"
    assert "What can I do, Nina Frost?" in nina.get("/account").text
    assert "Harbor Imaging" in nina.text
    assert [m for m, _ in mails_to(harbor, "nina@example.com")][-1] == "application_approved"
    # both gates are open now, so only the record of the claim is missing
    assert outcome_of(harbor, account_id) == "purpose_not_permitted"
    assert harbor.events("registration.application.submitted") == 1
    assert harbor.events("registration.application.approved") == 1
    assert "Nothing waits" in wes.get(f"/p/{HARBOR}/inbox").text


def test_ru2_a_bad_npi_is_refused_with_the_reason(harbor: World) -> None:
    wrong = {
        "1234567890": "1234567890 has a wrong check digit",
        "3234567893": "does not begin with 1 or 2",
        "12345": "Enter a 10-digit NPI.",
        "\uff11234567893": "Enter a 10-digit NPI.",
        "": "Enter a 10-digit NPI.",
    }
    licence = {"licence_state": "IL", "licence_number": "036-123456", "licence_until": "11/30/2027"}
    browser = to_the_email(harbor.browser(), clinician="yes", npi="x", **licence)
    for npi, sentence in wrong.items():
        browser.submit("Continue", npi=npi, clinician="yes", capacity="employee")
        assert browser.status == 422
        assert sentence in browser.text
        assert browser.title.startswith("Error:")
    browser.submit("Continue", npi="1234567893")
    assert browser.path == "/register/email"


def test_ru2_everything_wrong_with_a_profile_is_told_at_once(harbor: World) -> None:
    browser = to_the_email(
        harbor.browser(),
        given_name="Front",
        family_name="Desk 2",
        capacity="agent",
        clinician="yes",
        licence_state="XX",
        licence_number="?",
        licence_until="1/1/2020",
        starts="13/45/2026",
    )
    assert browser.status == 422
    for sentence in (
        "An account belongs to one person",
        "An authorized agent needs a last day",
        "two letters of the state",
        "2 to 20 letters and digits",
        "This license has expired",
        "There is no such day",
    ):
        assert sentence in browser.text, sentence


def test_ru2_wrong_tins_are_refused(harbor: World) -> None:
    browser = harbor.browser().get("/register").submit("Continue", way="new")
    for tins, sentence in {
        "": "Enter the TIN",
        "1234": "nine digits",
        "12-3456789\nabc": "Number 2 does not",
        "\n".join(f"12{n:07d}" for n in range(51)): "at most 50",
    }.items():
        browser.submit("Continue", tins=tins)
        assert browser.status == 422
        assert sentence in browser.text


def test_ru2_fifty_tins_are_fifty_applications_and_an_unusual_prefix_only_warns(harbor: World) -> None:
    tins = "\n".join(f"00{n:07d}" for n in range(49)) + f", {TIN}, {TIN}"
    browser = to_the_login(harbor, harbor.browser(), tins=tins)
    browser.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    to_the_end(browser)
    assert "Numbers that begin like this are not in use" in browser.text
    browser.submit("Send to my access manager")
    assert harbor.count("application") == 50
    assert harbor.count("first_manager_claim", "status = 'open'") == 49


def test_ru2b_an_unknown_tin_starts_a_first_managers_claim_and_the_second_learns_no_more(harbor: World) -> None:
    first = registered(harbor, tins=UNKNOWN)
    assert "You are the first person from this practice" in first.text
    second = registered(harbor, tins=UNKNOWN, name="omar.diaz", email="omar@example.com", given_name="Omar")
    assert "This practice has an access manager, who decides" in second.text
    assert "Nina" not in second.text
    assert "N. F." not in second.text
    assert harbor.count("first_manager_claim") == 1
    assert harbor.events("registration.claim.opened") == 1


def test_security_11_no_step_is_taken_before_the_ones_it_needs(harbor: World) -> None:
    browser = harbor.browser().get("/register").submit("Continue", way="new")
    r, key = browser.url.rpartition("r=")[2], browser.form_key()
    attempts = {
        "/register/you": WORKS | {"given_name": "Nina", "family_name": "Frost"},
        "/register/email": {"email": "nina@example.com"},
        "/register/email/code": {"code": "AAAA-AAAA"},
        "/register/login": {"user_name": "nina.frost", "password": PASSWORD},
        "/register/login/outside": {},
    }
    for path, fields in attempts.items():
        browser.post(path, {"r": r, "form_key": key, **fields})
        assert browser.status == 409, path
        assert "first" in browser.text
    assert browser.post("/register/send", {"r": r, "form_key": key}).status == 401
    assert harbor.events("registration.registration.refused") == len(attempts)
    for path in ("/register/you", "/register/email", "/register/email/code", "/register/login"):
        assert browser.get(f"{path}?r={r}").path == "/register/practices"
    assert harbor.count("account") == 2
    assert mails_to(harbor, "nina@example.com") == []


def test_security_11_another_browser_or_person_does_not_go_on_with_a_registration(harbor: World) -> None:
    browser = to_the_login(harbor, harbor.browser())
    r = browser.url.rpartition("r=")[2]
    thief = harbor.browser().get("/register")
    thief.post(
        "/register/login",
        {"r": r, "form_key": thief.form_key(), "user_name": "thief", "password": PASSWORD},
    )
    assert thief.status == 400
    assert thief.get(f"/register/login?r={r}").status == 400
    # the right browser, but Ana has signed in on it meanwhile
    sign_in(browser)
    assert browser.get(f"/register/login?r={r}").status == 400
    assert harbor.count("account") == 2
    # and once it is Nina's, Ana can't send it either
    nina = to_the_login(harbor, harbor.browser(), email="nina2@example.com")
    nina.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    to_the_end(nina)
    address = nina.url
    nina.submit("Sign out")
    sign_in(nina)
    assert nina.path == "/account"
    assert nina.get(address).status == 400
    key = nina.get("/account").form_key()
    assert nina.post("/register/send", {"r": address.rpartition("r=")[2], "form_key": key}).status == 400
    assert harbor.count("application") == 0


def test_security_11_the_back_button_and_a_second_click_make_nothing_twice(harbor: World) -> None:
    browser = to_the_login(harbor, harbor.browser())
    r, key = browser.url.rpartition("r=")[2], browser.form_key()
    fields = {"r": r, "form_key": key, "user_name": "nina.frost", "password": PASSWORD}
    browser.post("/register/login", fields)
    assert browser.path == "/terms"
    browser.post("/register/login", fields | {"user_name": "nina.again"})
    assert browser.status == 400
    browser.post("/register/email", {"r": r, "form_key": key, "email": "other@example.com"})
    assert browser.status == 400
    assert harbor.count("account") == 3
    browser.get(f"/register/send?r={r}")
    to_the_end(browser)
    browser.submit("Send to my access manager")
    browser.post("/register/send", {"r": r, "form_key": browser.form_key()})
    assert browser.status == 400
    assert harbor.count("application") == 1


def test_security_11_answers_may_be_changed_until_they_are_sent(harbor: World) -> None:
    browser = to_the_login(harbor, harbor.browser(), tins=UNKNOWN)
    browser.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    to_the_end(browser)
    browser.click("Change my answers").submit("Continue", bundle="front_desk", capacity="employee")
    assert browser.path == "/register/send"
    assert "Front desk" in browser.text
    browser.click("Change the practices").submit("Continue", tins=TIN)
    assert "TIN ending 6789" in browser.text
    browser.submit("Send to my access manager")
    assert "W. K." in browser.text
    assert account_of(harbor)[1] == "verified"


def test_security_11_terms_attestation_and_second_step_come_before_sending(harbor: World) -> None:
    browser = to_the_login(harbor, harbor.browser())
    r = browser.url.rpartition("r=")[2]
    browser.submit("Create my account", user_name="nina.frost", password=PASSWORD)
    browser.post("/register/send", {"r": r, "form_key": browser.form_key()})
    assert browser.status == 409
    assert harbor.count("application") == 0
    assert browser.get(f"/register/send?r={r}").path == "/terms"


def test_security_9_a_known_address_gets_the_same_answer_and_no_code(harbor: World) -> None:
    with transaction(harbor.database) as db:
        people.add_contact(db, harbor.ids()["ana"], "ana@example.com", verified=True)
    pages = []
    for address in ("ana@example.com", "new@example.com"):
        browser = to_the_email(harbor.browser()).submit("Mail me a code", email=address)
        pages.append(
            (
                browser.status,
                browser.text.replace(address, "X"),
                sorted(browser.cookies["testserver"]) if "testserver" in browser.cookies else (),
            )
        )
        wrong = browser.submit("Confirm my e-mail", code="AAAA-AAAA")
        pages.append((wrong.status, wrong.text.replace(address, "X"), ()))
    assert pages[0] == pages[2]
    assert pages[1] == pages[3]
    assert [m for m, _ in mails_to(harbor, "ana@example.com")][-1] == "registration_known"
    assert [m for m, _ in mails_to(harbor, "new@example.com")] == ["registration_code"]
    # never linked by e-mail: Ana's account gained nothing
    assert harbor.count("login", "ended_at IS NULL") == 2


def test_security_15_a_code_counts_once_for_its_request_and_five_wrong_ones_end_it(harbor: World) -> None:
    one = to_the_email(harbor.browser()).submit("Mail me a code", email="nina@example.com")
    theirs = code_for(harbor, "nina@example.com")
    other = to_the_email(harbor.browser()).submit("Mail me a code", email="nina@example.com")
    mine = code_for(harbor, "nina@example.com")
    assert one.submit("Confirm my e-mail", code=mine).status == 422, "a code counts for the request that asked for it"
    for _ in range(5):
        assert other.submit("Confirm my e-mail", code="AAAA-AAAA").status == 422
    assert other.submit("Confirm my e-mail", code=mine).status == 422, "the fifth wrong one ended it"
    one.submit("Confirm my e-mail", code=theirs.lower().replace("-", " "))
    assert one.path == "/register/login"
    r = one.url.rpartition("r=")[2]
    one.post("/register/email/code", {"r": r, "form_key": one.form_key(), "code": theirs})
    assert one.status == 422
    with freeze_time(clock.now() + timedelta(hours=24), tick=True):
        assert one.get(f"/register/login?r={r}").status == 400


def test_t19_a_shared_mailbox_or_user_name_is_refused(harbor: World) -> None:
    browser = to_the_email(harbor.browser()).submit("Mail me a code", email="Front.Desk2@harbor.example")
    assert browser.status == 422
    assert "not one your team shares" in browser.text
    browser.submit("Mail me a code", email="nina@example.com")
    browser.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    browser.submit("Create my account", user_name="billing.team", password=PASSWORD)
    assert browser.status == 422
    assert "belongs to one person" in browser.text


def test_w2_the_first_decision_wins_and_the_second_sees_the_outcome(harbor: World) -> None:
    registered(harbor)
    second_manager(harbor)
    wes, mia = open_application(manager(harbor)), open_application(manager(harbor, "mia.lund"))
    mia.submit("Deny", reason="We don't know you")
    assert "Mia Lund denied this" in mia.text
    wes.submit("Approve Nina Frost")
    assert wes.status == 409
    assert "Mia Lund denied this application. What you chose was not done." in wes.text
    assert account_of(harbor)[1] == "verified"
    assert harbor.count("affiliation", f"provider_id = '{HARBOR}' AND account_id = '{account_of(harbor)[0]}'") == 0
    template, facts = mails_to(harbor, "nina@example.com")[-1]
    assert (template, facts["reason"]) == ("application_denied", "We don't know you")
    waits = sign_in(harbor.browser(), "nina.frost")
    assert waits.path == "/sign-in/confirm"


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


def test_w2_managers_of_another_practice_or_line_see_nothing(harbor: World) -> None:
    registered(harbor)
    with reading(harbor.database) as db:
        application = str(db.execute(text("SELECT id FROM application")).scalar_one())
    second_manager(harbor, line="dental")
    with transaction(harbor.database) as db:
        organisations.open_portal(db, HARBOR, "dental", by="operator")
        organisations.agree(db, HARBOR, "dental")
    mia = manager(harbor, "mia.lund")
    assert "Nothing waits" in mia.get(f"/p/{HARBOR}/inbox").text
    for path in (f"/p/{HARBOR}/applications/{application}", f"/p/prv_lakeside/applications/{application}"):
        assert mia.get(path).status == 404
    wes = manager(harbor, steps=1)
    assert wes.get(f"/p/{HARBOR}/applications/{application}").status == 200
    key = wes.form_key()
    # a manager of another practice, too, decides nothing there by naming it in the address
    wes.post(
        f"/p/prv_lakeside/applications/{application}", {"form_key": key, "answer": "approve", "capacity": "employee"}
    )
    assert wes.status in (403, 404)
    assert account_of(harbor)[1] == "verified"


def test_w2_a_manager_may_alter_what_was_asked(harbor: World) -> None:
    registered(harbor)
    wes = open_application(manager(harbor))
    wes.submit("Approve Nina Frost", capacity="agent", bundle="front_desk", ends="11/30/2020")
    assert wes.status == 422
    day = clock.now() + timedelta(days=40)
    wes.submit("Approve Nina Frost", capacity="agent", bundle="front_desk", ends=f"{day:%m/%d/%Y}")
    account_id, _ = account_of(harbor)
    with reading(harbor.database) as db:
        row = db.execute(
            text("SELECT capacity, ends_at FROM affiliation WHERE account_id = :a"), {"a": account_id}
        ).one()
        keys = {
            str(r[0])
            for r in db.execute(text('SELECT entitlement FROM "grant" WHERE account_id = :a'), {"a": account_id})
        }
    assert row[0] == "agent"
    assert clock.from_micros(row[1]).date() >= day.date()
    assert "precert.view" in keys
    assert "claim.detail.view" not in keys


def test_w2_nobody_decides_about_their_own_application(harbor: World) -> None:
    ana = sign_in(harbor.browser())
    ana.get("/register").submit("Continue")
    ana.submit("Continue", tins=TIN).submit("Continue", capacity="employee", clinician="no")
    assert ana.path in ("/sign-in/enroll", "/register/send")
    # Wes is affiliated with Harbor already: his own registration has nothing to send
    wes = manager(harbor)
    wes.get("/register").submit("Continue")
    wes.submit("Continue", tins=TIN).submit("Continue", capacity="employee", clinician="no")
    assert "You work for this practice already" in wes.text
    wes.submit("Send to my access manager")
    assert wes.status == 409
    assert harbor.count("application") == 0


def test_t22_somebody_with_an_account_adds_a_practice_with_it(harbor: World) -> None:
    second_manager(harbor, provider_id="prv_lakeside", line="dental")
    mia = harbor.browser().get("/register").submit("Continue", way="existing")
    assert mia.path == "/sign-in"
    mia.submit("Continue", username="mia.lund").submit("Sign in", password=PASSWORD)
    from tests.sign_in_world import code_now

    mia.submit("Confirm", code=code_now())
    assert mia.path == "/register"
    assert "signed in as Mia Lund" in mia.text
    mia.submit("Continue").submit("Continue", tins=TIN).submit("Continue", capacity="representative", clinician="no")
    assert mia.path == "/register/send"
    mia.submit("Send to my access manager")
    assert "W. K." in mia.text
    assert harbor.count("account") == 3
    home = mia.get("/account")
    assert "Waiting for an access manager" in home.text


def test_t23_with_an_affiliates_login_from_an_unknown_login_on(harbor: World) -> None:
    harbor.lakeside.person = {"sub": "ls-nina", "email": "ana@example.com", "email_verified": True}
    browser = harbor.browser().get("/login/ups_lakeside")
    assert browser.path == "/link"
    browser.submit("Continue", choice="new")
    assert "You signed in at Lakeside Health System" in browser.text
    browser.submit("Continue").submit("Continue", tins=TIN)
    browser.submit("Continue", given_name="Nina", family_name="Frost", **WORKS)
    browser.submit("Mail me a code", email="nina@example.com")
    browser.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    assert "It will open your account here" in browser.text
    browser.submit("Create my account")
    to_the_end(browser).submit("Send to my access manager")
    assert browser.path == "/register/waiting"
    assert harbor.count("login", "subject = 'ls-nina' AND ended_at IS NULL") == 1
    ana = harbor.ids()["ana"]
    assert harbor.count("login", f"account_id = '{ana}'") == 1, "never linked by e-mail"


def test_t24_with_a_third_partys_login_chosen_at_the_login_step(harbor: World) -> None:
    harbor.evergreen.person = {"sub": "ev-nina", "email": "n@evergreen.example", "email_verified": True}
    browser = harbor.browser().get("/register").submit("Continue", way="third_party").submit("Continue", tins=TIN)
    assert "My job there" not in browser.text, "their functions come from the delegation"
    browser.submit("Continue", given_name="Nina", family_name="Frost", capacity="employee", clinician="no")
    browser.submit("Mail me a code", email="nina@example.com")
    browser.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    assert "Lakeside Health System" not in browser.text, "an affiliate is another way"
    browser.click("Evergreen Billing")
    assert browser.path == "/register/login"
    browser.submit("Create my account")
    to_the_end(browser).submit("Send to my access manager")
    wes = open_application(manager(harbor))
    assert "Comes from Evergreen Billing" in wes.text
    wes.submit("Approve Nina Frost")
    account_id, _ = account_of(harbor)
    assert harbor.count("affiliation", f"account_id = '{account_id}' AND partner_id = 'ptr_evergreen'") == 1


def test_security_35_a_partner_suspended_while_somebody_registers_makes_no_account(harbor: World) -> None:
    browser = harbor.browser().get("/login/ups_lakeside").submit("Continue", choice="new")
    browser.submit("Continue").submit("Continue", tins=TIN)
    browser.submit("Continue", given_name="Nina", family_name="Frost", **WORKS)
    browser.submit("Mail me a code", email="nina@example.com")
    browser.submit("Confirm my e-mail", code=code_for(harbor, "nina@example.com"))
    harbor.set_partner("ptr_lakeside", "suspended")
    browser.submit("Create my account")
    assert "paused" in browser.text
    assert harbor.count("account") == 2


def test_domain_7_managers_are_reminded_then_the_insurer_then_it_ends(harbor: World) -> None:
    registered(harbor)
    begun = clock.now()
    seen = []
    for days in (2, 3, 3, 7, 14, 30, 31):
        with freeze_time(begun + timedelta(days=days, minutes=5)), transaction(harbor.database) as db:
            seen.append(waiting.tend(db))
    assert seen == [0, 1, 0, 1, 1, 1, 0]
    mails = harbor.mails()
    assert mails.count("application_reminder") == 2
    assert mails.count("application_escalated") == 1
    assert mails.count("application_expired") == 1
    assert harbor.count("application", "status = 'expired'") == 1


def test_a_person_takes_an_application_back_and_nobody_else_can(harbor: World) -> None:
    nina = registered(harbor)
    with reading(harbor.database) as db:
        application = str(db.execute(text("SELECT id FROM application")).scalar_one())
    ana = sign_in(harbor.browser())
    key = ana.form_key()
    assert ana.post(f"/register/waiting/{application}/withdraw", {"form_key": key}).status == 404
    nina.submit("Take back the application")
    assert "You took it back" in nina.text
    wes = manager(harbor)
    assert "Nothing waits" in wes.get(f"/p/{HARBOR}/inbox").text
