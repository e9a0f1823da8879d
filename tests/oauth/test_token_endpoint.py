"""The token endpoint refuses: every wrong request gets its RFC error and nothing else."""

import time
from urllib.parse import quote

import pytest

from idp.audit import origin
from idp.database import transaction
from idp.oauth import clients
from idp.signatures import generate, sign
from tests.engines import ISSUER
from tests.oauth.world import CALLBACK, SECRET, VERIFIER, World, claims_of

FORM = "application/x-www-form-urlencoded"


def refused(response: object, error: str, status: int = 400) -> str:
    assert response.status_code == status, response.text  # type: ignore[attr-defined]
    body = response.json()  # type: ignore[attr-defined]
    assert body["error"] == error, body
    assert response.headers["cache-control"] == "no-store"  # type: ignore[attr-defined]
    return str(body.get("error_description", ""))


def test_security_83_malformed_requests_get_a_clear_4xx(world: World) -> None:
    post = world.http.post
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert world.http.get("/oauth/token").status_code == 405
    assert world.http.put("/oauth/token").status_code == 405
    refused(post("/oauth/token", json={"grant_type": "client_credentials"}), "invalid_request")
    refused(post("/oauth/token", content=b"grant_type=x", headers={"content-type": "text/plain"}), "invalid_request")
    refused(post("/oauth/token", content=b""), "invalid_request")
    refused(post("/oauth/token", content=b"grant_type=%ff%fe", headers=form), "invalid_request")
    refused(post("/oauth/token", content=b"grant_type=\xff", headers=form), "invalid_request")
    refused(post("/oauth/token", content=b"grant_type=a%00b", headers=form), "invalid_request")
    refused(post("/oauth/token", content=b"a=1&" * 200, headers=form), "invalid_request")
    refused(
        post(
            "/oauth/token", content=b"grant_type=x", headers={"content-type": form["content-type"] + "; charset=utf-16"}
        ),
        "invalid_request",
    )
    assert post("/oauth/token", content=b"a=" + b"x" * 70_000, headers=form).status_code == 413
    shouted = {"content-type": " Application/X-WWW-Form-Urlencoded; charset=utf-8"}
    assert post("/oauth/token", content=b"a=" + b"x" * 70_000, headers=shouted).status_code == 413
    refused(post("/oauth/token", data={"grant_type": ""}), "invalid_request")
    refused(post("/oauth/token", data={"grant_type": "password", "username": "a"}), "unsupported_grant_type")
    refused(post("/oauth/token", data={"grant_type": "implicit"}), "unsupported_grant_type")


@pytest.mark.parametrize("first", ["grant_type=client_credentials&", ""])
def test_rfc_8707_a_token_is_for_one_resource(world: World, first: str) -> None:
    """Each of the two would do; together they are refused by the error that says what is wrong."""
    last = "" if first else "&grant_type=client_credentials"
    for one, other in ((ISSUER, ISSUER), (ISSUER, "https://two.example/api")):
        body = f"{first}resource={quote(one, safe='')}&resource={quote(other, safe='')}{last}"
        told = world.http.post("/oauth/token", content=body, headers={"content-type": FORM}, auth=("service", SECRET))
        refused(told, "invalid_target")


@pytest.mark.parametrize("name", ["grant_type", "code", "client_id", "scope"])
def test_security_50_a_parameter_sent_twice_is_refused(world: World, name: str) -> None:
    body = f"grant_type=client_credentials&{name}=a&{name}=b" if name != "grant_type" else "grant_type=a&grant_type=a"
    response = world.http.post(
        "/oauth/token",
        content=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
        auth=("service", SECRET),
    )
    refused(response, "invalid_request")


