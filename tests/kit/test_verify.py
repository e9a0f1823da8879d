"""Tokens are verified offline; the traps of python-jose are red on the naive call and green on ours (D-3)."""

import asyncio
import hmac
import json
import subprocess
import sys
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from jose import jwt

from idp.resource_server.issuer import Issuer
from idp.resource_server.problems import TokenRefused
from idp.resource_server.verify import AccessToken, Verifier
from tests.kit.issuer import AUDIENCE, CLIENT, URL, FakeIssuer, b64


def read(verifier: Verifier, token: str) -> AccessToken:
    return asyncio.run(verifier.access_token(token))


def refused(verifier: Verifier, token: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        read(verifier, token)
    return caught.value.reason


def test_d3_a_good_token_says_who_for_which_practice_and_at_which_epoch(fake: FakeIssuer, verifier: Verifier) -> None:
    token = read(verifier, fake.access_token())
    assert (token.subject, token.provider_id, token.session_id) == ("acc_ana", "prv_lakeside", "ses_1")
    assert (token.authz_epoch, token.client_id) == (3, CLIENT)
    assert token.scopes == {"openid", "profile"}
    assert fake.access_token() not in repr(token)


def test_security_54_rs256_is_accepted_only_where_asked_for(fake: FakeIssuer, issuer: Issuer) -> None:
    token = fake.sign(fake.claims(), kid="rsa")
    both = Verifier(issuer=URL, audience=AUDIENCE, keys=issuer, algorithms=("RS256",))
    assert read(both, token).subject == "acc_ana"
    assert "alg" in refused(Verifier(issuer=URL, audience=AUDIENCE, keys=issuer), token)
    with pytest.raises(ValueError, match="algorithms"):
        Verifier(issuer=URL, audience=AUDIENCE, keys=issuer, algorithms=("HS256",))


def test_trap_a_der_public_key_as_hmac_secret_is_accepted_by_the_naive_call_and_refused_by_us(
    fake: FakeIssuer, issuer: Issuer
) -> None:
    public = fake.rsa_public(Encoding.DER)
    header = b64(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": "rsa"}).encode())
    signed = f"{header}.{b64(json.dumps(fake.claims(sub='acc_mallory')).encode())}"
    forged = f"{signed}.{b64(hmac.digest(public, signed.encode(), 'sha256'))}"
    assert jwt.decode(forged, public, audience=AUDIENCE)["sub"] == "acc_mallory"
    verifier = Verifier(issuer=URL, audience=AUDIENCE, keys=issuer, algorithms=("ES256", "RS256"))
    assert "alg" in refused(verifier, forged)


def test_trap_a_token_without_audience_is_accepted_by_the_naive_call_and_refused_by_us(
    fake: FakeIssuer, verifier: Verifier
) -> None:
    token = fake.access_token(aud=None)
    assert jwt.decode(token, fake.jwks(), algorithms=["ES256"], audience=AUDIENCE)["sub"] == "acc_ana"
    assert "aud" in refused(verifier, token)


def test_trap_an_unknown_critical_header_is_ignored_by_the_naive_call_and_refused_by_us(
    fake: FakeIssuer, verifier: Verifier
) -> None:
    token = fake.sign(fake.claims(), crit=["exp-policy"], **{"exp-policy": 1})
    assert jwt.decode(token, fake.jwks(), algorithms=["ES256"], audience=AUDIENCE)["sub"] == "acc_ana"
    assert "crit" in refused(verifier, token)


def test_trap_an_id_token_in_the_place_of_an_access_token_passes_the_naive_call_and_not_ours(
    fake: FakeIssuer, verifier: Verifier
) -> None:
    token = fake.sign(fake.claims(), typ="JWT")
    assert jwt.decode(token, fake.jwks(), algorithms=["ES256"], audience=AUDIENCE)["sub"] == "acc_ana"
    assert "typ" in refused(verifier, token)
    assert "typ" in refused(verifier, fake.sign(fake.claims(), typ=None))


def test_trap_one_audience_among_several_passes_the_naive_call_and_not_ours(
    fake: FakeIssuer, verifier: Verifier
) -> None:
    token = fake.access_token(aud=[AUDIENCE, "https://other.example.org"])
    assert jwt.decode(token, fake.jwks(), algorithms=["ES256"], audience=AUDIENCE)["sub"] == "acc_ana"
    assert "aud" in refused(verifier, token)
    assert read(verifier, fake.access_token(aud=[AUDIENCE])).subject == "acc_ana"


def test_trap_a_member_twice_in_the_header_is_read_one_way_or_the_other_so_it_is_refused(
    fake: FakeIssuer, verifier: Verifier
) -> None:
    header = b'{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"ec"}'
    token = fake.sign_raw(header, json.dumps(fake.claims()).encode())
    assert jwt.decode(token, fake.jwks(), algorithms=["ES256"], audience=AUDIENCE)["sub"] == "acc_ana"  # red
    assert "twice" in refused(verifier, token)
    payload = json.dumps(fake.claims())[:-1] + ',"sub":"acc_mallory"}'
    header = b'{"alg":"ES256","typ":"at+jwt","kid":"ec"}'
    assert "twice" in refused(verifier, fake.sign_raw(header, payload.encode()))


def test_security_54_none_and_key_confusion_have_no_way_in(fake: FakeIssuer, issuer: Issuer) -> None:
    verifier = Verifier(issuer=URL, audience=AUDIENCE, keys=issuer, algorithms=("ES256", "RS256"))
    body = b64(json.dumps(fake.claims()).encode())
    for alg in ("none", "None", "HS256", "ES512", "", None, 7):
        header = b64(json.dumps({"alg": alg, "typ": "at+jwt", "kid": "ec"}).encode())
        refused(verifier, f"{header}.{body}.{b64(b'x')}")
    # An RS256 signature that names the elliptic key: the key's own algorithm decides.
    assert "another alg" in refused(
        verifier,
        fake.sign(fake.claims(), kid="rsa", alg="RS256").replace(
            b64(json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": "rsa"}).encode()),
            b64(json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": "ec"}).encode()),
        ),
    )


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "b64", "zip"])
def test_security_55_headers_that_steer_a_verifier_are_refused(name: str, fake: FakeIssuer, verifier: Verifier) -> None:
    assert name in refused(verifier, fake.sign(fake.claims(), **{name: "https://evil.example"}))
    assert not any("evil" in path for path in fake.asked)


@pytest.mark.parametrize("kid", ["../../etc/passwd", "https://evil.example/k", "", None, 5, ["ec"], "k" * 500])
def test_security_55_a_kid_is_looked_up_and_nothing_else(kid: object, fake: FakeIssuer, verifier: Verifier) -> None:
    assert "kid" in refused(verifier, _with_kid(fake, kid))
    assert set(fake.asked) <= {"/.well-known/openid-configuration", "/oauth/jwks"}


def _with_kid(fake: FakeIssuer, kid: object) -> str:
    header = {"alg": "ES256", "typ": "at+jwt", "kid": kid}
    clear = {name: value for name, value in header.items() if value is not None}
    return fake.sign_raw(json.dumps(clear).encode(), json.dumps(fake.claims()).encode())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": URL + "/"}, "issuer"),
        ({"iss": None}, "iss"),
        ({"aud": "https://other.example.org"}, "udience"),
        ({"aud": []}, "udience"),
        ({"exp": int(time.time()) - 3600}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "9999999999"}, "exp"),
        ({"exp": 9e12}, "exp"),
        ({"iat": None}, "iat"),
        ({"iat": int(time.time()) + 3600}, "iat"),
        ({"nbf": int(time.time()) + 3600}, "yet valid"),
        ({"sub": None}, "sub"),
        ({"sub": 17}, "ubject"),
        ({"sub": ""}, "sub"),
        ({"client_id": None}, "client_id"),
        ({"jti": None}, "jti"),
        ({"authz_epoch": "3"}, "authz_epoch"),
        ({"authz_epoch": True}, "authz_epoch"),
        ({"scope": ["a"]}, "scope"),
        ({"sid": 4}, "sid"),
    ],
)
def test_security_53_a_missing_or_wrong_claim_is_refused(
    changes: dict[str, object], says: str, fake: FakeIssuer, verifier: Verifier
) -> None:
    assert says in refused(verifier, fake.access_token(**changes))


