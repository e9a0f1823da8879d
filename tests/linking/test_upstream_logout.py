"""Sign-out across the border: Back-Channel Logout 1.0 towards us, RP-Initiated Logout 1.0 towards organizations."""

import time
from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from joserfc.jwk import ECKey, KeySet

from idp import clock
from idp.database import transaction
from idp.federation import client_keys, upstreams
from tests.browser import Browser
from tests.fakes.upstreams.oidc import GONE
from tests.sign_in_world import World, link_ana, sign_in

EVENT = "http://schemas.openid.net/event/backchannel-logout"
NOW = int(time.time())


def told(world: World, token: str, upstream: str = "ups_evergreen") -> int:
    site = world.sites[world.settings.issuer]
    return site.post(f"/login/{upstream}/logout", data={"logout_token": token}).status_code


def inside(world: World, sid: str | None = None) -> Browser:
    world.evergreen.claims = {"sid": sid} if sid else {}
    browser = world.browser().get("/login/ups_evergreen")
    assert browser.path == "/account"
    return browser


def test_a_logout_token_ends_the_sessions_of_its_person_and_no_others(world: World) -> None:
    link_ana(world)
    outside, local = inside(world), sign_in(world.browser())
    assert told(world, world.evergreen.logout_token()) == 200
    assert outside.get("/account").path == "/sign-in"
    assert local.get("/account").path == "/account"
    assert world.count("session", "ended_because = 'signed_out_at_organization'") == 1
    assert told(world, world.evergreen.logout_token()) == 200  # signed out already: that is success
    assert world.events("federation.logout.received") == 2


def test_a_logout_token_with_a_session_ends_that_one_alone(world: World) -> None:
    link_ana(world)
    first, second = inside(world, "over-there-1"), inside(world, "over-there-2")
    assert told(world, world.evergreen.logout_token(sub=GONE, sid="over-there-1")) == 200
    assert first.get("/account").path == "/sign-in"
    assert second.get("/account").path == "/account"
    assert told(world, world.evergreen.logout_token(sub="somebody-else", sid="over-there-2")) == 200
    assert second.get("/account").path == "/account"
    assert told(world, world.evergreen.logout_token(sid="over-there-2")) == 200
    assert second.get("/account").path == "/sign-in"


def test_a_logout_token_works_once_and_is_the_organizations_own(world: World) -> None:
    link_ana(world)
    token = world.evergreen.logout_token()
    assert told(world, token, "ups_lakeside") == 400
    assert told(world, token) == 200
    browser = inside(world)
    assert told(world, token) == 400
    assert browser.get("/account").path == "/account"
    assert "replayed" in world.reasons("federation.logout.refused")


HOSTILE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an ID token": ({"typ": "JWT"}, {"events": GONE, "nonce": "n"}),
    "a nonce": ({}, {"nonce": "n"}),
    "no events": ({}, {"events": GONE}),
    "events as a list": ({}, {"events": [EVENT]}),
    "another event": ({}, {"events": {"http://schemas.openid.net/event/other": {}}}),
    "the event as text": ({}, {"events": {EVENT: "yes"}}),
    "nobody named": ({}, {"sub": GONE}),
    "a number as person": ({}, {"sub": 17}),
    "a list as session": ({}, {"sid": ["a"]}),
    "NUL in the session": ({}, {"sid": "a\x00"}),
    "no id": ({}, {"jti": GONE}),
    "an endless id": ({}, {"jti": "j" * 300}),
    "another audience": ({}, {"aud": "someone-else"}),
    "a second audience": ({}, {"aud": ["meridian", "someone-else"]}),
    "another issuer": ({}, {"iss": "https://evil.example"}),
    "expired": ({}, {"iat": NOW - 900, "exp": NOW - 600}),
    "no end": ({}, {"exp": GONE}),
    "a life of a year": ({}, {"exp": NOW + 31_536_000}),
    "made an hour ago": ({}, {"iat": NOW - 3600}),
    "no algorithm": ({"alg": "none"}, {}),
    "a public key as secret": ({"alg": "HS256"}, {}),
    "another type": ({"typ": "at+jwt"}, {}),
}


@pytest.fixture
def hostile_world(world: World) -> World:
    link_ana(world)
    return world


def test_a_hostile_logout_token_ends_nothing(hostile_world: World) -> None:
    world = hostile_world
    browser = inside(world)
    for name, (header, claims) in HOSTILE.items():
        assert told(world, world.evergreen.logout_token(header, **claims)) == 400, name
    stranger = ECKey.generate_key("P-256", parameters={"kid": "ev-key-1"}, private=True)
    world.evergreen.sign_with = stranger
    assert told(world, world.evergreen.logout_token()) == 400
    world.evergreen.sign_with = None
    for token in ("", "x", "a.b.c", "x" * 20_000, "\x00"):
        assert told(world, token) == 400, token[:20]
    assert told(world, world.evergreen.logout_token(), "ups_none") == 404
    assert browser.get("/account").path == "/account"


