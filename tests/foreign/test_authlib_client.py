"""Authlib's own client drives the service over HTTP: whatever it needs of an authorization server is there."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from idp.app import create_app
from tests import engines
from tests.loopback import free_port, serving
from tests.oauth.world import CALLBACK, SECRET, VERIFIER, World, fill

KEY = ECKey.generate_key("P-256", parameters={"kid": "app-1", "use": "sig", "alg": "ES256"}, private=True)


class Signed(PrivateKeyJWT):
    """What docs/apps.md tells apps on Authlib: its own takes an hour and the token endpoint as audience."""

    def sign(self, auth: Any, token_endpoint: str) -> str:
        return str(
            private_key_jwt_sign(
                auth.client_secret, auth.client_id, token_endpoint, alg="ES256", header={"kid": "app-1"}, expires_in=60
            )
        )


@dataclass
class Place:
    """The served world and what its discovery document says."""

    world: World
    metadata: dict[str, Any]

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(work)

    def client(self, client_id: str = "claims", **more: Any) -> AsyncOAuth2Client:
        """Make Authlib's client as its documentation says."""
        wanted = {"client_secret": SECRET, "code_challenge_method": "S256", "redirect_uri": CALLBACK, **more}
        return AsyncOAuth2Client(client_id, trust_env=False, **wanted)

    def come_back(self, where: str) -> str:
        """Let the signed-in browser follow the address; return where it was sent."""
        answer = self.world.http.get(where, headers={"accept": "text/html"})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])


@pytest.fixture(scope="module")
def place(_sqlite: engines.SqliteEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home: Path = tmp_path_factory.mktemp("authlib")
    port = free_port()
    with _sqlite.fresh(home) as url:
        settings = engines.settings_for(url, home, issuer=f"http://localhost:{port}", port=port)
        app = create_app(settings)
        with serving(app, port), httpx2.Client(base_url=settings.issuer, trust_env=False) as http:
            world = World(app, http, fill(app.state.service.database))  # type: ignore[arg-type]
            world.client(
                "signed", auth_method="private_key_jwt", jwks={"keys": [KEY.as_dict(private=False)]},
                grant_types=["client_credentials"], scopes=["access:evaluate"], redirect_uris=[],
            )  # fmt: skip
            world.sign_in()
            yield Place(world, http.get("/.well-known/openid-configuration").json())


def test_interop_authlib_signs_a_person_in_refreshes_introspects_and_revokes(place: Place) -> None:
    metadata = place.metadata

    async def play() -> None:
        async with place.client(scope="openid profile email") as client:
            where, state = client.create_authorization_url(
                metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-of-authlib"
            )
            back = place.come_back(where)
            token = await client.fetch_token(
                metadata["token_endpoint"], authorization_response=back, code_verifier=VERIFIER, state=state
            )
            keys = KeySet.import_key_set(
                (await client.request("GET", metadata["jwks_uri"], withhold_token=True)).json()
            )
            claims = jwt.decode(token["id_token"], keys, algorithms=["ES256"]).claims
            assert (claims["nonce"], claims["aud"], claims["iss"]) == ("n-of-authlib", "claims", metadata["issuer"])

            person = (await client.get(metadata["userinfo_endpoint"])).json()
            assert (person["sub"], person["name"]) == (place.world.ana, "Ana Ruiz")

            first = token["refresh_token"]
            fresh = await client.refresh_token(metadata["token_endpoint"])
            assert fresh["refresh_token"] != first
            assert (await client.get(metadata["userinfo_endpoint"])).status_code == 200

            active = await client.introspect_token(metadata["introspection_endpoint"], token=fresh["access_token"])
            assert active.json()["active"] is True
            gone = await client.revoke_token(metadata["revocation_endpoint"], token=fresh["refresh_token"])
            assert gone.status_code == 200
            active = await client.introspect_token(metadata["introspection_endpoint"], token=fresh["access_token"])
            assert active.json() == {"active": False}
            with pytest.raises(OAuthError, match="invalid_grant"):
                await client.refresh_token(metadata["token_endpoint"], refresh_token=fresh["refresh_token"])

    place.run(play())


def test_interop_authlib_renews_by_itself_a_token_that_is_over(place: Place) -> None:
    metadata = place.metadata
    kept: list[str] = []

    async def keep(token: dict[str, Any], refresh_token: str | None = None, access_token: str | None = None) -> None:
        kept.append(token["access_token"])

    async def play() -> None:
        async with place.client(scope="openid", update_token=keep, token_endpoint=metadata["token_endpoint"]) as client:
            where, state = client.create_authorization_url(
                metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n"
            )
            token = await client.fetch_token(
                authorization_response=place.come_back(where), code_verifier=VERIFIER, state=state
            )
            client.token = {**token, "expires_at": 1}
            assert (await client.get(metadata["userinfo_endpoint"])).status_code == 200
            assert kept
            assert kept[-1] != token["access_token"]

    place.run(play())


def test_interop_authlib_hears_our_errors_as_errors_of_the_protocol(place: Place) -> None:
    metadata = place.metadata

    async def play() -> None:
        async with place.client(scope="openid") as client:
            where, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=VERIFIER)
            back = place.come_back(where)
            assert parse_qs(urlsplit(back).query)["iss"] == [metadata["issuer"]]
            with pytest.raises(AuthlibBaseError, match="mismatching_state"):
                await client.fetch_token(metadata["token_endpoint"], authorization_response=back, state="another")
            with pytest.raises(OAuthError, match="invalid_grant"):
                await client.fetch_token(
                    metadata["token_endpoint"], authorization_response=back, state=state, code_verifier="w" * 64
                )
        async with place.client(client_secret="a wrong secret of thirty-two characters") as client:
            with pytest.raises(OAuthError, match="invalid_client"):
                await client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")

    place.run(play())


@pytest.mark.parametrize("method", ["client_secret_basic", "private_key_jwt"])
def test_interop_authlib_gets_a_token_for_a_service_by_each_way_of_authentication(place: Place, method: str) -> None:
    metadata = place.metadata

    async def play() -> None:
        if method == "private_key_jwt":
            client = place.client("signed", client_secret=KEY, token_endpoint_auth_method=method)
            client.register_client_auth_method(Signed(metadata["issuer"]))
        else:
            client = place.client("service", token_endpoint_auth_method=method)
        async with client:
            for _ in range(2):  # each assertion has a jti of its own
                token = await client.fetch_token(
                    metadata["token_endpoint"], grant_type="client_credentials", scope="access:evaluate"
                )
                assert token["scope"] == "access:evaluate"
                assert "refresh_token" not in token
        claims = jwt.decode(
            token["access_token"],
            KeySet.import_key_set(place.world.http.get(metadata["jwks_uri"]).json()),
            algorithms=["ES256"],
        ).claims
        assert claims["sub"] == claims["client_id"] == client.client_id

    place.run(play())


@pytest.mark.parametrize("audience", ["token endpoint", "issuer"])
def test_security_45_authlib_s_defaults_an_hour_and_the_token_endpoint_are_refused(place: Place, audience: str) -> None:
    async def play() -> None:
        async with place.client("signed", client_secret=KEY, token_endpoint_auth_method="private_key_jwt") as client:
            if audience == "issuer":  # right, but good for an hour
                method = PrivateKeyJWT(place.metadata["issuer"], headers={"kid": "app-1"}, alg="ES256")
            else:
                method = Signed()
            client.register_client_auth_method(method)
            with pytest.raises(OAuthError, match="invalid_client"):
                await client.fetch_token(place.metadata["token_endpoint"], grant_type="client_credentials")

    place.run(play())
