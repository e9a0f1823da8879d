"""A whole journey: an app sends the person here, they sign in one way or another, and land in the app."""

import base64
import re
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest

from idp.accounts import terms
from idp.accounts.assurance import AAL2
from idp.database import transaction
from idp.oauth import clients
from idp.web import authorize
from tests.browser import Browser
from tests.fakes.upstreams.oidc import answered
from tests.flows.test_plain_sign_in import rows
from tests.sign_in_world import PASSWORD, World, code_now, link_ana, sign_in

APP = "https://claims.meridian.example/callback"
CHALLENGE = base64.urlsafe_b64encode(sha256(b"v" * 43).digest()).rstrip(b"=").decode()


@pytest.fixture
def claims(world: World) -> World:
    with transaction(world.database) as db:
        clients.register(db, client_id="claims", name="Claims", redirect_uris=[APP])
    return world


def asked_for(**more: str) -> dict[str, str]:
    """What the app asks."""
    return {
        "response_type": "code",
        "client_id": "claims",
        "redirect_uri": APP,
        "scope": "openid",
        "state": "st",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }


def ask(browser: Browser, **more: str) -> Browser:
    """Arrive from the app."""
    return browser.get("/oauth/authorize?" + urlencode(asked_for(**more)))


def landed(browser: Browser) -> dict[str, str]:
    assert browser.left is not None, (browser.status, browser.url, browser.text[:400])
    assert browser.left.startswith(APP)
    return answered(browser.left)


def test_ru3_from_the_app_through_the_affiliate_to_the_app(claims: World) -> None:
    link_ana(claims)
    browser = ask(claims.browser())
    assert "To continue to Claims" in browser.text
    browser.click("Find your organization").click("Evergreen Billing")
    assert landed(browser)["state"] == "st"
    assert landed(browser)["code"]


def test_figure_a_sign_in_from_an_app_begins_at_its_first_page(claims: World) -> None:
    browser = ask(claims.browser())
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
    assert landed(browser)["code"]
    ways = ["GET /oauth/authorize", "POST /sign-in", "GET /sign-in/password", "POST /sign-in/password"]
    assert browser.trail == ways


def test_security_11_the_first_page_is_shown_by_authorize_only_where_nobody_is_there_and_nothing_is_hinted(
    claims: World,
) -> None:
    browser = ask(claims.browser())
    assert (browser.path, browser.title) == ("/oauth/authorize", "Sign in · Meridian Health Plan")
    first = browser.flow()
    ask(browser)
    assert browser.flow() != first, "asked again, it is another journey"
    browser.get(f"/sign-in?flow={first}")
    assert browser.flow() == first, "and the one before goes on where it was, in this browser"
    assert claims.browser().get(f"/sign-in?flow={first}").status == 400
    signed_in = sign_in(claims.browser())
    assert ask(signed_in, prompt="login").path == "/sign-in"
    assert ask(claims.browser(), idp="https://nobody.example").path != "/oauth/authorize"
    machine = claims.sites[claims.settings.issuer].get(
        "/oauth/authorize?" + urlencode(asked_for()),
        headers={"accept": "application/json"},
        follow_redirects=False,
    )
    assert machine.headers["location"].startswith("/sign-in?flow="), "who wants no page gets an address"


def test_ru3_the_first_time_through_the_affiliate_with_proof_terms_and_attestation(claims: World) -> None:
    with transaction(claims.database) as db:
        terms.publish(db, kind="general", version="5.0", title="General terms", body="New.")
    browser = ask(claims.browser()).click("Find your organization").click("Evergreen Billing")
    assert browser.path == "/link"
    browser.submit("Continue", choice="existing")
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD).submit("Add this login")
    assert browser.path == "/terms"
    browser.submit("Accept and continue", accept=re.findall(r'value="(trm_[a-z0-9]+)"', browser.response.text))
    assert landed(browser)["code"]
    # The form policy of these pages lets the browser go on to the app after a form was sent.
    again = ask(claims.browser())
    assert "form-action 'self' https://claims.meridian.example" in again.response.headers["content-security-policy"]


def _in(browser: Browser, way: str) -> Browser:
    if way == "affiliate":
        return browser.click("Find your organization").click("Evergreen Billing")
    return browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)


