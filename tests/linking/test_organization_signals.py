"""An organization's security events hold its own login, never the person; nobody else's event does anything."""

import secrets
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import text

from idp.accounts import moved
from idp.database import transaction
from tests.fakes.upstreams.oidc import GONE
from tests.linking.test_upstream_logout import inside
from tests.sign_in_world import World, link_ana, sign_in

RISC = "https://schemas.openid.net/secevent/risc/event-type/"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
DISABLED, ENABLED, REVOKED = RISC + "account-disabled", RISC + "account-enabled", CAEP + "session-revoked"


def event(world: World, kind: str = DISABLED, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Make a SET of Evergreen about its person, bent as the claims say."""
    there = world.evergreen
    made: dict[str, Any] = {
        "iss": there.issuer,
        "aud": there.client_id,
        "iat": int(time.time()),
        "jti": secrets.token_urlsafe(16),
        "events": {kind: {"reason": "hijacking"}},
        "sub_id": {"format": "iss_sub", "iss": there.issuer, "sub": there.person["sub"]},
        **claims,
    }
    key = there.keys[0]
    head = {"alg": "ES256", "kid": key.kid, "typ": "secevent+jwt", **(header or {})}
    return jwt.encode(head, {k: v for k, v in made.items() if v is not GONE}, key, algorithms=["ES256"])


def told(world: World, token: str, upstream: str = "ups_evergreen", kind: str = "application/secevent+jwt") -> Any:
    site = world.sites[world.settings.issuer]
    return site.post(f"/login/{upstream}/signals", content=token, headers={"content-type": kind})


def test_a_disabled_account_there_holds_that_login_and_never_the_person(world: World) -> None:
    link_ana(world)
    outside, local = inside(world), sign_in(world.browser())
    assert told(world, event(world)).status_code == 202
    assert outside.get("/account").path == "/sign-in"
    assert local.get("/account").path == "/account", "the person and their other logins go on"
    again = world.browser().get("/login/ups_evergreen")
    assert "told us that this login must not be used" in again.text
    assert world.count("account", "status <> 'active' AND display_name LIKE 'Ana%'") == 0
    page = local.get("/account/logins")
    assert "must not be used" in page.text
    assert "It is still mine" not in page.text, "its owner cannot take back what the organization said"
    assert world.count("login", "held_because = 'organization'") == 1
    assert world.events("signals.partner.heard") == 1
    assert world.events("accounts.login.held") == 1
    assert world.count("outbox", "template = 'login_stopped'") >= 1
    assert told(world, event(world, ENABLED)).status_code == 202
    assert world.browser().get("/login/ups_evergreen").path == "/account"
    assert world.count("outbox", "template = 'login_works_again'") >= 1


def test_a_revoked_session_there_ends_what_the_login_opened_and_no_more(world: World) -> None:
    link_ana(world)
    first, second = inside(world, "over-there-1"), inside(world, "over-there-2")
    user = {"format": "iss_sub", "iss": world.evergreen.issuer, "sub": world.evergreen.person["sub"]}
    about = {"format": "complex", "user": user, "session": {"format": "opaque", "id": "over-there-1"}}
    assert told(world, event(world, REVOKED, sub_id=about)).status_code == 202
    assert first.get("/account").path == "/sign-in"
    assert second.get("/account").path == "/account"
    assert world.browser().get("/login/ups_evergreen").path == "/account", "the login itself is not held"


def test_domain_10_a_compromised_login_there_opens_a_case_and_a_disabled_one_does_not(world: World) -> None:
    link_ana(world)
    assert told(world, event(world)).status_code == 202
    assert world.count("security_case", "1 = 1") == 0, "somebody who left there is no suspicion"
    compromised = DISABLED.replace("account-disabled", "credential-compromise")
    assert told(world, event(world, compromised)).status_code == 202
    assert told(world, event(world, compromised)).status_code == 202
    assert world.count("security_case", "kind = 'takeover' AND source = 'partner' AND status = 'new'") == 1
    assert world.count("case_entry", "kind IN ('opened', 'added')") == 2


def test_an_event_works_once(world: World) -> None:
    link_ana(world)
    once = event(world)
    assert told(world, once).status_code == 202
    assert told(world, event(world, ENABLED)).status_code == 202
    assert told(world, once).status_code == 202, "RFC 8935: sent again is no error"
    assert world.browser().get("/login/ups_evergreen").path == "/account"
    assert world.events("accounts.login.held") == 1


def test_what_somebody_else_held_is_not_released_by_an_event(world: World) -> None:
    link_ana(world)
    with transaction(world.database) as db:
        login = db.execute(text("SELECT id FROM login WHERE upstream_id = 'ups_evergreen'")).scalar_one()
        moved.hold(db, login, {"name": "Otto Klein"}, "Evergreen Health")
    assert world.count("login", "held_at IS NOT NULL AND held_because IS NULL") == 1
    assert told(world, event(world, ENABLED)).status_code == 202
    assert world.count("login", "held_at IS NOT NULL") == 1


HOSTILE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another audience": ({}, {"aud": "somebody-else"}),
    "two audiences": ({}, {"aud": ["meridian", "somebody-else"]}),
    "another issuer": ({}, {"iss": "https://evil.example"}),
    "a person of another issuer": ({}, {"sub_id": {"format": "iss_sub", "iss": "https://evil.example", "sub": "e-1"}}),
    "a logout token": ({"typ": "logout+jwt"}, {}),
    "an ID token": ({"typ": "JWT"}, {"sub": "e-1", "exp": int(time.time()) + 60}),
    "with an end": ({}, {"exp": int(time.time()) + 60}),
    "no events": ({}, {"events": {}}),
    "events as a list": ({}, {"events": [DISABLED]}),
    "the event as text": ({}, {"events": {DISABLED: "yes"}}),
    "no id": ({}, {"jti": GONE}),
    "an endless id": ({}, {"jti": "j" * 300}),
    "nobody": ({}, {"sub_id": GONE}),
    "a number as person": ({}, {"sub_id": {"format": "iss_sub", "iss": "x", "sub": 5}}),
    "from yesterday": ({}, {"iat": int(time.time()) - 90_000}),
    "from tomorrow": ({}, {"iat": int(time.time()) + 90_000}),
    "an unknown key": ({"kid": "nobody"}, {}),
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_31_a_hostile_event_does_nothing(world: World) -> None:
    link_ana(world)
    browser = inside(world)
    for what, (header, claims) in HOSTILE.items():
        answer = told(world, event(world, header=header, **claims))
        assert answer.status_code == 400, what
        assert answer.json()["err"], what
    forged = world.evergreen.keys[0]
    world.evergreen.keys[0] = ECKey.generate_key("P-256", {"kid": forged.kid}, private=True)
    token = event(world)
    world.evergreen.keys[0] = forged
    assert told(world, token).status_code == 400
    good = event(world)
    assert told(world, good, "ups_lakeside").status_code == 400
    assert told(world, good, "ups_nowhere").status_code == 400
    assert told(world, good, kind="application/jwt").status_code == 400
    assert told(world, "x" * 200_000).status_code in {400, 413}
    assert browser.get("/account").path == "/account"
    assert world.count("login", "held_at IS NOT NULL") == 0
    assert world.events("signals.partner.refused") >= len(HOSTILE)


@pytest.mark.parametrize("desk_first", [True, False])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se_3_an_organization_lifts_no_hold_of_the_security_desk(world: World, *, desk_first: bool) -> None:
    link_ana(world)

    def desk_holds() -> None:
        with transaction(world.database) as db:
            login = db.execute(text("SELECT id FROM login WHERE upstream_id = 'ups_evergreen'")).scalar_one()
            assert moved.hold_for_security(db, login, by="acc_desk")
            assert not moved.hold_for_security(db, login, by="acc_desk"), "held is held"

    if desk_first:
        desk_holds()
        assert told(world, event(world, ENABLED)).status_code == 202
    assert told(world, event(world, DISABLED)).status_code == 202
    if not desk_first:
        desk_holds()
    assert told(world, event(world, ENABLED)).status_code == 202
    assert world.count("login", "held_because = 'security' AND held_at IS NOT NULL") == 1
    assert "paused while we look into its use" in world.browser().get("/login/ups_evergreen").text


@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_31_an_older_event_kept_back_does_not_let_a_login_in_that_was_held_since(
    world: World, *, removed: bool
) -> None:
    link_ana(world)
    kept_back = event(world, ENABLED, iat=int(time.time()) - 3600)
    assert told(world, event(world)).status_code == 202
    if removed:
        with transaction(world.database) as db:
            db.execute(text("UPDATE login SET ended_at = held_at WHERE held_because IS NOT NULL"))
    assert told(world, kept_back).status_code == 202
    assert world.count("login", "held_because = 'organization'") == 1
    assert told(world, event(world, ENABLED)).status_code == 202
    assert world.count("login", "held_because = 'organization'") == 0
