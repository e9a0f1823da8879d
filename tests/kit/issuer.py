"""A tiny identity service with real keys, for tests of the kit alone; no sockets."""

import base64
import json
import time
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

URL = "https://login.example.org"
AUDIENCE = "https://claims.example.org"
CLIENT, SECRET = "claims", "a secret of thirty-two characters or more"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class FakeIssuer:
    """Publishes keys, answers the token, evaluation, feed and introspection endpoints as told."""

    def __init__(self) -> None:
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.published = ["ec", "rsa"]
        self.cache_control = "public, max-age=300"
        self.down = False
        self.asked: list[str] = []
        self.revocations: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.questions: list[dict[str, Any]] = []
        self.active = True
        self.token_answer: tuple[int, dict[str, Any]] | None = None
        self.feed_claims: dict[str, Any] = {}
        self.feed_header: dict[str, Any] = {}
        self.forms: list[dict[str, str]] = []

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer), follow_redirects=False)

    def jwks(self) -> dict[str, Any]:
        point = self.ec.public_key().public_numbers()
        numbers = self.rsa.public_key().public_numbers()
        every = {
            "ec": {"kty": "EC", "crv": "P-256", "alg": "ES256", "x": b64(point.x.to_bytes(32, "big"))}
            | {"y": b64(point.y.to_bytes(32, "big"))},
            "rsa": {"kty": "RSA", "alg": "RS256", "n": number(numbers.n), "e": number(numbers.e)},
        }
        return {"keys": [{**every[kid], "kid": kid, "use": "sig"} for kid in self.published]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        whole: dict[str, Any] = {
            "iss": URL,
            "sub": "acc_ana",
            "aud": AUDIENCE,
            "client_id": CLIENT,
            "iat": now,
            "exp": now + 300,
            "jti": "tok_1",
            "scope": "openid profile",
            "sid": "ses_1",
            "provider": "prv_lakeside",
            "authz_epoch": 3,
        } | changes
        return {name: value for name, value in whole.items() if value is not None}

    def sign(self, claims: dict[str, Any], *, kid: str = "ec", **header: Any) -> str:
        whole = {"alg": "ES256" if kid == "ec" else "RS256", "typ": "at+jwt", "kid": kid} | header
        clear = {name: value for name, value in whole.items() if value is not None}
        return self.sign_raw(json.dumps(clear).encode(), json.dumps(claims).encode(), kid)

    def sign_raw(self, header: bytes, payload: bytes, kid: str = "ec") -> str:
        signed = f"{b64(header)}.{b64(payload)}".encode()
        if kid == "rsa":
            signature = self.rsa.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = decode_dss_signature(self.ec.sign(signed, ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{signed.decode()}.{b64(signature)}"

    def access_token(self, **changes: Any) -> str:
        return self.sign(self.claims(**changes))

    def frame(self, asked: dict[str, str]) -> bytes:
        """Answer the signed feed, two revocations at a time; `feed_claims` and `feed_header` change what it says."""
        after = int(asked["after"]) if "after" in asked else None
        last = max((r["seq"] for r in self.revocations), default=0)
        claims: dict[str, Any] = {"iss": URL, "aud": CLIENT, "nonce": asked["nonce"], "after": after}
        if after is not None and after > last:
            claims["restart"] = True
        else:
            listed = [r for r in self.revocations if r["seq"] > (after or 0)][:2]
            shown = listed[-1]["seq"] if listed else after or 0
            claims |= {"revocations": listed, "last": shown, "more": shown < last}
        header = {"typ": "revocations+jwt"} | self.feed_header
        return self.sign(claims | self.feed_claims, **header).encode()

    def id_token(self, access_token: str, **changes: Any) -> str:
        half = b64(sha256(access_token.encode()).digest()[:16])
        return self.sign(self.claims(aud=CLIENT, at_hash=half, name="Ana Ruiz", **changes), typ="JWT")

    def rsa_public(self, encoding: serialization.Encoding) -> bytes:
        return self.rsa.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append(path)
        if self.down:
            raise httpx2.ConnectError("down")
        if path == "/.well-known/openid-configuration":
            names = ("authorize", "token", "introspect", "revoke", "logout", "jwks")
            keys = ("authorization", "token", "introspection", "revocation", "end_session")
            body: dict[str, Any] = {
                f"{key}_endpoint": f"{URL}/oauth/{name}" for key, name in zip(keys, names[:5], strict=True)
            }
            return httpx2.Response(200, json={**body, "issuer": URL, "jwks_uri": f"{URL}/oauth/jwks"})
        if path == "/oauth/jwks":
            return httpx2.Response(200, json=self.jwks(), headers={"Cache-Control": self.cache_control})
        if path == "/oauth/introspect":
            return httpx2.Response(200, json={"active": self.active})
        if path == "/oauth/token":
            return self._token(dict(parse_qsl(request.content.decode())))
        if path == "/oauth/revoke":
            return httpx2.Response(200)
        if path == "/access/v1/evaluation":
            self.questions.append(json.loads(request.content))
            return httpx2.Response(200, json=self.answers.pop(0))
        if path == "/access/v1/evaluations":
            return httpx2.Response(200, json={"evaluations": self.answers})
        if path == "/signals/v1/feed":
            return httpx2.Response(200, content=self.frame(dict(request.url.params)))
        return httpx2.Response(404)

    def _token(self, form: dict[str, str]) -> httpx2.Response:
        self.forms.append(form)
        if form["grant_type"] == "client_credentials":
            return httpx2.Response(200, json={"access_token": "service", "token_type": "Bearer", "expires_in": 300})
        if self.token_answer is not None:
            return httpx2.Response(self.token_answer[0], json=self.token_answer[1])
        return httpx2.Response(400, json={"error": "invalid_grant"})
