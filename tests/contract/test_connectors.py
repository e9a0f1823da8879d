"""What only an OpenID Connect upstream can be asked, through the flow; the rest asks `test_every_connector.py`."""

import time
from urllib.parse import urlsplit

import pytest
from joserfc.jwk import RSAKey

from idp.federation import upstreams
from tests.browser import Browser
from tests.fakes.upstreams.oidc import GONE, answered
from tests.sign_in_world import World, link_ana

NOW = int(time.time())
HOSTILE_CLAIMS = {
    "nonce of another try": {"nonce": "n" * 43},
    "no nonce": {"nonce": GONE},
    "nonce as a list": {"nonce": ["a"]},
    "another audience": {"aud": "someone-else"},
    "no audience": {"aud": GONE},
    "a second audience": {"aud": ["meridian", "someone-else"], "azp": "meridian"},
    "another authorized party": {"azp": "someone-else"},
    "another issuer": {"iss": "https://evil.example"},
    "issuer with a slash": {"iss": "https://login.evergreen.example/"},
    "no issuer": {"iss": GONE},
    "expired": {"iat": NOW - 900, "exp": NOW - 600},
    "no expiry": {"exp": GONE},
    "expiry as text": {"exp": "never"},
    "expiry as true": {"exp": True},
    "made long ago": {"iat": NOW - 86_400},
    "made tomorrow": {"iat": NOW + 86_400, "exp": NOW + 90_000},
    "made at infinity": {"iat": 1e300, "exp": 1e301},
    "not yet": {"nbf": NOW + 86_400},
    "no subject": {"sub": GONE},
    "null subject": {"sub": None},
    "number as subject": {"sub": 17},
    "list as subject": {"sub": ["ev-1"]},
    "object as subject": {"sub": {"id": "ev-1"}},
    "empty subject": {"sub": ""},
    "subject of 10 kB": {"sub": "x" * 10_000},
    "subject of 256": {"sub": "x" * 256},
    "subject with NUL": {"sub": "ev-1\x00"},
    "subject with a line break": {"sub": "ev-1\n"},
    "signed in tomorrow": {"auth_time": NOW + 86_400},
    "sign-in time as text": {"auth_time": "now"},
}


def leave(world: World, browser: Browser | None = None) -> tuple[Browser, str]:
    """Go to Evergreen and come back only as far as its redirect; return it."""
    browser = browser or world.browser()
    browser.stop_at = None
    browser.get("/login/ups_evergreen")
    return browser, browser.url


def sent_back(world: World) -> tuple[Browser, str]:
    """Return a browser and the address Evergreen sends it back to, not yet followed."""
    browser = world.browser()
    browser.stop_at = world.evergreen.issuer
    browser.get("/login/ups_evergreen")
    assert browser.left is not None
    response = world.evergreen.client.get(browser.left, follow_redirects=False)
    return browser, response.headers["location"]


def assert_refused(world: World, browser: Browser, status: int = 502) -> None:
    assert browser.status == status, browser.text[:300]
    assert world.count("session") == 0
    assert browser.cookie("session") is None


def test_security_33_an_honest_answer_signs_in_and_the_request_was_complete(world: World) -> None:
    link_ana(world)
    browser, _ = leave(world)
    assert browser.path == "/account"
    asked = world.evergreen.asked[0]
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) >= 22
    assert len(asked["state"]) >= 22
    assert asked["redirect_uri"] == f"{world.settings.issuer}/login/ups_evergreen/callback"
    assert asked["response_type"] == "code"


def test_security_33_a_hostile_id_token_is_refused(world: World) -> None:
    link_ana(world)
    for count, (name, claims) in enumerate(HOSTILE_CLAIMS.items(), start=1):
        world.evergreen.claims = claims
        browser, _ = leave(world)
        assert "Evergreen Billing" in browser.text, name
        assert_refused(world, browser)
        assert world.events("federation.upstream.failed") == count, name
    world.evergreen.claims = {}
    assert leave(world)[0].path == "/account"  # none of them closed the way for an honest one


def test_security_33_only_pinned_algorithms_count_whatever_the_metadata_says(world: World) -> None:
    link_ana(world)
    for header in ({"alg": "none"}, {"alg": "HS256"}, {"alg": "NONE"}):
        world.evergreen.header = header if header["alg"] != "NONE" else {}
        if header["alg"] == "NONE":
            world.evergreen.sign_with = RSAKey.generate_key(2048, parameters={"kid": "rsa"}, private=True)
            world.evergreen.keys.append(world.evergreen.sign_with)  # published, but RS256 is not pinned
        browser, _ = leave(world)
        assert_refused(world, browser)
    assert all("algorithm" in r or "malformed" in r for r in world.reasons("federation.upstream.failed"))


def test_security_55_hostile_headers_are_refused(world: World) -> None:
    link_ana(world)
    for header in ({"jwk": {"kty": "EC"}}, {"jku": "https://evil.example/k"}, {"typ": "at+jwt"}):
        world.evergreen.header = header
        browser, _ = leave(world)
        assert_refused(world, browser)


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"issuer": "https://login.evergreen.example/"},
        {"issuer": None},
        {"token_endpoint": "http://login.evergreen.example/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": ["https://login.evergreen.example/authorize"]},
        {"jwks_uri": None},
    ],
)
def test_security_34_metadata_that_does_not_fit_the_record_is_refused(world: World, discovery: dict) -> None:
    world.evergreen.discovery = discovery
    browser, _ = leave(world)
    assert_refused(world, browser)
    assert world.evergreen.asked == []


