"""The sign-in pages withstand what browsers and strangers do to them."""

from datetime import timedelta

import pytest
from freezegun import freeze_time

from idp import clock
from idp.accounts import terms
from idp.database import transaction
from tests.sign_in_world import PASSWORD, World, code_now, sign_in


def test_security_18_a_session_is_new_at_sign_in_and_its_secret_changes_with_its_strength(world: World) -> None:
    browser = world.browser()
    browser.cookies["localhost:8000"] = {"idp_8000_session": "chosen-by-somebody-else"}
    sign_in(browser, "wes.kane")
    first = browser.cookie("session")
    assert first != "chosen-by-somebody-else"
    browser.submit("Confirm", code=code_now())
    second = browser.cookie("session")
    assert first != second
    thief = world.browser()
    thief.cookies["localhost:8000"] = {"idp_8000_session": str(first)}
    assert thief.get("/account").path == "/sign-in"
    assert world.count("session") == 1


def test_security_18_signing_in_again_ends_the_former_session(world: World) -> None:
    browser = sign_in(world.browser())
    old = browser.cookie("session")
    browser.get("/sign-in?other=true").submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
    thief = world.browser()
    thief.cookies["localhost:8000"] = {"idp_8000_session": str(old)}
    assert thief.get("/account").path == "/sign-in"
    assert world.count("session", "ended_at IS NULL") == 1


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%0d%0aLocation:%20https://evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "account",
        "",
        "/\u2215evil.example",
    ],
)
def test_no_open_redirect(world: World, where: str) -> None:
    from urllib.parse import quote

    browser = world.browser().get(f"/sign-in?next={quote(where, safe='%')}")
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
    assert browser.left is None
    assert browser.url.startswith("http://localhost:8000/")
    browser.get(f"/sign-in?next={quote(where, safe='%')}")
    assert browser.left is None


@pytest.mark.parametrize(
    "path", ["/sign-in", "/sign-in/password", "/sign-in/confirm", "/sign-out", "/link", "/terms", "/account/password"]
)
def test_security_26_a_form_from_elsewhere_is_refused(world: World, path: str) -> None:
    browser = sign_in(world.browser())
    browser.post(path, {"username": "wes.kane", "password": PASSWORD})
    assert browser.status == 403
    browser.get("/account")
    key = browser.form_key()
    browser.post(path, {"form_key": key}, origin="https://evil.example")
    assert browser.status == 403
    stranger = world.browser().get("/sign-in")
    browser.post(path, {"form_key": stranger.form_key()})
    assert browser.status == 403
    assert browser.get("/account").path == "/account"


def test_security_26_get_never_signs_out(world: World) -> None:
    browser = sign_in(world.browser()).get("/sign-out")
    assert browser.status == 200
    assert browser.get("/account").path == "/account"
    browser.get("/sign-out").submit("Sign out")
    assert browser.path == "/signed-out"
    assert browser.cookie("session") is None
    assert browser.get("/account").path == "/sign-in"
    assert world.count("session", "ended_because = 'signed_out'") == 1


def test_security_11_a_journey_belongs_to_the_browser_that_began_it(world: World) -> None:
    flow = world.browser().get("/sign-in").url.partition("flow=")[2]
    other = world.browser()
    other.get("/sign-in")
    for path in ("/sign-in", "/sign-in/password", "/sign-in/organizations", "/login/ups_evergreen", "/link"):
        assert other.get(f"{path}?flow={flow}").status == 400
    assert other.get("/sign-in?flow=flw_invented").status == 400


def test_security_11_a_later_step_is_refused_without_the_earlier_ones(world: World) -> None:
    browser = world.browser().get("/sign-in")
    flow = browser.url.partition("flow=")[2]
    assert browser.get(f"/sign-in/password?flow={flow}").path == "/sign-in"
    assert browser.get(f"/link?flow={flow}").status == 400
    for path in ("/sign-in/confirm", "/link/confirm", "/terms", "/attest", "/sign-in/enroll"):
        assert browser.get(f"{path}?flow={flow}").path == "/sign-in"
    assert browser.get(f"/invitations/confirm?flow={flow}").status == 410
    assert browser.get(f"/invitations/register?flow={flow}").status == 410


def test_a_journey_ends_after_ten_minutes(world: World) -> None:
    browser = world.browser().get("/sign-in")
    with freeze_time(clock.now() + timedelta(minutes=10, seconds=1), tick=True):
        browser.submit("Continue", username="ana.ruiz")
    assert browser.status == 400
    assert "start again" in browser.text


def test_security_19_a_session_ends_after_fifteen_idle_minutes_and_after_twelve_hours(world: World) -> None:
    browser = sign_in(world.browser())
    start = clock.now()
    with freeze_time(start, tick=True) as time:
        for _ in range(51):
            time.tick(timedelta(minutes=14))
            assert browser.get("/account").path == "/account"
        time.tick(timedelta(minutes=14))
        assert browser.get("/account").path == "/sign-in"
    browser = sign_in(world.browser())
    with freeze_time(clock.now() + timedelta(minutes=15, seconds=16), tick=True):
        assert browser.get("/account").path == "/sign-in"


