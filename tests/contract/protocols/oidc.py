"""OpenID Connect for the connector contract."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from joserfc.jwk import ECKey, RSAKey

from tests.browser import Browser
from tests.fakes.upstreams.oidc import GONE, OidcProvider, answered
from tests.sign_in_world import World

_DAY = 86_400


class Oidc:
    """Answers come in an address; what they say stands in the ID token the code is exchanged for."""

    state = "state"

    def provider(self) -> OidcProvider:
        return OidcProvider()

    def tells(self, provider: OidcProvider, what: str) -> None:
        now = int(time.time())
        provider.claims, provider.header, provider.sign_with = {}, {}, None
        if what == "another's key":
            provider.sign_with = ECKey.generate_key("P-256", parameters={"kid": provider.keys[0].kid}, private=True)
        elif what == "no signature":
            provider.header = {"alg": "none"}
        elif what == "an algorithm not in the record":
            provider.sign_with = RSAKey.generate_key(2048, parameters={"kid": "rsa"}, private=True)
            provider.keys.append(provider.sign_with)
        else:
            provider.claims = {
                "": {},
                "another issuer": {"iss": "https://id.lakeside.example"},
                "another audience": {"aud": "someone-else"},
                "no subject": {"sub": GONE},
                "an empty subject": {"sub": ""},
                "a subject of 10 kB": {"sub": "x" * 10_000},
                "a subject with a line break": {"sub": "ev\n1"},
                "expired": {"exp": now - 90},
                "made before the try began": {"iat": now - 180},
                "made tomorrow": {"iat": now + _DAY, "exp": now + _DAY + 300},
                "made for another try": {"nonce": "n" * 43},
                "a clock 40 s slow": {"iat": now - 40, "exp": now + 260},
                "a clock 40 s fast": {"iat": now + 40, "exp": now + 340},
                "over for 40 s": {"exp": now - 40},
            }[what]

    def sent_back(self, world: World) -> tuple[Browser, dict[str, str]]:
        browser = world.browser()
        browser.stop_at = world.evergreen.issuer
        browser.get("/login/ups_evergreen")
        assert browser.left is not None, browser.text
        return browser, answered(world.evergreen.client.get(browser.left, follow_redirects=False).headers["location"])

    def brought(self, browser: Browser, fields: Mapping[str, str], callback: str) -> Browser:
        return browser.get(f"{callback}?{urlencode(fields)}")

    def bound(self, world: World) -> list[str]:
        asked = world.evergreen.asked[-1]
        return [asked["state"], asked["nonce"], asked["code_challenge"]]

    def acr(self, provider: OidcProvider, said: str | None) -> None:
        provider.claims = {"acr": {"strong": "mfa", "unknown": "urn:unknown"}[said]} if said else {}

    def personal(self, provider: OidcProvider) -> None:
        provider.claims = {"birthdate": "1980-01-31"}

    def new_key(self, provider: OidcProvider, *, published: bool) -> None:
        fresh: Any = ECKey.generate_key("P-256", auto_kid=True, private=True)
        provider.sign_with = fresh
        if published:
            provider.keys = [fresh]

    def refuses(self, provider: OidcProvider) -> None:
        provider.redirect = {"code": GONE, "error": "access_denied"}

    def goodbye(self, world: World, *, forged: bool = False) -> str:
        provider: OidcProvider = world.evergreen
        self.tells(provider, "another's key" if forged else "")
        return provider.logout_token()

    def told(self, world: World, goodbye: str) -> int:
        site = world.sites[world.settings.issuer]
        return site.post("/login/ups_evergreen/logout", data={"logout_token": goodbye}).status_code
