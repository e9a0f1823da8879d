"""The traps of the framework (stack.md 3.4): each red on the naive set-up, green on ours."""

import logging

import pytest
from authlib.oauth2.rfc6749.errors import InsecureTransportError, InvalidRequestError
from authlib.oauth2.rfc6749.requests import OAuth2Request
from authlib.oauth2.rfc6750.token import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge

from idp.oauth.grants.authorization_code import OurCodeChallenge
from idp.signatures import unverified_header
from tests.oauth.world import World, answer_of, claims_of


class _Asked:
    def __init__(self, client: object, **data: str) -> None:
        self.request = self
        self.payload = self
        self.client = client
        self.data, self.datalist = data, {k: [v] for k, v in data.items()}


def test_1_pkce_binds_confidential_clients_too_and_plain_is_refused(world: World) -> None:
    client = world.picture().clients["claims"]
    CodeChallenge(required=True).validate_code_challenge(_Asked(client), "")  # the trap: says nothing
    CodeChallenge(required=True).validate_code_challenge(_Asked(client, code_challenge="c" * 43), "")
    for data in ({}, {"code_challenge": "c" * 43}, {"code_challenge": "c" * 43, "code_challenge_method": "plain"}):
        with pytest.raises(InvalidRequestError):
            OurCodeChallenge(required=True).validate_code_challenge(_Asked(client, **data), "")
    world.sign_in()
    assert answer_of(world.authorize(code_challenge=None, code_challenge_method=None))["error"] == "invalid_request"


def test_2_every_token_has_a_kid_and_always_the_active_keys(world: World) -> None:
    world.sign_in()
    active = world.picture().keys.signers
    kids = {
        unverified_header(world.token("service", grant_type="client_credentials").json()["access_token"])["kid"]
        for _ in range(5)
    }
    assert kids == {active["ES256"].kid}


def test_4_tokens_live_five_minutes_not_ten_days(world: World) -> None:
    assert BearerTokenGenerator.GRANT_TYPES_EXPIRES_IN["client_credentials"] == 864000  # the trap
    answer = world.token("service", grant_type="client_credentials").json()
    claims = claims_of(answer["access_token"])
    assert answer["expires_in"] == claims["exp"] - claims["iat"] == 300


def test_5_errors_name_the_issuer_too(world: World) -> None:
    for change in ({"scope": "wam"}, {"response_type": "token"}, {"prompt": "none"}):
        assert answer_of(world.authorize(**change))["iss"] == "http://localhost:8000"


def test_6_the_framework_never_logs_tokens(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("authlib").debug("not seen")
        token = world.token("service", grant_type="client_credentials").json()["access_token"]
    assert token not in caplog.text
    assert "not seen" not in caplog.text


def test_7_the_scheme_the_framework_sees_is_the_issuers_not_the_proxys() -> None:
    with pytest.raises(InsecureTransportError):
        OAuth2Request("POST", "http://op.example/oauth/token")  # what request.url says behind a proxy
    from idp import clock
    from idp.oauth.desk import Asked, Desk

    desk = Desk(None, "https://op.example", clock.now(), tuple)  # type: ignore[arg-type]
    assert Asked(desk, "POST", "/oauth/token", {}).uri == "https://op.example/oauth/token"


def test_a_description_with_foreign_characters_does_not_break_the_answer(world: World) -> None:
    with pytest.raises(ValueError, match="forbidden"):
        InvalidRequestError('Redirect URI "é" is not supported')  # the trap: raised while refusing
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