def test_security_57_long_broken_and_foreign_input_is_refused_not_a_crash(fake: FakeIssuer, verifier: Verifier) -> None:
    good = fake.access_token()
    head, body, signature = good.split(".")
    deep = b64(b"[" * 3000 + b"]" * 3000)
    for token in ("", ".", "..", "a.b", "a.b.c", "é.é.é", good[:-4] + "AAAA", f"{head}.{body}.", f"{head}.{deep}.x"):
        refused(verifier, token)
    for token in (
        f"{head}.{b64(b'[1]')}.{signature}",
        f"{head}={body}.{signature}",
        good + ".x",
        good + "\n",
        f" {good}",
    ):
        refused(verifier, token)
    assert "long" in refused(verifier, fake.access_token(scope="x" * 9000))


def test_an_id_token_is_bound_to_nonce_client_and_access_token(fake: FakeIssuer, issuer: Issuer) -> None:
    verifier = Verifier(issuer=URL, audience=CLIENT, keys=issuer)
    access = fake.access_token()
    good = fake.id_token(access, nonce="n")
    assert asyncio.run(verifier.id_token(good, nonce="n", access_token=access))["name"] == "Ana Ruiz"
    for token, nonce, other in (
        (good, "m", access),
        (good, "n", fake.access_token(jti="other")),
        (fake.id_token(access, nonce="n", azp="hsconnect"), "n", access),
        (access, "n", access),
    ):
        with pytest.raises(TokenRefused):
            asyncio.run(verifier.id_token(token, nonce=nonce, access_token=other))


