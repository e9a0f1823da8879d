"""OpenID Connect conformance, profile Basic OP: each test names the suite's module and asks what it asks.

A re-enactment after the published modules, not the foundation's own suite (docs/conformance.md).

The suite's clients are confidential, registered `pkce: optional` and without a practice; so are these.
"""

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from freezegun import freeze_time

from idp import clock
from idp.oauth.keys import ALGORITHMS
from idp.signatures import keys_from_jwks, unverified_header, verify
from tests.oauth.world import CALLBACK, SECRET, World, answer_of, claims_of


@pytest.fixture
def op(world: World) -> World:
    """The provider as the suite sees it: two clients, one per way to send a secret."""
    common = {"acts_for_provider": False, "pkce": "optional", "redirect_uris": [CALLBACK]}
    world.client("suite", **common)
    world.client("suite-post", auth_method="client_secret_post", id_token_alg="RS256", **common)
    world.sign_in()
    return world


def ask(op: World, **more: str | None) -> Any:
    return op.authorize(**{"client_id": "suite", "code_challenge": None, "code_challenge_method": None, **more})


def login(op: World, **more: str | None) -> dict[str, Any]:
    answer = answer_of(ask(op, **more))
    assert answer.get("state") == "st-1"
    response = op.token("suite", SECRET, grant_type="authorization_code", code=answer["code"], redirect_uri=CALLBACK)
    assert response.status_code == 200, response.text
    return dict(response.json())


def verified(op: World, tokens: dict[str, Any], audience: str = "suite") -> dict[str, Any]:
    keys = keys_from_jwks(op.http.get("/oauth/jwks").json())
    return verify(
        tokens["id_token"],
        keys,
        algorithms=ALGORITHMS,
        issuer="http://localhost:8000",
        audience=audience,
        now=clock.now(),
        required=("sub", "exp", "iat", "at_hash", "sid", "auth_time", "acr"),
    )


def test_oidcc_server(op: World) -> None:
    tokens = login(op)
    claims = verified(op, tokens)
    assert claims["nonce"] == "n-1"
    assert isinstance(claims["auth_time"], int)
    assert tokens["token_type"] == "Bearer"
    assert op.userinfo(tokens["access_token"]).json()["sub"] == claims["sub"]


def test_oidcc_response_type_missing(op: World) -> None:
    assert answer_of(ask(op, response_type=None))["error"] == "invalid_request"


def test_oidcc_userinfo_get(op: World) -> None:
    assert op.userinfo(login(op)["access_token"]).status_code == 200


def test_oidcc_userinfo_post_header(op: World) -> None:
    token = login(op)["access_token"]
    response = op.http.post("/oauth/userinfo", headers={"authorization": f"Bearer {token}"})
    assert response.json()["sub"] == op.ana


def test_oidcc_userinfo_post_body(op: World) -> None:
    token = login(op)["access_token"]
    assert op.http.post("/oauth/userinfo", data={"access_token": token}).json()["sub"] == op.ana
    both = op.http.post("/oauth/userinfo", data={"access_token": token}, headers={"authorization": f"Bearer {token}"})
    assert both.json()["error"] == "invalid_request"
    assert op.http.get(f"/oauth/userinfo?access_token={token}").status_code == 401


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(op: World) -> None:
    assert "nonce" not in verified(op, login(op, nonce=None))


def test_oidcc_idtoken_signature_rs256_and_es256(op: World) -> None:
    assert unverified_header(login(op)["id_token"])["alg"] == "ES256"
    code = answer_of(ask(op, client_id="suite-post"))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    tokens = op.http.post("/oauth/token", data={**form, "client_id": "suite-post", "client_secret": SECRET}).json()
    assert unverified_header(tokens["id_token"])["alg"] == "RS256"
    assert verified(op, tokens, "suite-post")["sub"] == op.ana


def test_oidcc_server_client_secret_post(op: World) -> None:
    code = answer_of(ask(op, client_id="suite-post"))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    wrong = op.http.post("/oauth/token", data=form, auth=("suite-post", SECRET))
    assert wrong.json()["error"] == "invalid_client"
    right = op.http.post("/oauth/token", data={**form, "client_id": "suite-post", "client_secret": SECRET})
    assert right.status_code == 200


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("profile", {"name", "given_name", "family_name", "locale"}),
        ("email", {"email", "email_verified"}),
        ("profile email", {"name", "given_name", "family_name", "locale", "email", "email_verified"}),
    ],
)
def test_oidcc_scope_profile_email_all(op: World, scope: str, told: set[str]) -> None:
    tokens = login(op, scope=f"openid {scope}")
    assert set(op.userinfo(tokens["access_token"]).json()) == {"sub", *told}


