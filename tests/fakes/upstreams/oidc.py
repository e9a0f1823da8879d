"""An organization's OpenID provider: a real application with switches for hostile answers; no sockets.

It is faithful by default: it checks the client's secret, the redirect address, PKCE and single use of its codes.
"""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

GONE = object()
"""As a claim's value: leave the claim out."""


class OidcProvider:
    """One organization. Set `person`, then let the browser come by."""

    kind = "oidc"

    def __init__(self, issuer: str = "https://login.evergreen.example", name: str = "Evergreen Billing") -> None:
        self.issuer = issuer
        self.name = name
        self.client_id = "meridian"
        self.client_secret = "a secret of forty characters or even more"
        self.person: dict[str, Any] = {"sub": "ev-1", "name": "Ana Ruiz", "email": "a.ruiz@evergreen.example"}
        self.keys = [ECKey.generate_key("P-256", parameters={"kid": "ev-key-1"}, private=True)]
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.sign_with: Any = None
        self.token_override: str | None = None
        self.discovery: dict[str, Any] = {}
        self.redirect: dict[str, Any] = {}
        self.mode = "well"
        self.asked: list[dict[str, str]] = []
        self.calls: list[str] = []
        self.client_keys: Any = None
        self.assertions: list[dict[str, Any]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )
        self.client = TestClient(self.app, base_url=issuer)

    def record(self) -> dict[str, Any]:
        """What `upstreams.register` is told of it."""
        return {
            "issuer": self.issuer,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "algorithms": ("ES256",),
            "acr_map": {"mfa": "http://idmanagement.gov/ns/assurance/aal/2"},
        }

    # what it serves

    async def _discovery(self, request: Request) -> Response:
        made = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["ES256", "RS256", "none"],
            **self.discovery,
        }
        return JSONResponse(made)

    async def _jwks(self, request: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        answer: dict[str, Any] = {"code": code, "state": asked["state"], **self.redirect}
        query = urlencode({name: value for name, value in answer.items() if value is not GONE})
        return RedirectResponse(f"{asked['redirect_uri']}?{query}", status_code=302)

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or not self._client_is_right(request, form):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        digest = sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": self.id_token(asked)})

    def _client_is_right(self, request: Request, form: dict[str, str]) -> bool:
        if "client_assertion" in form:
            claims = jwt.decode(form["client_assertion"], self.client_keys, algorithms=["ES256"]).claims
            self.assertions.append(claims)
            return bool(claims["sub"] == claims["iss"] == self.client_id and claims["aud"] == self.issuer)
        sent = request.headers.get("authorization", "")
        if sent.startswith("Basic "):
            name, _, secret = base64.b64decode(sent[6:]).decode().partition(":")
            return (unquote(name), unquote(secret)) == (self.client_id, self.client_secret)
        return (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)

    def id_token(self, asked: dict[str, str]) -> str:
        """Make the token for what was asked, bent as the switches say."""
        if self.token_override is not None:
            return self.token_override
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not GONE}
        key = self.sign_with or self.keys[0]
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        header = {"alg": algorithm, "kid": key.kid, **self.header}
        if header["alg"] in ("none", "HS256"):
            return self._forged(header, claims)
        return jwt.encode(header, claims, key, algorithms=["ES256", "RS256", "HS256"])

    def logout_token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Make a logout token (Back-Channel Logout 1.0, 2.4) for the person, bent as the claims say."""
        now = int(time.time())
        made: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(16),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sub": self.person["sub"],
            **claims,
        }
        made = {name: value for name, value in made.items() if value is not GONE}
        key = self.sign_with or self.keys[0]
        head = {"alg": "ES256", "kid": key.kid, "typ": "logout+jwt", **(header or {})}
        if head["alg"] in ("none", "HS256"):
            return self._forged(head, made)
        return jwt.encode({k: v for k, v in head.items() if v is not GONE}, made, key, algorithms=["ES256"])

    def _forged(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        import hmac

        def part(value: object) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        signed = f"{part(header)}.{part(claims)}"
        if header["alg"] == "none":
            return signed + "."
        public = self.keys[0].as_pem(private=False)
        mark = hmac.new(public, signed.encode(), sha256).digest()
        return signed + "." + base64.urlsafe_b64encode(mark).rstrip(b"=").decode()

    # how it is reached

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one back-channel call, in the mood that `mode` says."""
        self.calls.append(request.url.path)
        if self.mode == "down":
            raise httpx2.ConnectError("connection refused")
        if self.mode == "slow":
            raise httpx2.ReadTimeout("timed out")
        if self.mode == "garbage":
            return httpx2.Response(200, headers={"content-type": "application/json"}, content=b"\x00\xff{]")
        if self.mode == "page":
            return httpx2.Response(200, headers={"content-type": "text/html"}, content=b"<h1>Maintenance</h1>")
        if self.mode == "elsewhere":
            return httpx2.Response(302, headers={"location": "https://evil.example/"})
        if self.mode == "huge":
            content = b'{"a": "' + b"x" * 1_100_000 + b'"}'
            return httpx2.Response(200, headers={"content-type": "application/json"}, content=content)
        if self.mode == "list":
            return httpx2.Response(200, json=[1, 2])
        if self.mode == "deep":
            content = b"[" * 100_000
            return httpx2.Response(200, headers={"content-type": "application/json"}, content=content)
        if self.mode == "error":
            return httpx2.Response(500, json={"error": "server_error"})
        given = self.client.request(
            request.method, str(request.url), content=request.read(), headers=dict(request.headers)
        )
        headers = {"content-type": given.headers["content-type"]}
        return httpx2.Response(given.status_code, headers=headers, content=given.content)


class _Chunks(httpx2.SyncByteStream):
    """A body that arrives in pieces, as from a network."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._content), 50_000):
            yield self._content[at : at + 50_000]


class Wire(httpx2.BaseTransport):
    """The outbound client's transport in tests: leads each address to its provider."""

    def __init__(self, *providers: OidcProvider) -> None:
        self.providers = {provider.issuer: provider for provider in providers}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        parts = urlsplit(str(request.url))
        provider = self.providers.get(f"{parts.scheme}://{parts.netloc}")
        if provider is None:
            raise httpx2.ConnectError("nobody is there")
        made = provider.answer(request)
        return httpx2.Response(made.status_code, headers=made.headers, stream=_Chunks(made.content))


def page_of(name: str) -> Response:
    """A page of the organization, for browsers that stay there."""
    return HTMLResponse(f"<title>{name}</title><h1>{name}</h1>")


def answered(url: str) -> dict[str, str]:
    """Return the parameters a browser was sent back with."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
