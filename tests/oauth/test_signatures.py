"""Tokens that must not be trusted, and the traps of the listed packages."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from jose import jwk as jose_jwk
from jose import jwt as jose

from idp import clock
from idp.signatures import (
    BadToken,
    Key,
    Keys,
    Remembered,
    generate,
    key_from_jwk,
    keys_from_jwks,
    sign,
    unverified_header,
    verify,
)

ALGORITHMS = ("ES256", "RS256")
RSA = generate("RS256")
EC = generate("ES256")
OURS = Keys([RSA, EC], kid_required=True)


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def claims(**more: object) -> dict[str, object]:
    now = int(clock.now().timestamp())
    return {"iss": "i", "aud": "a", "sub": "s", "exp": now + 60, "iat": now, **more}


def check(token: str, keys: Keys = OURS, **more: object) -> dict[str, object]:
    options = {"algorithms": ALGORITHMS, "issuer": "i", "audience": "a", "now": clock.now(), **more}
    return verify(token, keys, **options)  # type: ignore[arg-type]


def resigned(header: dict[str, object], body: bytes | None = None, key: Key = EC) -> str:
    """Sign any header and body with a real key of ours."""
    full = sign(claims(), key)
    _, payload, _ = full.split(".")
    signed = b64(json.dumps(header).encode()) + "." + (b64(body) if body is not None else payload)
    from joserfc.jws import JWSRegistry

    assert key.alg is not None
    return signed + "." + b64(JWSRegistry.algorithms[key.alg].sign(signed.encode(), key.inner))


def reason(token: str, **more: object) -> str:
    with pytest.raises(BadToken) as refused:
        check(token, **more)  # type: ignore[arg-type]
    return refused.value.reason


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
def test_our_tokens_verify_with_python_jose_and_with_ourselves(key: Key) -> None:
    token = sign(claims(), key)
    assert check(token)["sub"] == "s"
    constructed = jose_jwk.construct(key.public_jwk(), algorithm=key.alg)
    assert jose.decode(token, constructed, algorithms=[key.alg], audience="a", issuer="i")["sub"] == "s"


def test_the_der_as_hmac_trap_is_red_on_naive_python_jose_and_green_on_ours() -> None:
    der = RSA.inner.as_der(private=False)
    head, body = b64(b'{"alg":"HS256","typ":"JWT"}'), b64(json.dumps(claims()).encode())
    forged = f"{head}.{body}.{b64(hmac.new(der, f'{head}.{body}'.encode(), hashlib.sha256).digest())}"
    assert jose.decode(forged, der, algorithms=None, audience="a")["sub"] == "s"  # red
    assert reason(forged) == "algorithm"
    assert reason(forged, algorithms=("HS256", "RS256")) == "algorithm"


def test_security_54_alg_none_is_refused_in_every_spelling() -> None:
    body = b64(json.dumps(claims()).encode())
    for name in ("none", "None", "NONE", "nOnE"):
        head = b64(json.dumps({"alg": name}).encode())
        assert reason(f"{head}.{body}.{b64(b'x')}") == "algorithm"
        assert reason(f"{head}.{body}.") == "malformed"


def test_security_55_headers_that_bring_keys_or_demands_are_refused() -> None:
    for name, value in {
        "jwk": RSA.public_jwk(),
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/cert",
        "x5c": ["MII"],
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
    }.items():
        assert reason(resigned({"alg": "ES256", "kid": EC.kid, name: value})) == "header", name


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "http://x", "", 7, ["a"], None, "x" * 300])
def test_security_55_a_kid_is_only_looked_up(kid: object) -> None:
    header: dict[str, object] = {"alg": "ES256"}
    if kid is not None:
        header["kid"] = kid
    assert reason(resigned(header)) == "unknown_key"


def test_a_key_is_not_used_with_another_algorithm_than_its_own() -> None:
    assert reason(resigned({"alg": "RS256", "kid": EC.kid})) == "unknown_key"


def test_security_56_no_kind_of_token_passes_for_another() -> None:
    access, identity = sign(claims(), EC, "at+jwt"), sign(claims(), EC)
    assert reason(access) == "typ"
    assert reason(identity, typ="at+jwt") == "typ"
    assert check(access, typ="at+jwt")["sub"] == "s"
    assert check(resigned({"alg": "ES256", "kid": EC.kid, "typ": "application/AT+JWT"}), typ="at+jwt")


def test_security_57_size_depth_and_duplicates_are_checked() -> None:
    assert reason("a" * 9000) == "too_large"
    assert reason(resigned({"alg": "ES256", "kid": EC.kid}, b'{"sub":"a","sub":"b"}')) == "duplicate_member"
    assert reason(resigned({"alg": "ES256", "kid": EC.kid}, b"[" * 5000)) == "malformed"
    assert reason(resigned({"alg": "ES256", "kid": EC.kid}, b"[1]")) == "malformed"
    for nonsense in ("", "a.b", "a.b.c.d", "a b.c.d", "é.b.c", "..", "a.b.c\n"):
        assert reason(nonsense) in ("malformed", "too_large"), nonsense


def test_a_signature_has_one_spelling_only() -> None:
    token = sign(claims(), EC)
    last = token[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for offset in range(1, 16):
        other = token[:-1] + alphabet[alphabet.index(last) ^ offset]
        assert reason(other) == "signature"


def test_claims_are_checked_and_their_types_too() -> None:
    assert reason(sign(claims(aud="b"), EC)) == "audience"
    assert check(sign(claims(aud=["b", "a"]), EC))
    no_audience = claims()
    del no_audience["aud"]
    assert reason(sign(no_audience, EC)) == "audience"  # python-jose accepts this one
    assert reason(sign(claims(iss="x"), EC)) == "issuer"
    assert reason(sign(claims(exp="soon"), EC)) == "claim_type"
    assert reason(sign(claims(exp=True), EC)) == "claim_type"
    assert reason(sign(claims(sub=7), EC)) == "claim_type"
    assert reason(sign(claims(sub="x" * 256), EC)) == "claim_type"
    assert reason(sign(claims(nonce=None), EC), required=("nonce",)) == "claim_missing"


def test_security_90_times_hold_within_the_leeway_only() -> None:
    now = clock.now()
    token = sign(claims(), EC)
    assert check(token, now=now + timedelta(seconds=118))
    assert reason(token, now=now + timedelta(seconds=121)) == "expired"
    assert check(token, now=now + timedelta(hours=9), expired_is_fine=True)
    assert reason(token, now=now - timedelta(seconds=62)) == "not_yet"
    assert reason(sign(claims(nbf=int(now.timestamp()) + 100), EC)) == "not_yet"


def test_weak_or_foreign_keys_are_left_out_of_an_imported_set() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()  # noqa: S505 - the weak key of the test
    n = b64(numbers.n.to_bytes(128, "big"))
    found = keys_from_jwks(
        {
            "keys": [
                {"kty": "RSA", "n": n, "e": "AQAB", "kid": "weak"},
                {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
                {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "off-curve"},
                {"kty": "RSA", "use": "enc", "kid": "enc"},
                "nonsense",
                EC.public_jwk(),
            ]
        }
    )
    assert [key.kid for key in found] == [EC.kid]
    with pytest.raises(BadToken):
        keys_from_jwks({"keys": "no"})
    with pytest.raises(BadToken):
        key_from_jwk({"kty": "RSA", "n": n, "e": "AQAB"})
    assert unverified_header(sign(claims(), EC))["kid"] == EC.kid


def test_a_token_without_kid_is_verified_only_where_one_key_can_be_meant() -> None:
    token = resigned({"alg": "ES256"})
    assert check(token, keys=Keys([RSA, EC]))
    assert reason(token, keys=Keys([generate("ES256"), EC])) == "unknown_key"


def test_security_58_a_proof_is_remembered_only_while_its_key_is_published_and_never_instead_of_the_times() -> None:
    remembered = Remembered(limit=2)
    now = clock.now()

    def ask(token: str, keys: Keys = OURS, *, later: int = 0, audience: str = "a", typ: str | None = None) -> str:
        try:
            remembered.verify(
                token,
                keys,
                algorithms=ALGORITHMS,
                typ=typ,
                issuer="i",
                audience=audience,
                now=now + timedelta(seconds=later),
                leeway=timedelta(0),
            )
        except BadToken as refused:
            return refused.reason
        return "good"

    token = sign(claims(), EC)
    assert [ask(token), ask(token)] == ["good", "good"]
    assert ask(token, audience="b") == "audience"
    assert ask(token, typ="at+jwt") == "typ"
    assert ask(token, later=61) == "expired"
    head, _, mark = token.split(".")
    forged = ".".join((head, b64(json.dumps(claims(sub="other")).encode()), mark))
    assert ask(forged) == "signature"
    assert ask(token, Keys([RSA], kid_required=True)) == "unknown_key"
    again = Keys([key_from_jwk(EC.public_jwk())], kid_required=True)
    assert ask(token, again) == "good"
    for _ in range(5):
        assert ask(sign(claims(jti=str(clock.now())), EC)) == "good"
    assert len(remembered._proved) == 2