def test_the_kit_imports_nothing_else_of_the_service() -> None:
    code = (
        "import sys, pkgutil, importlib, idp.resource_server as kit\n"
        "for m in pkgutil.iter_modules(kit.__path__): importlib.import_module('idp.resource_server.' + m.name)\n"
        "print(sorted(n for n in sys.modules if n.startswith('idp.') and not n.startswith('idp.resource_server')))\n"
        "print(sorted(n for n in ('sqlmodel', 'sqlalchemy', 'casbin', 'authlib', 'joserfc') if n in sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told.split("\n")[:2] == ["[]", "[]"]


def test_trap_a_key_given_as_text_is_parsed_with_every_token_by_the_naive_call_and_ours_once(
    fake: FakeIssuer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jose.backends import cryptography_backend as backend

    parsed: list[object] = []
    for name in ("CryptographyRSAKey", "CryptographyECKey"):
        kind = getattr(backend, name)
        first = kind.__init__

        def counted(self: object, *values: object, _first: Any = first, **more: object) -> None:
            parsed.append(self)
            _first(self, *values, **more)

        monkeypatch.setattr(kind, "__init__", counted)
    token = fake.sign(fake.claims(), kid="rsa")
    public = fake.rsa_public(Encoding.PEM)
    for _ in range(3):
        jwt.decode(token, public, algorithms=["RS256"], audience=AUDIENCE)
    assert len(parsed) >= 3  # red: once a token
    verifier = Verifier(issuer=URL, audience=AUDIENCE, keys=issuer, algorithms=("ES256", "RS256"))
    read(verifier, token)
    before = len(parsed)
    for _ in range(3):
        read(verifier, token)
    assert len(parsed) == before