@pytest.mark.parametrize("scope", ["address", "phone"])
def test_oidcc_scope_address_phone_are_not_claimed_and_not_an_error(op: World, scope: str) -> None:
    assert scope not in op.http.get("/.well-known/openid-configuration").json()["scopes_supported"]
    assert op.userinfo(login(op, scope=f"openid {scope}")["access_token"]).json() == {"sub": op.ana}


@pytest.mark.parametrize("display", ["page", "popup"])
def test_oidcc_display_page_popup(op: World, display: str) -> None:
    assert login(op, display=display)["id_token"]


def test_oidcc_prompt_login(op: World) -> None:
    start = clock.now()
    first = claims_of(login(op)["id_token"])
    where = ask(op, prompt="login").headers["location"]
    assert where.startswith("/sign-in?flow=")
    with freeze_time(start + timedelta(seconds=5), real_asyncio=True):
        sid = op.sign_in()
        onward = op.did(where, "sign_in", session_id=sid)
        code = answer_of(op.http.get(onward))["code"]
        tokens = op.token("suite", SECRET, grant_type="authorization_code", code=code, redirect_uri=CALLBACK).json()
    again = claims_of(tokens["id_token"])
    assert again["auth_time"] > first["auth_time"]
    assert again["sub"] == first["sub"]


def test_oidcc_prompt_login_is_not_met_by_coming_back_without_signing_in(op: World) -> None:
    where = ask(op, prompt="login").headers["location"]
    again = op.http.get("/oauth/authorize?flow=" + where.split("flow=")[1])
    assert again.headers["location"] == where


def test_oidcc_prompt_none_not_logged_in(op: World) -> None:
    op.sign_out()
    assert answer_of(ask(op, prompt="none"))["error"] == "login_required"


def test_oidcc_prompt_none_logged_in(op: World) -> None:
    first = claims_of(login(op)["id_token"])
    again = claims_of(login(op, prompt="none")["id_token"])
    assert (again["sub"], again["auth_time"]) == (first["sub"], first["auth_time"])


def test_oidcc_max_age_1(op: World) -> None:
    start = clock.now()
    first = claims_of(login(op)["id_token"])
    with freeze_time(start + timedelta(seconds=3), real_asyncio=True):
        where = ask(op, max_age="1").headers["location"]
        assert where.startswith("/sign-in?flow=")
        sid = op.sign_in()
        code = answer_of(op.http.get(op.did(where, "sign_in", session_id=sid)))["code"]
        tokens = op.token("suite", SECRET, grant_type="authorization_code", code=code, redirect_uri=CALLBACK).json()
        assert claims_of(tokens["id_token"])["auth_time"] > first["auth_time"]
        assert answer_of(ask(op, max_age="0", prompt="none"))["error"] == "login_required"


def test_oidcc_max_age_10000(op: World) -> None:
    first = claims_of(login(op)["id_token"])
    again = claims_of(login(op, max_age="10000")["id_token"])
    assert again["auth_time"] == first["auth_time"]


def test_oidcc_ensure_request_with_unknown_parameter_succeeds(op: World) -> None:
    assert login(op, extra="foobar")["id_token"]


def test_oidcc_id_token_hint(op: World) -> None:
    first = login(op)
    again = login(op, prompt="none", id_token_hint=first["id_token"])
    assert claims_of(again["id_token"])["sub"] == claims_of(first["id_token"])["sub"]


def test_oidcc_login_hint(op: World) -> None:
    assert login(op, login_hint="ana@lakeside.example")["id_token"]


@pytest.mark.parametrize("name", ["ui_locales", "claims_locales"])
def test_oidcc_ui_locales_and_claims_locales(op: World, name: str) -> None:
    assert login(op, **{name: "se"})["id_token"]


def test_oidcc_ensure_request_with_acr_values_succeeds(op: World) -> None:
    assert claims_of(login(op, acr_values="1 2")["id_token"])["acr"]
    acr = "http://idmanagement.gov/ns/assurance/aal/2"
    assert claims_of(login(op, acr_values=acr)["id_token"])["acr"] == acr


def test_oidcc_codereuse(op: World) -> None:
    code = answer_of(ask(op))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    assert op.token("suite", SECRET, **form).status_code == 200
    again = op.token("suite", SECRET, **form)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_oidcc_codereuse_30seconds(op: World) -> None:
    start = clock.now()
    code = answer_of(ask(op))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    tokens = op.token("suite", SECRET, **form).json()
    with freeze_time(start + timedelta(seconds=30), real_asyncio=True):
        assert op.token("suite", SECRET, **form).json()["error"] == "invalid_grant"
        assert op.userinfo(tokens["access_token"]).status_code == 401


