"""OpenID Connect Config OP, re-enacted (docs/conformance.md): what we publish is complete, and true."""

from datetime import timedelta

from authlib.oauth2 import rfc8414
from authlib.oidc.discovery import OpenIDProviderMetadata
from freezegun import freeze_time

from idp import clock
from idp.database import transaction
from idp.oauth import keys
from tests.oauth.world import World


def test_oidcc_discovery_endpoint_verification(world: World) -> None:
    about = world.http.get("/.well-known/openid-configuration")
    assert about.headers["content-type"] == "application/json"
    assert about.headers["access-control-allow-origin"] == "*"
    metadata = about.json()
    assert metadata == world.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == "http://localhost:8000"
    https = {
        k: v.replace("http://localhost:8000", "https://op.example") if isinstance(v, str) else v
        for k, v in metadata.items()
    }
    OpenIDProviderMetadata(https).validate()
    rfc8414.AuthorizationServerMetadata(https).validate()
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    assert metadata["authorization_response_iss_parameter_supported"] is True


def test_security_47_every_published_endpoint_exists_and_nothing_is_promised_that_is_not_there(world: World) -> None:
    metadata = world.http.get("/.well-known/openid-configuration").json()
    for name, address in metadata.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            path = address.removeprefix("http://localhost:8000")
            assert world.http.request("OPTIONS", path).status_code in (400, 405), name
    for missing in ("registration_endpoint", "device_authorization_endpoint", "check_session_iframe"):
        assert missing not in metadata


def test_oidcc_jwks_are_public_signing_keys_with_ids(world: World) -> None:
    response = world.http.get("/oauth/jwks")
    assert "max-age=300" in response.headers["cache-control"]
    found = response.json()["keys"]
    assert {(key["kty"], key["alg"]) for key in found} == {("EC", "ES256"), ("RSA", "RS256")}
    assert len({key["kid"] for key in found}) == 4
    for key in found:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys()
        assert key["use"] == "sig"


def test_documents_answer_304_to_who_has_them_already(world: World) -> None:
    for path in ("/oauth/jwks", "/.well-known/openid-configuration"):
        tag = world.http.get(path).headers["etag"]
        again = world.http.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert world.http.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_security_58_a_rotation_reaches_the_published_keys_and_the_signer_without_a_restart(world: World) -> None:
    world.sign_in()
    before = world.tokens()
    kid = world.picture().keys.signer("ES256").kid
    start = clock.now()
    with freeze_time(start + timedelta(minutes=2), real_asyncio=True):
        with transaction(world.database) as db:
            [activated, _] = keys.rotate(db, early=True)
        from idp.signatures import unverified_header

        after = world.refresh(before["refresh_token"]).json()
        assert unverified_header(after["access_token"])["kid"] == activated != kid
        published = {key["kid"] for key in world.http.get("/oauth/jwks").json()["keys"]}
        assert {kid, activated} <= published
        # What the old key signed is still good.
        assert world.introspect(before["access_token"])["active"] is True
        assert world.userinfo(before["access_token"]).status_code == 200