def test_security_32_an_answer_that_names_another_issuer_is_refused_before_its_code_is_used(world: World) -> None:
    link_ana(world)
    world.evergreen.redirect = {"iss": "https://evil.example"}
    browser, _ = leave(world)
    assert_refused(world, browser)
    assert "/token" not in world.evergreen.calls
    world.evergreen.redirect = {"iss": world.evergreen.issuer}
    browser, _ = leave(world)
    assert browser.path == "/account"


def test_security_32_an_upstream_that_says_it_names_itself_must_do_so(world: World) -> None:
    link_ana(world)
    world.evergreen.discovery = {"authorization_response_iss_parameter_supported": True}
    browser, _ = leave(world)
    assert_refused(world, browser)


def test_security_31_a_callback_of_another_browser_is_refused_and_does_not_spoil_the_first(world: World) -> None:
    link_ana(world)
    browser, back = sent_back(world)
    victim = world.browser()
    victim.get("/sign-in")
    victim.get(back)
    assert_refused(world, victim, 400)
    bare = world.browser()
    bare.get(back)
    assert_refused(world, bare, 400)
    browser.get(back)
    assert browser.path == "/account"


@pytest.mark.parametrize("change", ["state=", "state=wrong", "&state=again", "&code=again", "&x=%00"])
def test_security_31_a_bent_callback_is_refused_with_a_clear_page(world: World, change: str) -> None:
    link_ana(world)
    browser, back = sent_back(world)
    parts = urlsplit(back)
    query = parts.query + change if change.startswith("&") else change
    browser.get(f"{parts.path}?{query}")
    assert_refused(world, browser, 400)


@pytest.mark.parametrize("status", ["suspended", "ended", "prospect", "due_diligence", "ready"])
def test_security_35_a_partner_not_in_good_standing_is_refused_at_the_beginning(world: World, status: str) -> None:
    world.set_partner("ptr_evergreen", status)
    browser, _ = leave(world)
    assert_refused(world, browser, 403)
    assert "Evergreen Billing logins are paused" in browser.text
    assert world.evergreen.calls == []


def test_security_35_a_disabled_upstream_is_refused_and_its_sessions_end(world: World) -> None:
    link_ana(world)
    browser, _ = leave(world)
    other, back = sent_back(world)
    from idp.database import transaction

    with transaction(world.database) as db:
        upstreams.change(db, "ups_evergreen", status="disabled")
    assert browser.get("/account").path == "/sign-in"
    other.get(back)
    assert other.status == 403
    assert leave(world)[0].status == 403


@pytest.mark.parametrize("mode", ["down", "slow", "garbage", "page", "elsewhere", "huge", "list", "deep", "error"])
def test_security_89_an_upstream_that_fails_meanwhile_gets_a_clear_page_and_other_logins_go_on(
    world: World, mode: str
) -> None:
    link_ana(world)
    browser, back = sent_back(world)
    world.evergreen.mode = mode
    browser.get(back)
    assert_refused(world, browser)
    assert "Evergreen Billing" in browser.text
    assert "Choose another way" in browser.text
    assert world.events("federation.upstream.failed") == 1
    world.lakeside.person = {"sub": "ls-1"}
    assert world.browser().get("/login/ups_lakeside").path == "/link"


@pytest.mark.parametrize("error", ["access_denied", "server_error", "login_required<script>"])
def test_ru3_no_from_the_organization_offers_another_way(world: World, error: str) -> None:
    world.evergreen.redirect = {"code": GONE, "error": error}
    browser, _ = leave(world)
    assert browser.status == (403 if error == "access_denied" else 502)
    assert "Choose another way" in browser.text
    assert "<script>" not in browser.response.text


def test_decisions_10_a_posted_callback_is_kept_and_fetched_by_the_browser_itself(world: World) -> None:
    link_ana(world)
    browser, back = sent_back(world)
    # A cross-site post: the browser sends no SameSite=Lax cookies with it.
    headers = {"no-cookies": "1", "origin": world.evergreen.issuer}
    browser.post("/login/ups_evergreen/callback", answered(back), **headers)
    assert browser.path == "/account"
    assert "code=" not in " ".join(browser.trail)
    browser.post("/login/ups_evergreen/callback", answered(back), **headers)
    assert browser.status == 400


def test_security_60_a_secret_goes_with_the_issuer_it_belongs_to(world: World) -> None:
    from idp.database import transaction
    from idp.errors import Invalid

    with pytest.raises(Invalid, match="secret"), transaction(world.database) as db:
        upstreams.change(db, "ups_evergreen", issuer="https://new.evergreen.example")
    with transaction(world.database) as db:
        assert upstreams.change(db, "ups_evergreen", issuer="https://new.evergreen.example", client_secret="new " * 9)
        assert b"new new" not in (upstreams.find(db, "ups_evergreen").client_secret or b"")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_both_ways_of_client_authentication_work(world: World, method: str) -> None:
    from idp.database import transaction

    link_ana(world)
    world.evergreen.client_secret = "50% of: a+b&c / long enough to be one"
    with transaction(world.database) as db:
        upstreams.change(
            db, "ups_evergreen", auth_method=method, client_secret=world.evergreen.client_secret, scopes=["openid"]
        )
    assert leave(world)[0].path == "/account"


def test_prompt_login_asks_the_organization_anew_and_checks_that_it_did(world: World) -> None:
    link_ana(world)
    browser = world.browser()
    browser.get("/sign-in?next=/oauth/authorize%3Fprompt%3Dlogin")
    flow = browser.url.partition("flow=")[2]
    browser.get(f"/login/ups_evergreen?flow={flow}")
    assert world.evergreen.asked[0]["max_age"] == "0"
    assert world.evergreen.asked[0]["prompt"] == "login"
    assert_refused(world, browser)  # without auth_time nobody knows that it did