def test_oidcc_ensure_registered_redirect_uri(op: World) -> None:
    response = ask(op, redirect_uri="https://claims.example/not-registered")
    assert response.status_code == 400
    assert "text/html" in response.headers["content-type"]


def test_oidcc_ensure_redirect_uri_in_authorization_request(op: World) -> None:
    assert ask(op, redirect_uri=None).status_code == 400


def test_oidcc_redirect_uri_query_added_and_mismatch(op: World) -> None:
    op.client("query", acts_for_provider=False, pkce="optional", redirect_uris=["https://claims.example/cb?a=b"])
    location = ask(op, client_id="query", redirect_uri="https://claims.example/cb?a=b").headers["location"]
    assert location.startswith("https://claims.example/cb?a=b&code=")
    assert ask(op, client_id="query", redirect_uri="https://claims.example/cb?a=c").status_code == 400
    assert ask(op, redirect_uri=CALLBACK + "?foo=bar").status_code == 400


def test_oidcc_ensure_post_request_succeeds(op: World) -> None:
    form = op.ask(client_id="suite", code_challenge=None, code_challenge_method=None)
    posted = op.http.post("/oauth/authorize", data=form)
    assert posted.status_code == 303
    answer = answer_of(op.http.get(posted.headers["location"]))
    assert answer["code"]
    assert answer["state"] == "st-1"


def test_oidcc_unsigned_request_object_and_request_uri_are_refused_by_name(op: World) -> None:
    about = op.http.get("/.well-known/openid-configuration").json()
    assert about["request_parameter_supported"] is False
    assert about["request_uri_parameter_supported"] is False
    unsigned = "eyJhbGciOiJub25lIn0.e30."
    assert answer_of(ask(op, request=unsigned))["error"] == "request_not_supported"
    assert answer_of(ask(op, request_uri="https://x.example/r"))["error"] == "request_uri_not_supported"


def test_oidcc_ensure_request_object_with_redirect_uri(op: World) -> None:
    """The address stands beside the object alone: what may not be read in the object must not count either."""
    unsigned = "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZS9jYiJ9."
    sent = ask(op, request=unsigned).headers["location"]
    assert sent.startswith(CALLBACK)
    assert "error=request_not_supported" in sent


def test_oidcc_ensure_other_scope_order_succeeds(op: World) -> None:
    tokens = login(op, scope="email openid")
    assert tokens["id_token"]
    assert "email" in op.userinfo(tokens["access_token"]).json()


def test_oidcc_ensure_request_with_valid_pkce_succeeds(op: World) -> None:
    verifier = "a" * 60
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = answer_of(ask(op, code_challenge=challenge, code_challenge_method="S256"))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    assert op.token("suite", SECRET, code_verifier="b" * 60, **form).json()["error"] == "invalid_grant"
    code = answer_of(ask(op, code_challenge=challenge, code_challenge_method="S256"))["code"]
    assert op.token("suite", SECRET, code_verifier=verifier, **{**form, "code": code}).json()["id_token"]


def test_oidcc_claims_essential(op: World) -> None:
    wanted = {"userinfo": {"name": {"essential": True}}, "id_token": {"email": None, "unheard_of": None}}
    tokens = login(op, scope="openid", claims=json.dumps(wanted))
    assert op.userinfo(tokens["access_token"]).json() == {"sub": op.ana, "name": "Ana Ruiz"}
    identity = claims_of(tokens["id_token"])
    assert identity["email"] == "ana@lakeside.example"
    assert "name" not in identity


def test_oidcc_refresh_token(op: World) -> None:
    tokens = login(op, scope="openid offline_access")
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    fresh = op.token("suite", SECRET, **form).json()
    before, after = claims_of(tokens["id_token"]), claims_of(fresh["id_token"])
    assert all(before[name] == after[name] for name in ("iss", "sub", "aud", "auth_time"))
    other = {"grant_type": "refresh_token", "refresh_token": fresh["refresh_token"]}
    wrong = op.http.post("/oauth/token", data={**other, "client_id": "suite-post", "client_secret": SECRET})
    assert wrong.json()["error"] == "invalid_grant"


def test_oidcc_state_is_returned_unchanged_whatever_it_holds(op: World) -> None:
    state = "a b+c/&=%25é\"<>'"
    query = urlencode(op.ask(client_id="suite", state=state, code_challenge=None, code_challenge_method=None))
    assert answer_of(op.http.get("/oauth/authorize?" + query))["state"] == state