def test_security_45_only_the_registered_method_authenticates_a_client(world: World) -> None:
    world.client("poster", auth_method="client_secret_post")
    world.client("public", auth_method="none")
    good = {"grant_type": "client_credentials"}
    wrong = world.token("service", "x" * 40, **good)
    refused(wrong, "invalid_client", 401)
    assert wrong.headers["www-authenticate"].startswith("Basic ")
    refused(world.token("nobody", SECRET, **good), "invalid_client", 401)
    refused(world.token("service", "", **good), "invalid_client", 401)
    post = world.http.post
    refused(post("/oauth/token", data={**good, "client_id": "service", "client_secret": SECRET}), "invalid_client", 401)
    refused(post("/oauth/token", data={**good, "client_id": "service"}), "invalid_client", 401)
    refused(world.token("poster", SECRET, grant_type="refresh_token", refresh_token="x"), "invalid_client", 401)
    refused(world.token("public", SECRET, grant_type="refresh_token", refresh_token="x"), "invalid_client", 401)
    refused(world.token("service", SECRET, **good, client_secret=SECRET), "invalid_request")
    mixed = post("/oauth/token", data={**good, "client_id": "claims"}, auth=("service", SECRET))
    refused(mixed, "invalid_request")
    for header in ("Basic !!!", "Basic " + "YQ==", "Basic /w=="):
        refused(post("/oauth/token", data=good, headers={"authorization": header}), "invalid_client", 401)
    assert "oauth.token.refused" in world.events


def test_a_secret_is_form_decoded_inside_basic(world: World) -> None:
    import base64
    from urllib.parse import quote_plus

    from idp.database import transaction
    from idp.oauth import clients

    strange = "p%:+ & ü" + "x" * 32
    with transaction(world.database) as db:
        clients.register(db, client_id="strange", secret=strange, grant_types=["client_credentials"], scopes=["scim"])
    value = base64.b64encode(f"strange:{quote_plus(strange)}".encode()).decode()
    response = world.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, headers={"authorization": f"Basic {value}"}
    )
    assert response.status_code == 200, response.text


def test_security_41_a_client_uses_only_its_grants_and_scopes(world: World) -> None:
    refused(world.token("claims", SECRET, grant_type="client_credentials"), "unauthorized_client")
    refused(world.token("service", SECRET, grant_type="authorization_code", code="x"), "unauthorized_client")
    refused(world.token("service", SECRET, grant_type="client_credentials", scope="openid"), "invalid_scope")
    refused(world.token("service", SECRET, grant_type="client_credentials", scope="access:simulate"), "invalid_scope")
    refused(
        world.token("service", SECRET, grant_type="client_credentials", scope="access:evaluate scim"), "invalid_scope"
    )
    all_of_it = world.token("service", SECRET, grant_type="client_credentials")
    assert all_of_it.json()["scope"] == "access:evaluate access:search"


def test_rfc_8707_a_resource_must_be_known_and_the_clients(world: World) -> None:
    from idp.database import transaction
    from idp.oauth import clients

    with transaction(world.database) as db:
        for name in ("one", "two"):
            clients.set_resource_server(
                db, identifier=f"https://{name}.example/api", access_token_alg="RS256" if name == "two" else "ES256"
            )
        clients.register(
            db,
            client_id="apis",
            secret=SECRET,
            grant_types=["client_credentials"],
            scopes=["read"],
            audiences=["https://one.example/api", "https://two.example/api"],
        )
        clients.register(
            db,
            client_id="single",
            secret=SECRET,
            grant_types=["client_credentials"],
            scopes=["read"],
            audiences=["https://one.example/api"],
        )
    grant = {"grant_type": "client_credentials"}
    assert claims_of(world.token("apis", SECRET, **grant).json()["access_token"])["aud"] == "http://localhost:8000"
    two = world.token("apis", SECRET, **grant, resource="https://two.example/api").json()["access_token"]
    assert claims_of(two)["aud"] == "https://two.example/api"
    from idp.signatures import unverified_header

    assert unverified_header(two)["alg"] == "RS256"
    assert claims_of(world.token("single", SECRET, **grant).json()["access_token"])["aud"] == "https://one.example/api"
    refused(world.token("single", SECRET, **grant, resource="https://two.example/api"), "invalid_target")
    refused(world.token("apis", SECRET, **grant, resource="https://three.example/api"), "invalid_target")
    # A token for an API is not for us.
    assert world.userinfo(two).status_code == 401


def test_security_43_a_code_is_bound_to_client_address_and_challenge(world: World) -> None:
    world.client("other")
    world.sign_in()
    code = world.code()
    refused(
        world.token(
            "other", SECRET, grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=VERIFIER
        ),
        "invalid_grant",
    )
    refused(world.exchange(code, redirect_uri="https://claims.example/other"), "invalid_grant")
    refused(world.exchange(code, redirect_uri=None), "invalid_grant")
    refused(world.exchange(code, code_verifier=None), "invalid_grant")
    refused(world.exchange(code, code_verifier="w" * 64), "invalid_grant")
    refused(world.exchange(code, code_verifier="short"), "invalid_grant")
    refused(world.exchange(code, resource="https://elsewhere.example"), "invalid_target")
    refused(world.token(grant_type="authorization_code"), "invalid_request")
    refused(world.exchange("no-such-code"), "invalid_grant")
    assert world.exchange(code).status_code == 200