def test_security_35_a_suspended_partner_is_not_even_asked_for_its_keys(world: World) -> None:
    world.set_partner("ptr_evergreen", "suspended")
    assert told(world, world.evergreen.logout_token()) == 400
    assert world.evergreen.calls == []


def test_a_person_who_signs_out_is_led_to_the_organizations_sign_out_too(world: World) -> None:
    world.evergreen.discovery = {"end_session_endpoint": "https://login.evergreen.example/end"}
    link_ana(world)
    browser = inside(world)
    browser.stop_at = world.evergreen.issuer
    browser.get("/sign-out").submit("Sign out").click("Sign out there too")
    assert browser.left == (
        "https://login.evergreen.example/end?client_id=meridian"
        "&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Fsigned-out"
    )


@pytest.mark.parametrize("endpoint", [None, "javascript:alert(1)"])
def test_an_organization_without_a_usable_sign_out_is_not_offered(world: World, endpoint: object) -> None:
    world.evergreen.discovery = {"end_session_endpoint": endpoint}
    link_ana(world)
    browser = inside(world).get("/sign-out").submit("Sign out")
    assert "Sign out there too" not in browser.text
    flow = browser.url.partition("flow=")[2]
    assert browser.get(f"/signed-out/there?flow={flow}").path == "/signed-out"
    assert browser.get("/signed-out?flow=flw_none").status == 200


def test_private_key_jwt_proves_us_to_an_upstream_by_a_key_made_for_it_alone(world: World) -> None:
    link_ana(world)
    with transaction(world.database) as db:
        upstreams.change(db, "ups_evergreen", auth_method="private_key_jwt")
    site = world.sites[world.settings.issuer]
    published = site.get("/login/ups_evergreen/keys").json()
    assert all("d" not in key for key in published["keys"])
    world.evergreen.client_keys = KeySet.import_key_set(published)
    assert world.browser().get("/login/ups_evergreen").path == "/account"
    [claims] = world.evergreen.assertions
    assert claims["aud"] == world.evergreen.issuer
    assert claims["exp"] - claims["iat"] == 60
    with transaction(world.database) as db:
        upstream = upstreams.find(db, "ups_evergreen")
        client_keys.rotate(db, upstream)
    assert len(site.get("/login/ups_evergreen/keys").json()["keys"]) == 2
    world.evergreen.client_keys = KeySet.import_key_set(site.get("/login/ups_evergreen/keys").json())
    assert world.browser().get("/login/ups_evergreen").path == "/account"
    assert len({one["jti"] for one in world.evergreen.assertions}) == 2
    assert site.get("/login/ups_lakeside/keys").status_code == 404


def test_security_89_one_call_tries_whether_a_dead_upstream_is_back(world: World) -> None:
    from idp.federation.breaker import FAILURES, Breaker
    from idp.outbound import OutboundFailed

    breaker = Breaker()
    for _ in range(FAILURES):
        with pytest.raises(OutboundFailed), breaker.call("ups"):
            raise OutboundFailed("unreachable")
    with freeze_time(clock.now() + timedelta(seconds=16), tick=True):
        with breaker.call("ups"), pytest.raises(OutboundFailed, match="down"), breaker.call("ups"):
            pass
        with breaker.call("ups"), breaker.call("ups"):  # it answered: several at once again
            pass


def test_security_9_other_ways_to_sign_in_are_named_to_people_we_know_and_to_nobody_else(world: World) -> None:
    link_ana(world)
    world.evergreen.mode = "down"
    stranger = world.browser().get("/login/ups_evergreen")
    assert stranger.status == 502
    assert "also opens with" not in stranger.text
    known = sign_in(world.browser()).get("/account/logins/add/ups_evergreen")
    assert known.status == 502
    assert "also opens with: your user name and password" in known.text


def test_home_realm_discovery_says_the_same_whether_or_not_anybody_has_that_address(world: World) -> None:
    pages = []
    for typed in ("a.ruiz@evergreen.example", "nobody@evergreen.example", "ana@example.com", "nobody@example.com"):
        browser = world.browser().get("/sign-in").submit("Continue", username=typed)
        pages.append(browser.text.replace(typed, "(typed)"))
    assert pages[0] == pages[1]
    assert pages[2] == pages[3]
    assert "Evergreen Billing" in pages[0]
    assert "Evergreen Billing" not in pages[2]


def test_the_typed_address_is_told_to_the_organization_whose_domain_it_is_and_to_no_other(world: World) -> None:
    browser = world.browser().get("/sign-in").submit("Continue", username="a.ruiz@evergreen.example")
    flow = browser.url.partition("flow=")[2]
    browser.click("Evergreen Billing")
    assert world.evergreen.asked[-1]["login_hint"] == "a.ruiz@evergreen.example"
    browser.get(f"/login/ups_lakeside?flow={flow}")
    assert "login_hint" not in world.lakeside.asked[-1]
