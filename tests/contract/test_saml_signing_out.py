"""Sign-out begun here and led on to an organization speaking SAML: our request, and the only answer believed."""

import base64
import zlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from freezegun import freeze_time
from lxml import etree

from idp import clock
from idp.database import transaction
from idp.federation import upstreams
from idp.federation.connectors.saml.binding import from_address, from_form
from idp.federation.connectors.saml.metadata import certificate_of
from idp.federation.connectors.saml.reading import read
from idp.federation.connectors.saml.signed import Signers, verified
from tests.browser import Browser
from tests.contract.saml_journey import brought, filling, sent_back, world
from tests.fakes.upstreams.saml_workshop import NAMES, PERSISTENT, SAMLP, Workshop, metadata, pair
from tests.sign_in_world import World, link_ana, sign_in

__all__ = ["filling", "world"]
SLO = "/login/ups_evergreen/slo"


def signed_out(world: World, session: str = "s-1") -> Browser:
    """A browser that signed in through Evergreen and has just signed out here."""
    browser, fields = sent_back(world, session=session)
    assert brought(browser, fields).path == "/account"
    browser.get("/sign-out").submit("Sign out")
    assert browser.path == "/signed-out"
    return browser


def request_of(left: str) -> tuple[etree._Element, str]:
    """The logout request in an address we sent a browser to, and its RelayState."""
    came = {name: values[0] for name, values in parse_qs(urlsplit(left).query).items()}
    return etree.fromstring(zlib.decompress(base64.b64decode(came["SAMLRequest"]), -15)), came["RelayState"]


def asked(browser: Browser) -> dict[str, str]:
    """Go on to the organization; return what its software reads of our request."""
    browser.click("Sign out there too")
    assert browser.left is not None, browser.text
    document, relay_state = request_of(browser.left)
    return {"id": document.get("ID") or "", "relay_state": relay_state}


def answer(world: World, told: dict[str, str], *, signer: str = "idp", **said: Any) -> str:
    """The address Evergreen sends the browser back to."""
    shop = Workshop(world.evergreen.issuer, signer=pair(signer))
    made = shop.logout_response(told, world.settings.issuer + SLO, **said)
    return f"{SLO}?{shop.in_address(made, 'SAMLResponse', said.get('relay_state', told['relay_state']))}"


@pytest.fixture
def out(world: World) -> tuple[World, Browser, dict[str, str]]:
    """A browser that was sent on to sign out there, and what it carried."""
    link_ana(world)
    browser = signed_out(world)
    return world, browser, asked(browser)


def test_saml_a_person_who_signs_out_is_led_on_by_a_signed_request_for_that_session_alone(world: World) -> None:
    link_ana(world)
    browser = signed_out(world, "s-7")
    browser.click("Sign out there too")
    assert browser.left is not None
    assert browser.left.startswith(f"{world.evergreen.issuer}/slo?SAMLRequest=")
    document, relay_state = request_of(browser.left)
    [ours] = parse_keys(world)
    signers = Signers([certificate_of(ours)], ("RS256",), clock.now())
    read(from_address(urlsplit(browser.left).query, "SAMLRequest", signers), f"{{{SAMLP}}}LogoutRequest")
    assert document.findtext("saml:Issuer", namespaces=NAMES) == world.evergreen.client_id
    assert document.findtext("saml:NameID", namespaces=NAMES) == "ev-1"
    assert document.find("saml:NameID", NAMES).get("Format") == PERSISTENT
    assert [one.text for one in document.findall("samlp:SessionIndex", NAMES)] == ["s-7"]
    assert document.get("Destination") == f"{world.evergreen.issuer}/slo"
    assert document.get("NotOnOrAfter") > document.get("IssueInstant")
    assert len(document.get("ID")) >= 23
    assert len(relay_state) <= 80  # Bindings 3.4.3
    assert world.count("session", "ended_at IS NULL") == 0  # ended here before anybody was asked there
    browser.get(f"{SLO}?{answer(world, {'id': document.get('ID'), 'relay_state': relay_state}).partition('?')[2]}")
    assert browser.path == "/signed-out"
    assert "Evergreen Billing says that you are signed out there too" in browser.text
    assert world.events("federation.logout.sent") == world.events("federation.logout.answered") == 1


def parse_keys(world: World) -> list[str]:
    page = world.browser().get("/login/ups_evergreen/metadata").response.content
    query = "//md:KeyDescriptor[@use='signing']//ds:X509Certificate/text()"
    return list(etree.fromstring(page).xpath(query, namespaces=NAMES))


