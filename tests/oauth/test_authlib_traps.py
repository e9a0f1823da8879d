"""The traps of the framework (stack.md 3.4): each red on the naive set-up, green on ours."""

import logging
import re
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InsecureTransportError, InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc6749.requests import OAuth2Request
from authlib.oauth2.rfc6750.token import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from idp import clock
from idp.oauth.grants.authorization_code import OurCodeChallenge
from idp.signatures import BadToken, unverified_header, verify
from idp.signatures.keys import Key, Keys, generate
from tests.engines import ISSUER
from tests.oauth.test_token_endpoint import assertion, by_assertion
from tests.oauth.textbook import SITE, Rotating, Shop, Textbook
from tests.oauth.world import World, answer_of, claims_of


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> object:
    """One engine: a library answers the same whatever keeps our rows."""
    return request.getfixturevalue(f"_{request.param}")


class _Sent:
    def __init__(self, client: object, **data: str) -> None:
        self.request = self
        self.payload = self
        self.client = client
        self.data, self.datalist = data, {k: [v] for k, v in data.items()}


def test_1_pkce_binds_confidential_clients_too_and_plain_is_refused(world: World) -> None:
    client = world.picture().clients["claims"]
    CodeChallenge(required=True).validate_code_challenge(_Sent(client), "")  # red: says nothing
    CodeChallenge(required=True).validate_code_challenge(_Sent(client, code_challenge="c" * 43), "")
    for data in ({}, {"code_challenge": "c" * 43}, {"code_challenge": "c" * 43, "code_challenge_method": "plain"}):
        with pytest.raises(InvalidRequestError):
            OurCodeChallenge(required=True).validate_code_challenge(_Sent(client, **data), "")
    world.sign_in()
    assert answer_of(world.authorize(code_challenge=None, code_challenge_method=None))["error"] == "invalid_request"


class _Signs(JWTBearerTokenGenerator):
    def __init__(self, keys: ECKey | KeySet) -> None:
        super().__init__(SITE, alg="ES256")
        self._keys = keys

    def get_jwks(self) -> ECKey | KeySet:
        return self._keys

    def signed(self) -> str:
        return str(self.generate("client_credentials", Shop(), scope="openid")["access_token"])


def test_2_every_token_has_a_kid_and_always_the_active_keys(world: World) -> None:
    one, other = (ECKey.generate_key("P-256", auto_kid=True, private=True) for _ in range(2))
    token = _Signs(one).signed()
    assert "kid" not in unverified_header(token)  # red: whoever holds two keys can't tell which
    with pytest.raises(JoseError):
        jwt.decode(token, KeySet([other, one]), algorithms=["ES256"])
    several = _Signs(KeySet([one, other]))
    assert {unverified_header(several.signed())["kid"] for _ in range(40)} == {one.kid, other.kid}  # red: by chance

    active = world.picture().keys.signers
    kids = {
        unverified_header(world.token("service", grant_type="client_credentials").json()["access_token"])["kid"]
        for _ in range(5)
    }
    assert kids == {active["ES256"].kid}


class _Proves(JWTBearerClientAssertion):
    def get_audiences(self) -> list[str]:
        return [ISSUER]

    def validate_jti(self, claims: object, jti: str) -> bool:
        return True


@pytest.mark.parametrize("algorithm", ["PS256", "Ed25519"])
def test_3_clients_may_prove_themselves_by_every_algorithm_we_name(world: World, algorithm: str) -> None:
    key = generate(algorithm)
    sent = assertion(key)
    assert _Proves.CLIENT_AUTH_METHOD != "private_key_jwt"  # red: the registered name would match nobody
    known = generate("ES256")
    assert _Proves().process_assertion_claims(assertion(known), known.inner)["sub"] == "jwt"
    with pytest.raises(InvalidClientError):  # red
        _Proves().process_assertion_claims(sent, key.inner)
    jwks, grants = {"keys": [key.public_jwk()]}, ["client_credentials"]
    world.client("jwt", auth_method="private_key_jwt", jwks=jwks, grant_types=grants, scopes=["scim"], redirect_uris=[])
    assert by_assertion(world, sent).status_code == 200  # type: ignore[attr-defined]


def test_4_tokens_live_five_minutes_not_ten_days(world: World) -> None:
    assert BearerTokenGenerator.GRANT_TYPES_EXPIRES_IN["client_credentials"] == 864000
    assert Textbook().tokens()["expires_in"] == 864000  # red
    answer = world.token("service", grant_type="client_credentials").json()
    claims = claims_of(answer["access_token"])
    assert answer["expires_in"] == claims["exp"] - claims["iat"] == 300


def test_5_errors_name_the_issuer_too(world: World) -> None:
    book = Textbook()
    said = book.asked(scope="openid", prompt="none")
    with pytest.raises(OAuth2Error) as refused:
        book.get_consent_grant(said, end_user=None)
    sent_back = book.handle_error_response(said, refused.value).sent_back
    assert sent_back["error"] == "login_required"
    assert "iss" not in sent_back  # red, though the extension for it is registered
    for change in ({"scope": "wam"}, {"response_type": "token"}, {"prompt": "none"}):
        assert answer_of(world.authorize(**change))["iss"] == "http://localhost:8000"