def test_a_partner_domain_is_offered_its_organization_beside_the_password(world: World) -> None:
    browser = world.browser().get("/sign-in").submit("Continue", username="who@Evergreen.Example")
    assert "Continue at Evergreen Billing" in browser.text
    assert "Password" in browser.text
    assert "ana" not in browser.url
    browser.click("Continue at Evergreen Billing")
    assert browser.path == "/link"


def test_the_organization_used_last_on_this_device_comes_first_and_only_there(world: World) -> None:
    from tests.sign_in_world import link_ana

    link_ana(world)
    browser = world.browser().get("/login/ups_evergreen").get("/sign-out").submit("Sign out")
    assert "last used on this device" in browser.get("/sign-in").text
    assert "last used" not in world.browser().get("/sign-in").text


def test_organizations_are_found_by_search(world: World) -> None:
    browser = world.browser().get("/sign-in/organizations")
    assert "Organizations (2)" in browser.text
    browser.submit("Search", q="lake")
    assert "Organizations that match (1)" in browser.text
    assert "No match" in browser.submit("Search", q="<b>nobody").text
    assert "<b>nobody" not in browser.response.text


def test_t_01_terms_are_shown_in_full_and_accepted_one_by_one(world: World) -> None:
    with transaction(world.database) as db:
        made = terms.publish(db, kind="site", version="3.0", title="Site-specific terms", body="One.\n\n<b>Two</b>.")
    browser = sign_in(world.browser())
    assert "Read and accept the terms" in browser.text
    browser.click("Read and accept the terms")
    assert "version 3.0" in browser.text.lower()
    assert "&lt;b&gt;Two" in browser.response.text
    browser.submit("Accept and continue")
    assert browser.status == 422
    assert browser.title.startswith("Error: ")
    browser.submit("Decline")
    assert "Nothing was deleted" in browser.text
    assert world.events("accounts.terms.declined") == 1
    browser.get("/terms").submit("Accept and continue", accept=made.id)
    assert browser.path == "/account"
    assert "terms_accepted" in world.mails()


def test_t_06_a_version_published_while_reading_is_asked_for(world: World) -> None:
    with transaction(world.database) as db:
        old = terms.publish(db, kind="site", version="3.0", title="Site-specific terms", body="Three.")
    browser = sign_in(world.browser()).get("/terms")
    with transaction(world.database) as db:
        terms.publish(db, kind="site", version="4.0", title="Site-specific terms", body="Four.")
    browser.submit("Accept and continue", accept=old.id)
    assert browser.status == 422
    assert "version 4.0" in browser.text.lower()
    assert world.count("terms_acceptance") == 4


def test_managers_always_use_their_second_step_and_others_may_set_one_up(world: World) -> None:
    browser = sign_in(world.browser(), "wes.kane")
    assert browser.path == "/sign-in/confirm"
    ana = sign_in(world.browser())
    assert ana.path == "/account"
    assert ana.get("/sign-in/confirm").path == "/sign-in/enroll"
    ana.submit("Set up an authenticator app")
    picture = ana.get("/sign-in/enroll/qr.svg")
    assert picture.response.headers["content-type"] == "image/svg+xml"
    assert picture.response.headers["cache-control"] == "no-store"
    assert "style=" not in picture.response.text
    assert world.browser().get("/sign-in/enroll/qr.svg").path == "/sign-in"


def test_security_24_adding_a_second_step_to_one_that_exists_asks_for_it_first(world: World) -> None:
    browser = sign_in(world.browser(), "wes.kane").get("/sign-in/enroll")
    assert browser.path == "/sign-in/confirm"
    assert world.count("factor", "confirmed_at IS NULL") == 0


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/organizations", "/signed-out", "/invitations/x", "/account"])
def test_security_82_pages_carry_the_strict_policy_and_are_not_stored(world: World, path: str) -> None:
    browser = world.browser().get(path)
    policy = browser.response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert browser.response.headers["cache-control"] == "no-store"
    assert "<script>" not in browser.response.text
    assert " style=" not in browser.response.text


def test_the_mailbox_exists_in_development_only(world: World) -> None:
    browser = world.browser().get("/mailbox")
    assert "A login was added to your account" in browser.text
    object.__setattr__(world.app.state.service, "settings", world.settings.model_copy(update={"development": False}))
    assert world.sites["http://localhost:8000"].get("/mailbox").status_code == 404


@pytest.mark.parametrize(
    "value", ["\x00", "a" * 300, "\ud7ff\U0010ffff", "'; DROP TABLE account; --", "%00", "{{7*7}}"]
)
def test_security_83_odd_input_is_answered_clearly(world: World, value: str) -> None:
    browser = world.browser().get("/sign-in").submit("Continue", username=value)
    assert browser.status in (200, 400, 422)
    if browser.status == 200:
        browser.submit("Sign in", password=value)
        assert browser.status in (400, 401)
