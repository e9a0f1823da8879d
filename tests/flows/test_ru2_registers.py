"""RU-2: a person registers: TINs, profile, NPI, confirmed e-mail, then waits for the access manager (T-07, T-12).

Accept: bad NPI refused with the reason; unknown TIN starts RU-2b (first person, W-1); access managers notified; nothing
visible until approval.
W-2, what managers do about it: test_w2_applications.py; the ways to register: test_ru2_routes_and_claims.py.
"""

from datetime import timedelta

from freezegun import freeze_time

from idp import clock
from idp.accounts import people
from idp.database import transaction
from tests.flows.registering import (
    HARBOR,
    TIN,
    UNKNOWN,
    WORKS,
    account_of,
    code_for,
    harbor,
    mails_to,
    manager,
    open_application,
    outcome_of,
    registered,
    to_the_email,
    to_the_end,
    to_the_login,
    world,
)
from tests.sign_in_world import PASSWORD, World, sign_in

__all__ = ["harbor", "world"]


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
