"""SAML 2.0 for the connector contract."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from lxml import etree
from signxml import SignatureMethod

from idp import clock
from tests.browser import Browser
from tests.fakes.upstreams.saml import SamlProvider
from tests.fakes.upstreams.saml_workshop import MFA, NAMES, PASSWORD, Workshop, pair, stamp
from tests.sign_in_world import World

_DAY = timedelta(days=1)
_DECLINED = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"


class Saml:
    """Answers are posted by the provider's page, without our cookies; what they say is signed XML."""

    state = "RelayState"

    def provider(self) -> SamlProvider:
        return SamlProvider()

    def tells(self, provider: SamlProvider, what: str) -> None:
        now = clock.now()
        shop = provider.shop
        shop.signer, shop.sign, shop.signing, shop.bend = provider.published[0], "assertion", {}, None
        provider.says = {}
        if what == "another's key":
            shop.signer = pair("attacker")
        elif what == "no signature":
            shop.sign = "none"
        elif what == "an algorithm not in the record":
            shop.signing = {"method": SignatureMethod.RSA_SHA512}
        elif what in ("expired", "over for 40 s"):
            shop.bend = _ended(90 if what == "expired" else 40)
        else:
            provider.says = {
                "": {},
                "another issuer": {"issuer": "https://id.lakeside.example"},
                "another audience": {"audience": "https://someone.example"},
                "no subject": {"subject": None},
                "an empty subject": {"subject": ""},
                "a subject of 10 kB": {"subject": "x" * 10_000},
                "a subject with a line break": {"subject": "ev\n1"},
                "made before the try began": {"now": now - timedelta(seconds=180)},
                "made tomorrow": {"now": now + _DAY},
                "made for another try": {"in_response_to": "_another"},
                "a clock 40 s slow": {"now": now - timedelta(seconds=40)},
                "a clock 40 s fast": {"now": now + timedelta(seconds=40)},
            }[what]

    def sent_back(self, world: World) -> tuple[Browser, dict[str, str]]:
        browser = world.browser()
        browser.stop_at = world.evergreen.issuer
        browser.get("/login/ups_evergreen")
        assert browser.left is not None, browser.text
        return browser, world.evergreen.answer_to(browser.left)

    def brought(self, browser: Browser, fields: Mapping[str, str], callback: str) -> Browser:
        return browser.post(callback, dict(fields), **{"no-cookies": "1"})

    def bound(self, world: World) -> list[str]:
        asked = world.evergreen.asked[-1]
        return [asked["relay_state"], asked["id"]]

    def acr(self, provider: SamlProvider, said: str | None) -> None:
        provider.says = {"acr": {"strong": MFA, "unknown": "urn:unknown", None: PASSWORD}[said]}

    def personal(self, provider: SamlProvider) -> None:
        attributes = {"displayName": "Ana Ruiz", "mail": "a.ruiz@evergreen.example", "birthDate": "1980-01-31"}
        provider.says = {"attributes": attributes}

    def new_key(self, provider: SamlProvider, *, published: bool) -> None:
        provider.shop.signer = pair("idp-next" if published else "attacker")
        if published:
            provider.published = [provider.shop.signer]

    def refuses(self, provider: SamlProvider) -> None:
        def bend(response: etree._Element) -> None:
            response.find("samlp:Status/samlp:StatusCode", NAMES).set("Value", _DECLINED)

        provider.shop.bend_response = bend

    def goodbye(self, world: World, *, forged: bool = False) -> str:
        shop = Workshop(world.evergreen.issuer, signer=pair("attacker") if forged else pair("idp"))
        return shop.in_address(shop.logout_request(f"{world.settings.issuer}/login/ups_evergreen/slo"))

    def told(self, world: World, goodbye: str) -> int:
        browser = world.browser()
        browser.stop_at = world.evergreen.issuer
        browser.get(f"/login/ups_evergreen/slo?{goodbye}")
        return 200 if browser.left is not None else browser.status


def _ended(seconds: int) -> Callable[[etree._Element], None]:
    """Bend an assertion so that it was good until some seconds ago."""

    def bend(assertion: etree._Element) -> None:
        over = clock.now() - timedelta(seconds=seconds)
        for place in (".//saml:Conditions", ".//saml:SubjectConfirmationData"):
            assertion.find(place, NAMES).set("NotOnOrAfter", stamp(over))
        assertion.find(".//saml:Conditions", NAMES).set("NotBefore", stamp(over - timedelta(minutes=1)))

    return bend