def test_a_grant_that_fails_leaves_no_tokens_behind(world: World) -> None:
    world.sign_in()
    refused(world.exchange(world.code(), code_verifier="w" * 64), "invalid_grant")
    assert world.run("SELECT count(*) FROM token_family") == [(0,)]
    assert world.run("SELECT count(*) FROM refresh_token") == [(0,)]


def assertion(key: object, **more: object) -> str:
    now = int(time.time())
    claims = {
        "iss": "jwt",
        "sub": "jwt",
        "aud": "http://localhost:8000",
        "exp": now + 60,
        "iat": now,
        "jti": "j1",
        **more,
    }
    return sign({k: v for k, v in claims.items() if v is not None}, key)  # type: ignore[arg-type]


def by_assertion(world: World, value: str, **more: str) -> object:
    data = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": value,
        **more,
    }
    return world.http.post("/oauth/token", data=data)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "Ed25519"])
def test_security_45_private_key_jwt_works_once_and_only_for_our_issuer(world: World, algorithm: str) -> None:
    key, foreign = generate(algorithm), generate(algorithm)
    world.client(
        "jwt",
        auth_method="private_key_jwt",
        jwks={"keys": [key.public_jwk()]},
        grant_types=["client_credentials"],
        scopes=["scim"],
        redirect_uris=[],
    )
    good = assertion(key)
    assert by_assertion(world, good).status_code == 200
    refused(by_assertion(world, good), "invalid_client", 401)
    assert by_assertion(world, assertion(key, jti="j2"), client_id="jwt").status_code == 200
    now = int(time.time())
    bad = {
        "token endpoint as audience": {"aud": "http://localhost:8000/oauth/token"},
        "two audiences": {"aud": ["http://localhost:8000", "https://other.example"]},
        "no audience": {"aud": None},
        "too long": {"exp": now + 3600},
        "expired": {"exp": now - 100, "iat": now - 200},
        "no expiry": {"exp": None},
        "no jti": {"jti": None},
        "other issuer": {"iss": "service"},
        "other subject": {"sub": "service", "iss": "service"},
        "not yet": {"iat": now + 600, "exp": now + 660},
    }
    for name, change in bad.items():
        response = by_assertion(
            world, assertion(key, jti=name, **change) if "jti" not in change else assertion(key, **change)
        )
        refused(response, "invalid_client", 401)
    refused(by_assertion(world, assertion(foreign, jti="j3")), "invalid_client", 401)
    refused(by_assertion(world, assertion(key, jti="j4"), client_id="service"), "invalid_client", 401)
    refused(by_assertion(world, assertion(key, jti="j5"), client_assertion_type="urn:x"), "invalid_client", 401)
    refused(by_assertion(world, "nonsense"), "invalid_client", 401)
    # With the key in hand, the other methods still do not work.
    refused(world.token("jwt", SECRET, grant_type="client_credentials"), "invalid_client", 401)


def test_a_suspended_client_is_not_served_from_the_next_request_on(world: World) -> None:
    from idp.database import transaction
    from idp.oauth import clients

    grant = {"grant_type": "client_credentials"}
    token = world.token("service", SECRET, **grant).json()["access_token"]
    assert world.introspect(token, "service")["active"] is True
    with transaction(world.database) as db:
        assert clients.change(db, "service", status="suspended") == ["status"]
    refused(world.token("service", SECRET, **grant), "invalid_client", 401)
    with transaction(world.database) as db:
        clients.change(db, "service", status="active")
    assert world.token("service", SECRET, **grant).status_code == 200


def test_security_51_the_client_named_for_our_own_audience_may_introspect_tokens_made_for_us(world: World) -> None:
    token = world.token("service", grant_type="client_credentials").json()["access_token"]
    assert world.introspect(token, "claims") == {"active": False}
    with transaction(world.database) as db, origin.acting_as("operator"):
        clients.set_resource_server(db, identifier=ISSUER, client_id="claims")
    assert world.introspect(token, "claims")["active"] is True
