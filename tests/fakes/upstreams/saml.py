"""An organization's SAML identity provider: a real application with switches for hostile answers; no sockets.

It reads our request as such software does (inflates it, answers the id and the address it names) and posts back
through a page with a form. What it says is made by the `Workshop`.
"""

import base64
import html
import zlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.fakes.upstreams.saml_workshop import Pair, Workshop, metadata, pair


class SamlProvider:
    """One organization. Set `person`, then let the browser come by."""

    kind = "saml"

    def __init__(self, issuer: str = "https://login.evergreen.example", name: str = "Evergreen Billing") -> None:
        self.issuer = issuer
        self.name = name
        self.client_id = f"https://accounts.meridian.example/saml/{urlsplit(issuer).hostname}"
        self.shop = Workshop(issuer)
        self.person: dict[str, Any] = {"subject": "ev-1"}
        self.published: list[Pair] = [pair("idp")]
        self.says: dict[str, Any] = {}
        self.mode = "well"
        self.asked: list[dict[str, str]] = []
        self.calls: list[str] = []
        self.app = Starlette(routes=[Route("/sso", self._sign_on)])
        self.client = TestClient(self.app, base_url=issuer)

    @property
    def metadata(self) -> str:
        """What it publishes about itself."""
        certificates = [one.bare for one in self.published]
        return metadata(self.issuer, *certificates, logout=f"{self.issuer}/slo").decode()

    def record(self, **more: Any) -> dict[str, Any]:
        """What `upstreams.register` is told of it."""
        return {
            "kind": "saml",
            "issuer": self.issuer,
            "client_id": self.client_id,
            "algorithms": ("RS256",),
            "acr_map": {"https://refeds.org/profile/mfa": "http://idmanagement.gov/ns/assurance/aal/2"},
            "saml": {"metadata_url": f"{self.issuer}/metadata"},
            **more,
        }

    async def _sign_on(self, request: Request) -> Response:
        fields = self.answer_to(str(request.url))
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
        )
        asked = self.asked[-1]
        page = f'<form method="post" action="{asked["callback"]}">{inputs}<button>Go on</button></form>'
        return HTMLResponse(page)

    def answer_to(self, url: str) -> dict[str, str]:
        """The form this provider would post for a request that came in an address."""
        came = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        document = etree.fromstring(zlib.decompress(base64.b64decode(came["SAMLRequest"]), -15))
        asked = {
            "id": document.get("ID"),
            "callback": document.get("AssertionConsumerServiceURL"),
            "entity": document.findtext("{urn:oasis:names:tc:SAML:2.0:assertion}Issuer"),
            "force": document.get("ForceAuthn") or "",
            "relay_state": came["RelayState"],
            "algorithm": came["SigAlg"],
            "signature": came["Signature"],
        }
        self.asked.append(asked)
        return {
            "SAMLResponse": self.shop.posted(asked, **{**self.person, **self.says}),
            "RelayState": came["RelayState"],
        }

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a fetch of the metadata, in the mood that `mode` says."""
        self.calls.append(request.url.path)
        if self.mode == "down":
            raise httpx2.ConnectError("connection refused")
        if self.mode == "slow":
            raise httpx2.ReadTimeout("timed out")
        kind = {"content-type": "application/samlmetadata+xml"}
        if self.mode == "page":
            return httpx2.Response(200, headers={"content-type": "text/html"}, content=b"<h1>Maintenance</h1>")
        if self.mode == "garbage":
            return httpx2.Response(200, headers=kind, content=b"\x00\xff<")
        if self.mode == "elsewhere":
            return httpx2.Response(302, headers={"location": "https://evil.example/"})
        if self.mode == "huge":
            return httpx2.Response(200, headers=kind, content=b"<a>" + b"x" * 1_100_000 + b"</a>")
        if self.mode == "error":
            return httpx2.Response(500, headers=kind, content=b"<error/>")
        if self.mode == "another":
            content = metadata("https://evil.example", pair("attacker").bare)
            return httpx2.Response(200, headers=kind, content=content)
        return httpx2.Response(200, headers=kind, content=self.metadata.encode())
