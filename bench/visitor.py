"""A browser for the measurements: one connection, cookies, forms; it says what each request cost the server."""

import base64
import re
import secrets
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256
from html import unescape
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from bench.served import PORT, base_of

REDIRECT = "http://127.0.0.1:1/cb"
WEB = base64.b64encode(b"web:web-secret-web-secret-web-secret-0").decode()
_FIELD = re.compile(r'<input[^>]*type="hidden"[^>]*>')
_NAME, _VALUE = re.compile(r'name="([^"]*)"'), re.compile(r'value="([^"]*)"')
_FORM_TAG = re.compile(r'<form[^>]*method="post"[^>]*>.*?</form>', re.DOTALL)


class Visitor:
    """One browser; `cpu` reads the server's clock, or is None."""

    def __init__(
        self, cpu: Callable[[], float] | None = None, cookies: dict[str, str] | None = None, port: int = PORT
    ) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._base = base_of(port)
        self._cpu = cpu
        self.cookies = dict(cookies or {})
        self.costs: dict[str, list[float]] = defaultdict(list)
        self.url = self.body = self._action = ""

    def go(self, method: str, url: str, form: dict[str, str] | None = None, basic: str | None = None) -> HTTPResponse:
        """Send one request; follow nothing."""
        self.url = urljoin(self._base, url)
        parts = urlsplit(self.url)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), "Accept": "text/html"}
        if basic:
            headers = {"Authorization": f"Basic {basic}"}
        body = None
        if form is not None:
            body, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
            headers |= {} if basic else {"Origin": self._base}
        before = self._cpu() if self._cpu else 0.0
        self._connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        answer = self._connection.getresponse()
        self.body = answer.read().decode()
        if self._cpu:
            self.costs[f"{method} {parts.path}"].append(self._cpu() - before)
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return answer

    def get(self, url: str) -> str:
        """Follow redirects to a page of ours, or out of our site; return where it ended."""
        answer = self.go("GET", url)
        return self._follow(answer)

    def submit(self, **typed: str) -> str:
        """Send the page's form that has what was typed; follow redirects."""
        fields = self.fields(*typed)
        return self._follow(self.go("POST", self._action or self.url, {**fields, **typed}))

    def fields(self, *names: str) -> dict[str, str]:
        """Return the hidden fields of the page's form that has these fields."""
        for tag in _FORM_TAG.findall(self.body):
            if all(f'name="{name}"' in tag for name in names):
                action = re.search(r'action="([^"]*)"', tag.partition(">")[0])
                self._action = unescape(action[1]) if action else ""
                hidden = {_NAME.search(f)[1]: _VALUE.search(f) for f in _FIELD.findall(tag)}  # type: ignore[index]
                return {name: unescape(value[1]) if value else "" for name, value in hidden.items()}
        raise RuntimeError(f"no such form at {self.url}: {self.body[:500]}")

    def _follow(self, answer: HTTPResponse) -> str:
        while answer.status in (302, 303, 307):
            where = urljoin(self.url, answer.headers["Location"])
            if not where.startswith(self._base):
                return where
            answer = self.go("GET", where)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} at {self.url}: {self.body[-800:]}")
        return self.url

    def authorize(self, **more: str) -> str:
        """Begin at the app; return where the browser ends."""
        self._verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": "web",
            "redirect_uri": REDIRECT,
            "scope": "openid profile email offline_access",
            "state": secrets.token_hex(8),
            "nonce": secrets.token_hex(8),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return self.get("/oauth/authorize?" + urlencode({**asked, **more}))

    def exchange(self, where: str) -> str:
        """Redeem the code the browser brought to the app; return the answer."""
        code = parse_qs(urlsplit(where).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        answer = self.go("POST", "/oauth/token", {**form, "code_verifier": self._verifier}, basic=WEB)
        if answer.status != 200:
            raise RuntimeError(self.body)
        return self.body

    def close(self) -> None:
        """Close its connection."""
        self._connection.close()