@pytest.mark.parametrize("way", ["password", "affiliate"])
def test_figure_a_sign_in_that_leaves_nothing_to_do_brings_its_code_itself(
    claims: World, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Session, records and code are there together or not at all; authorize is asked again only to refuse."""
    link_ana(claims)
    _in(ask(claims.browser()), way)  # now the organization's metadata are known
    understood = []
    real = authorize.understand

    def counted(*given: Any, **more: Any) -> Any:
        understood.append(given)
        return real(*given, **more)

    monkeypatch.setattr(authorize, "understand", counted)
    codes, sessions = claims.count("authorization_code"), claims.count("session")
    browser = _in(ask(claims.browser()), way)
    assert landed(browser)["state"] == "st"
    assert len(understood) == 1, "when the app asked"
    assert (claims.count("authorization_code"), claims.count("session")) == (codes + 1, sessions + 1)
    assert browser.get("/account").path == "/account", "and signed in here"
    assert claims.count("flow", "ended_at IS NULL AND client_id IS NOT NULL") == 0
    [said] = rows(claims, "SELECT actor_id, session_id, client_id FROM audit_record ORDER BY seq DESC LIMIT 1")
    assert said[0] == claims.ids()["ana"]
    assert (said[1] is not None, said[2]) == (True, "claims"), "the record of the code says whose it is"
    denied = _in(ask(claims.browser(), acting_for="prv_nobodys"), way)
    assert landed(denied)["error"] == "access_denied"
    assert len(understood) == 3
    assert (claims.count("authorization_code"), claims.count("session")) == (codes + 1, sessions + 2)


def test_a_password_and_for_a_manager_the_second_step(claims: World) -> None:
    browser = ask(claims.browser())
    browser.submit("Continue", username="wes.kane").submit("Sign in", password=PASSWORD)
    assert browser.left is None
    browser.submit("Confirm", code=code_now())
    assert landed(browser)["code"]


def test_decisions_6_an_app_that_wants_more_strength_gets_it_by_setting_up_a_second_step(claims: World) -> None:
    browser = ask(claims.browser(), acr_values=AAL2)
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
    assert browser.path == "/sign-in/enroll"
    browser.submit("Set up an authenticator app")
    key = re.search(r"<code[^>]*>([A-Z2-7 ]+)</code>", browser.response.text)
    assert key
    browser.submit("Confirm and turn on", code=code_now(key.group(1).replace(" ", "")))
    browser.click("I have saved them")
    assert landed(browser)["code"]
    assert claims.count("session", "acr LIKE '%aal/2'") == 1


@pytest.mark.parametrize("more", [{"prompt": "login"}, {"max_age": "0"}])
def test_decisions_6_signing_in_anew_is_the_own_second_step_where_there_is_one(
    claims: World, more: dict[str, str]
) -> None:
    browser = sign_in(claims.browser(), "wes.kane").submit("Confirm", code=code_now(steps=-1))
    ask(browser, **more)
    assert browser.path == "/sign-in/confirm"
    browser.submit("Confirm", code=code_now())
    assert landed(browser)["code"]
    assert claims.count("session") == 1


@pytest.mark.parametrize("more", [{"prompt": "login"}, {"max_age": "0"}])
def test_signing_in_anew_is_the_password_where_there_is_no_second_step(claims: World, more: dict[str, str]) -> None:
    browser = sign_in(claims.browser())
    ask(browser, **more)
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD)
    assert landed(browser)["code"]


def test_an_app_may_name_the_organization(claims: World) -> None:
    link_ana(claims)
    assert landed(ask(claims.browser(), idp="ups_evergreen"))["code"]
    browser = ask(claims.browser(), idp="ups_invented", login_hint="ana.ruiz")
    assert browser.path == "/sign-in"
    assert 'value="ana.ruiz"' in browser.response.text


def test_no_at_any_page_goes_back_to_the_app(claims: World) -> None:
    browser = ask(claims.browser()).click("Cancel")
    assert landed(browser)["error"] == "access_denied"
    with transaction(claims.database) as db:
        terms.publish(db, kind="general", version="5.0", title="General terms", body="New.")
    browser = ask(claims.browser())
    browser.submit("Continue", username="ana.ruiz").submit("Sign in", password=PASSWORD).submit("Decline")
    assert landed(browser)["error"] == "access_denied"


def test_a_signed_in_person_passes_without_a_page(claims: World) -> None:
    assert landed(ask(sign_in(claims.browser())))["code"]
