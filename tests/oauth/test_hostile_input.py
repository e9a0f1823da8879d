"""What a stranger or a registered app can send to break an answer, and what is answered (security.md 83, 84)."""

import base64
import json
from collections.abc import Iterator

import pytest
import structlog
from fastapi import FastAPI
from joserfc.jwk import ECKey
from starlette.testclient import TestClient

from idp import clock
from idp.database import transaction
from idp.oauth import clients
from idp.signatures import BadToken, keys_from_jwks, verify
from idp.signatures.keys import Key
from tests.engines import ISSUER
from tests.oauth.world import SECRET, World

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def plain(world: World) -> Iterator[TestClient]:
    """The running service; a bug is an answer of 500 here, as it is in production."""
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()]
    )  # the default draws tracebacks for minutes
    world.http._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    yield world.http
    structlog.reset_defaults()


NUL = (
    "/sign-in?flow=%00", "/sign-in/password?flow=%00", "/oauth/authorize?flow=%00", "/login/%00", "/login/a?flow=%00",
    "/p/%00/people", "/link?flow=%00", "/oauth/authorize/cancel?flow=%00", "/oauth/logout?client_id=%00",
    "/login/x/callback?state=%00", "/static/%00", "/oauth/authorize?client_id=%00",
)  # fmt: skip


def test_security_83_an_address_with_nul_is_a_mistake_of_the_asker(plain: TestClient) -> None:
    for path in NUL:
        for accept in ("text/html", "*/*"):
            answer = plain.get(path, headers={"accept": accept, "cookie": f"idp_8000_flow={'b' * 43}"})
            assert 400 <= answer.status_code < 500, (path, answer.status_code)


UNDECODABLE = (b"Basic \xff\xfe", b"Basic " + base64.b64encode(b"\xff:x"), b"Basic !", b"Basic", b"Bearer \xff")


def test_security_83_an_undecodable_authorization_header_is_refused(plain: TestClient) -> None:
    for path in ("/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/userinfo"):
        for value in UNDECODABLE:
            sent = [(b"authorization", value), (b"content-type", FORM.encode())]
            answer = plain.post(path, content=b"grant_type=client_credentials&token=x", headers=sent)
            assert answer.status_code in (400, 401), (path, value, answer.status_code)


def _key() -> tuple[Key, dict[str, object]]:
    made = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}, private=True)
    return Key("k1", "ES256", made), {"keys": [made.as_dict(private=False)]}


@pytest.mark.parametrize("ends", ["NaN", "Infinity", "1e400", "1e300", "-1", "99999999999999999999"])
def test_security_33_a_time_that_is_no_moment_is_refused(ends: str) -> None:
    key, jwks = _key()
    body = f'{{"iss":"x","sub":"x","aud":"{ISSUER}","jti":"j","exp":{ends}}}'
    token = forged(key, body)
    with pytest.raises(BadToken):
        verify(
            token, keys_from_jwks(jwks), algorithms=("ES256",), issuer="x", audience=ISSUER, now=clock.now(),
            required=("exp",),
        )  # fmt: skip


def forged(key: Key, body: str) -> str:
    """Sign a text as it is."""
    from joserfc.jws import JWSRegistry

    def packed(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    signed = packed(b'{"alg":"ES256","kid":"k1","typ":"JWT"}') + "." + packed(body.encode())
    return signed + "." + packed(JWSRegistry.algorithms["ES256"].sign(signed.encode(), key.inner))


def test_security_45_a_client_assertion_whose_time_is_no_moment_is_refused(plain: TestClient, world: World) -> None:
    key, jwks = _key()
    world.client("svc", auth_method="private_key_jwt", jwks=jwks, grant_types=["client_credentials"], redirect_uris=[])
    for claims in ('"exp":NaN', '"exp":1e400', '"exp":99999999999999', '"exp":9999999999,"iat":NaN',
                   f'"exp":{int(clock.now().timestamp()) + 60},"iat":-1e300'):  # fmt: skip
        body = f'{{"iss":"svc","sub":"svc","aud":"{ISSUER}","jti":"j",{claims}}}'
        answer = plain.post(
            "/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": forged(key, body),
            },
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), claims


CLAIMS = (
    json.dumps({"id_token": {"acr": {"values": [["x"]]}}}),
    json.dumps({"id_token": {"acr": {"value": {}}}}),
    json.dumps({"id_token": {"sub": {"value": [1]}}}),
    json.dumps({"userinfo": {"name": {"value": "\ud800"}}}),
    '{"userinfo":{"name":{"value":"\\u0000"}}}',
    '{"userinfo":{"name":' + '{"a":' * 600 + "1" + "}" * 600 + "}}",
    '{"userinfo":{"name":{"values":' + "[" * 900 + "1" + "]" * 900 + "}}}",
    '{"userinfo":{"name":{"value":1e999}}}',
    '{"userinfo":{"name":{"value":NaN}}}',
    "[" * 2000,
)


def test_security_83_no_claims_parameter_breaks_an_answer(plain: TestClient, world: World) -> None:
    world.sign_in()
    for claims in CLAIMS:
        sent = world.authorize(claims=claims)
        assert sent.status_code == 303, (claims[:60], sent.status_code)
        if "NaN" in claims:
            assert "error=invalid_request" in sent.headers["location"]
        code = sent.headers["location"].partition("code=")[2].partition("&")[0]
        if code:
            tokens = world.exchange(code)
            assert tokens.status_code == 200, (claims[:60], tokens.text)
            assert world.userinfo(tokens.json()["access_token"]).status_code == 200, claims[:60]
            assert world.refresh(tokens.json()["refresh_token"]).status_code == 200, claims[:60]


def test_security_57_deep_json_is_refused(plain: TestClient, world: World) -> None:
    with transaction(world.database) as db:
        clients.register(
            db, client_id="asks", name="Asks", secret=SECRET, grant_types=["client_credentials"],
            scopes=["access:evaluate", "access:search"],
        )  # fmt: skip
    token = world.token("asks", grant_type="client_credentials").json()["access_token"]
    start = '{"subject":{"type":"account","id":"a"},"action":{"name":"x"},"resource":{"type":"provider","id":"p"},"z":'
    head = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    for depth in (40, 200, 300, 600, 1000):
        for path in ("evaluation", "evaluations", "search/subject", "search/resource", "search/action"):
            for opened, closed in (('{"a":', "}"), ("[", "]")):
                body = start + opened * depth + "1" + closed * depth + "}"
                answer = plain.post(f"/access/v1/{path}", content=body, headers=head)
                assert answer.status_code == 400, (path, depth, answer.status_code)


def test_security_82_and_84_even_a_bug_answers_with_every_header(app: FastAPI, plain: TestClient) -> None:
    def bug() -> None:
        raise RuntimeError("the secret of the bug")

    app.add_api_route("/bug", bug)
    answer = plain.get("/bug", headers={"accept": "text/html"})
    assert answer.status_code == 500
    assert "secret of the bug" not in answer.text
    for name, value in {
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
    }.items():
        assert answer.headers.get(name) == value, name
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-request-id"] in answer.text