def test_saml_both_bindings_carry_the_request_and_the_answer(world: World) -> None:
    link_ana(world)
    with transaction(world.database) as db:
        issuer = world.evergreen.issuer
        text = metadata(issuer, pair("idp").bare, binding="HTTP-POST", logout=f"{issuer}/slo").decode()
        upstreams.change(db, "ups_evergreen", saml={"metadata": text, "metadata_url": None, "binding": "post"})
    browser = world.browser().get("/login/ups_evergreen")
    form = dict(browser.form("Continue").fields)
    document = etree.fromstring(base64.b64decode(form["SAMLRequest"]))
    told = {"id": document.get("ID"), "callback": f"{world.settings.issuer}/login/ups_evergreen/callback"}
    told |= {"entity": world.evergreen.client_id}
    brought(browser, {"SAMLResponse": world.evergreen.shop.posted(told), "RelayState": form["RelayState"]})
    browser.get("/sign-out").submit("Sign out").click("Sign out there too")
    form = dict(browser.form("Continue").fields)
    assert browser.form("Continue").action == f"{world.evergreen.issuer}/slo"
    [ours] = parse_keys(world)
    document = verified(
        read(from_form(form["SAMLRequest"]), f"{{{SAMLP}}}LogoutRequest"),
        Signers([certificate_of(ours)], ("RS256",), clock.now()),
    )
    assert world.evergreen.issuer in browser.response.headers["content-security-policy"]
    made = world.evergreen.shop.logout_response({"id": document.get("ID")}, world.settings.issuer + SLO)
    fields = {"SAMLResponse": world.evergreen.shop.in_form(made), "RelayState": form["RelayState"]}
    browser.post(SLO, fields, **{"no-cookies": "1"})  # as another site's page posts; our cookie comes with the GET
    assert "says that you are signed out there too" in browser.text


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "another's key": ({"signer": "attacker"}, "signature_wrong"),
    "another request": ({"in_response_to": "_another"}, "in_response_to"),
    "another issuer": ({"issuer": "https://id.lakeside.example"}, "issuer"),
    "another destination": ({"destination": "https://elsewhere.example/slo"}, "destination"),
    "old": ({"made": timedelta(minutes=-7)}, "issue_instant"),
    "from before our request": ({"made": timedelta(minutes=-3)}, "issue_instant"),
    "from tomorrow": ({"made": timedelta(days=1)}, "issue_instant"),
    "another version": ({"version": "1.1"}, "version"),
    "a journey we do not know": ({"relay_state": "flw_unknown"}, "not_asked"),
    "no journey": ({"relay_state": ""}, "not_asked"),
}


def test_saml_a_forged_answer_says_nothing_to_anybody(out: tuple[World, Browser, dict[str, str]]) -> None:
    world, browser, told = out
    for name, (said, reason) in FORGED.items():
        assert browser.get(answer(world, told, **said)).status == 400, name
        assert world.reasons("federation.logout.refused")[-1] == reason, name
    bare = answer(world, told).partition("&SigAlg")[0]
    assert browser.get(bare).status == 400
    bent = answer(world, told).replace("rsa-sha256", "rsa-sha1")
    assert browser.get(bent).status == 400
    assert browser.get(answer(world, told).replace("ups_evergreen", "ups_lakeside")).status == 404
    page = browser.get(f"/signed-out?{urlencode({'flow': told['relay_state']})}")
    assert "Sign out there too" in page.text
    assert world.events("federation.logout.answered") == 0


def test_saml_an_answer_works_once_and_is_told_to_the_browser_that_left(
    out: tuple[World, Browser, dict[str, str]],
) -> None:
    world, browser, told = out
    victim = world.browser()
    victim.get(answer(world, told))
    assert victim.path == "/signed-out"
    assert "Evergreen" not in victim.text
    assert "signed out there too" in browser.get(f"/signed-out?{urlencode({'flow': told['relay_state']})}").text
    assert browser.get(answer(world, told)).status == 400
    assert world.reasons("federation.logout.refused") == ["replayed"]


def test_saml_a_sign_out_the_organization_could_not_finish_is_said(out: tuple[World, Browser, dict[str, str]]) -> None:
    world, browser, told = out
    browser.get(answer(world, told, inner="PartialLogout"))
    assert "could not end everything you had open there" in browser.text


def test_saml_a_journey_out_ends_after_ten_minutes_and_a_suspended_partner_is_not_asked(
    out: tuple[World, Browser, dict[str, str]],
) -> None:
    world, browser, told = out
    again = f"/signed-out/there?{urlencode({'flow': told['relay_state']})}"
    world.set_partner("ptr_evergreen", "suspended")
    browser.left = None
    assert browser.get(again).path == "/signed-out"
    assert browser.left is None
    world.set_partner("ptr_evergreen", "active")
    assert "could not reach" in world.browser().get(again).text  # another browser
    with freeze_time(clock.now() + timedelta(minutes=10, seconds=1), tick=True):
        assert browser.get(answer(world, told)).status == 400
        assert browser.get(again).path == "/signed-out"
        assert browser.left is None


def test_saml_a_login_of_ours_leads_nowhere_else(world: World) -> None:
    browser = sign_in(world.browser()).get("/sign-out").submit("Sign out")
    assert browser.url.endswith("/signed-out")
    assert "there too" not in browser.text