def test_6_the_framework_never_logs_tokens(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="authlib"):  # as it is unless somebody sets it
        shown = Textbook().tokens()
    assert shown["access_token"] in caplog.text  # red
    assert shown["refresh_token"] in caplog.text  # red
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("authlib").debug("not seen")
        token = world.token("service", grant_type="client_credentials").json()["access_token"]
    assert token not in caplog.text
    assert "not seen" not in caplog.text


def test_7_the_scheme_the_framework_sees_is_the_issuers_not_the_proxys() -> None:
    with pytest.raises(InsecureTransportError):
        OAuth2Request("POST", "http://op.example/oauth/token")  # red: what request.url says behind a proxy
    from idp.oauth import desk

    made = desk.Desk(None, "https://op.example", clock.now(), tuple)  # type: ignore[arg-type]
    assert desk.Asked(made, "POST", "/oauth/token", {}).uri == "https://op.example/oauth/token"


def test_8_a_refresh_token_is_rotated_and_its_reuse_ends_the_family(world: World) -> None:
    book = Textbook()
    first = book.tokens()
    again = book.post(grant_type="refresh_token", refresh_token=first["refresh_token"]).body
    assert "refresh_token" not in again  # red: the app is signed out at the next expiry
    assert "id_token" in first
    assert "id_token" not in again  # red

    book = Textbook(Rotating)
    stolen = book.tokens()["refresh_token"]
    thief = book.post(grant_type="refresh_token", refresh_token=stolen).body["refresh_token"]
    assert book.post(grant_type="refresh_token", refresh_token=stolen).status == 400  # the owner comes second
    assert book.post(grant_type="refresh_token", refresh_token=thief).status == 200  # red: the thief goes on

    world.sign_in()
    stolen = world.tokens()["refresh_token"]
    thief = world.refresh(stolen).json()
    assert "id_token" in thief
    for token in (stolen, thief["refresh_token"]):
        refused = world.refresh(token)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_9_when_a_person_signed_in_is_known_and_what_the_app_asks_of_it_is_kept(world: World) -> None:
    long_ago = clock.now() - timedelta(hours=2)
    wishes = {"max_age": "60", "acr_values": "phr", "id_token_hint": "nonsense", "claims": "["}
    said = claims_of(Textbook().tokens(**wishes)["id_token"])  # red: a code in spite of all four
    assert said["auth_time"] >= int(time.time()) - 5  # red: nobody signed in just now

    world.sign_in(auth_time=long_ago)
    assert claims_of(world.tokens()["id_token"])["auth_time"] == int(long_ago.timestamp())
    for name in ("max_age", "acr_values"):
        shown = world.authorize(**{name: wishes[name]})
        assert (shown.status_code, "/callback" in shown.headers["location"]) == (303, False), name
    for name in ("id_token_hint", "claims"):
        assert answer_of(world.authorize(**{name: wishes[name]}))["error"] == "invalid_request", name


def test_10_a_scope_the_client_is_not_registered_for_is_refused_not_left_empty(world: World) -> None:
    book = Textbook()
    granted = book.post(grant_type="client_credentials", scope="everything")
    assert (granted.status, granted.body.get("scope", "")) == (200, "")  # red: a token for nothing, and no error
    assert book.code(scope="everything")
    refused = world.token("service", grant_type="client_credentials", scope="everything")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    assert answer_of(world.authorize(scope="everything"))["error"] == "invalid_scope"


def test_11_the_frameworks_old_token_module_is_used_nowhere() -> None:
    signs = RSAKey.generate_key(2048, private=True)
    der, claims = signs.as_der(private=False), {"sub": "mallory", "iss": SITE, "aud": ISSUER, "exp": 9_999_999_999}
    with pytest.warns(AuthlibDeprecationWarning, match="authlib.jose module is deprecated"):
        from authlib.jose import jwt as old
    try:
        forged = old.encode({"alg": "HS256"}, claims, der).decode()
        assert old.decode(forged, der)["sub"] == "mallory"  # red: the public key, published, as a secret
    finally:  # the rest of the framework treats keys otherwise once it has been seen
        for name in [name for name in sys.modules if name.startswith("authlib.jose")]:
            del sys.modules[name]
    key = Key("k", "RS256", signs)
    with pytest.raises(BadToken):
        verify(forged, Keys([key]), algorithms=("RS256", "ES256"), issuer=SITE, audience=ISSUER, now=clock.now())
    for module in (Path(__file__).parents[2] / "idp").rglob("*.py"):
        assert not re.search(r"authlib\.jose|from authlib import jose", module.read_text()), module


def test_a_description_with_foreign_characters_does_not_break_the_answer(world: World) -> None:
    with pytest.raises(ValueError, match="forbidden"):
        InvalidRequestError('Redirect URI "é" is not supported')  # red: raised while refusing
    assert world.authorize(redirect_uri='https://x.example/"é').status_code == 400
    assert answer_of(world.authorize(response_type='"é'))["error"] == "unsupported_response_type"
    assert world.http.post("/oauth/token", data={"grant_type": '"é'}).status_code == 400


def test_performance_2_a_token_call_parses_no_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.token("service", grant_type="client_credentials")

    def parsed(*_: object) -> None:
        raise AssertionError("a key was parsed in a token call")

    monkeypatch.setattr("idp.oauth.keys.key_from_jwk", parsed)
    monkeypatch.setattr("idp.signatures.keys.key_from_jwk", parsed)
    for _ in range(3):
        assert world.token("service", grant_type="client_credentials").status_code == 200
