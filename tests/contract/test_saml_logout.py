"""Logout that begins at an organization speaking SAML: ends the sessions it names, and nothing when forged."""

from datetime import timedelta
from typing import Any

import pytest

from tests.browser import Browser
from tests.contract.saml_journey import brought, filling, sent_back, world
from tests.fakes.upstreams.saml_workshop import Workshop, pair
from tests.sign_in_world import World, link_ana

__all__ = ["filling", "world"]


def signed_in(world: World, **says: Any) -> Browser:
    browser, fields = sent_back(world, **says)
    assert brought(browser, fields).path == "/account"
    return browser


def told(world: World, *, signer: str = "idp", sign: bool = True, **said: Any) -> str:
    """The query of a logout request that Evergreen's page would send a browser with."""
    shop = Workshop(world.evergreen.issuer, signer=pair(signer))
    request = shop.logout_request(f"{world.settings.issuer}/login/ups_evergreen/slo", **said)
    return shop.in_address(request) if sign else shop.in_address(request).partition("&SigAlg")[0]


def test_saml_a_signed_logout_request_ends_the_session_it_names_and_is_answered(world: World) -> None:
    link_ana(world)
    one, other = signed_in(world, session="s-1"), signed_in(world, session="s-2")
    somewhere = world.browser()  # the organization's browser need not be the person's with us
    somewhere.stop_at = world.evergreen.issuer
    query = told(world, session="s-1")
    somewhere.get(f"/login/ups_evergreen/slo?{query}")
    assert somewhere.left is not None
    assert somewhere.left.startswith(f"{world.evergreen.issuer}/slo?SAMLResponse=")
    assert "&Signature=" in somewhere.left
    assert one.get("/account").path == "/sign-in"
    assert other.get("/account").path == "/account"
    assert world.events("federation.logout.received") == 1
    somewhere.get(f"/login/ups_evergreen/slo?{query}")  # once over all workers
    assert somewhere.status == 400
    assert world.reasons("federation.logout.refused") == ["replayed"]


def test_saml_a_logout_request_without_a_session_ends_all_of_that_person(world: World) -> None:
    link_ana(world)
    browsers = [signed_in(world), signed_in(world)]
    shop = Workshop(world.evergreen.issuer)
    request = shop.logout_request(f"{world.settings.issuer}/login/ups_evergreen/slo")
    world.browser().post("/login/ups_evergreen/slo", {"SAMLRequest": shop.in_form(request)}, **{"no-cookies": "1"})
    assert [browser.get("/account").path for browser in browsers] == ["/sign-in", "/sign-in"]


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "another's key": ({"signer": "attacker"}, "signature_wrong"),
    "no signature": ({"sign": False}, "signature_missing"),
    "another issuer": ({"issuer": "https://id.lakeside.example"}, "issuer"),
    "another destination": ({"destination": "https://elsewhere.example/slo"}, "destination"),
    "old": ({"made": timedelta(minutes=-7)}, "issue_instant"),
    "from tomorrow": ({"made": timedelta(days=1)}, "issue_instant"),
    "over": ({"ends": timedelta(minutes=-2)}, "logout_time"),
    "no name": ({"subject": None}, "subject"),
    "a name of another format": ({"format": "urn:x"}, "subject_format"),
}


@pytest.mark.parametrize("name", FORGED)
def test_saml_a_forged_logout_request_ends_nothing(world: World, name: str) -> None:
    link_ana(world)
    browser = signed_in(world)
    said, reason = FORGED[name]
    other = world.browser().get(f"/login/ups_evergreen/slo?{told(world, **said)}")
    assert other.status == 400
    assert world.reasons("federation.logout.refused") == [reason]
    assert browser.get("/account").path == "/account"


@pytest.mark.parametrize(
    "bend",
    [
        lambda query: query.replace("RelayState=there", "RelayState=elsewhere"),
        lambda query: query.replace("rsa-sha256", "rsa-sha1"),
        lambda query: query + "&SAMLRequest=x",
        lambda _: "SAMLRequest=" + "A" * 400,
        lambda _: "",
        lambda _: "SAMLRequest=%00",
    ],
    ids=["relay state changed", "SHA-1", "parameter twice", "not signed", "nothing", "NUL"],
)
def test_saml_a_bent_logout_address_is_a_clear_refusal(world: World, bend: Any) -> None:
    link_ana(world)
    browser = signed_in(world)
    assert world.browser().get(f"/login/ups_evergreen/slo?{bend(told(world))}").status == 400
    assert browser.get("/account").path == "/account"


def test_saml_a_deflated_bomb_is_refused(world: World) -> None:
    shop = Workshop(world.evergreen.issuer)
    query = shop.in_address(b"<a>" + b"x" * 3_000_000 + b"</a>")
    assert len(query) < 8000
    assert world.browser().get(f"/login/ups_evergreen/slo?{query}").status == 400
    assert world.reasons("federation.logout.refused") == ["xml_too_large"]
