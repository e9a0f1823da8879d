"""Tiered OAuth in the manner of HL7 UDAP: an organization named by its address, trusted through a community alone."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from idp import clock
from idp.database import transaction
from idp.errors import Invalid
from idp.federation import communities
from idp.federation.certificates import Untrusted, trusted_chain
from idp.leaving import partners
from idp.oauth import clients
from idp.outbound import Outbound
from idp.partners.tables import Partner
from tests.browser import Browser
from tests.fakes.upstreams.oidc import GONE, Wire
from tests.fakes.upstreams.udap import Authority, Member, x5c
from tests.oauth.world import CHALLENGE
from tests.sign_in_world import World

APP = "https://app.example/back"


@dataclass
class Community:
    world: World
    root: Authority
    member: Member

    def ask(self, idp: str | None = None) -> Browser:
        """Send a browser from the app, which names the organization."""
        fields = {
            "client_id": "app",
            "response_type": "code",
            "redirect_uri": APP,
            "scope": "openid",
            "state": "st-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "idp": idp or self.member.issuer,
        }
        return self.world.browser().get("/oauth/authorize?" + urlencode(fields))

    def refused(self, idp: str | None = None) -> bool:
        browser = self.ask(idp)
        self.world.app.state.service.parts.pop("idp_search", None)  # else the address is left alone for a minute
        return "error=invalid_idp" in (browser.left or "")


@pytest.fixture
def community(world: World) -> Community:
    root = Authority()
    member = Member(root)
    world.sites[member.issuer] = member.client
    outbound = Outbound(development=True, transport=Wire(world.evergreen, world.lakeside, member))
    world.app.state.service.parts["outbound"] = outbound
    certificate, key = root.certify(world.settings.issuer)
    with transaction(world.database) as db:
        db.add(Partner(id="ptr_community", name="Health Exchange", kind="affiliate", status="active"))
        db.flush()
        communities.register(
            db,
            partner_id="ptr_community",
            name="Health Exchange",
            anchors=root.pem,
            certificates=certificate,
            private_key=key,
        )
        clients.register(db, client_id="app", name="App", redirect_uris=[APP], scopes=["openid"])
    return Community(world, root, member)


def test_an_organization_a_community_vouches_for_is_found_registered_and_used(community: Community) -> None:
    browser = community.ask()
    assert browser.path == "/link", browser.text[:300]
    assert "id.harbor.example" in browser.text
    [statement] = community.member.statements
    assert statement["iss"] == statement["sub"] == community.world.settings.issuer
    assert statement["aud"] == "https://id.harbor.example/register"
    assert statement["token_endpoint_auth_method"] == "private_key_jwt"
    assert len(community.member.assertions) == 1
    assert community.ask().path == "/link"  # known now: found by its issuer, registered once
    assert len(community.member.statements) == 1
    assert community.world.count("upstream", "community_id IS NOT NULL AND partner_id = 'ptr_community'") == 1
    organizations = community.world.browser().get("/sign-in/organizations")
    assert "harbor" not in organizations.text.lower()


def test_a_recorded_upstream_is_used_by_its_address_without_any_community(community: Community) -> None:
    assert community.ask("https://login.evergreen.example").path == "/link"
    assert community.ask("ups_evergreen").path == "/link"
    assert community.member.statements == []


def _other_root() -> dict[str, Any]:
    member = Member(Authority("Another Root"))
    return {"certificate": member.certificate, "private": member.private}


HOSTILE: dict[str, dict[str, Any]] = {
    "no signed metadata": {"plain": {"signed_metadata": GONE}},
    "a plain endpoint that differs": {"plain": {"token_endpoint": "https://evil.example/token"}},
    "no certificates": {"jws_header": {"x5c": GONE}},
    "garbage for a certificate": {"jws_header": {"x5c": ["AAAA"]}},
    "another issuer": {"signed": {"iss": "https://evil.example"}},
    "another subject": {"signed": {"sub": "https://evil.example"}},
    "expired": {"signed": {"exp": 1_000_000_000}},
    "a life of two years": {"signed": {"exp": 4_000_000_000}},
    "no id": {"signed": {"jti": GONE}},
    "http": {"signed": {"token_endpoint": "http://id.harbor.example/token"}},
    "an endpoint of another": {
        "signed": {"token_endpoint": "https://id.harbor.example/other"},
        "plain": {"token_endpoint": "https://id.harbor.example/other"},
    },
    "OpenID of another issuer": {"discovery": {"issuer": "https://evil.example"}},
}


def test_an_organization_no_community_vouches_for_is_refused_to_the_app(community: Community) -> None:
    member, before = community.member, {}
    for name, bent in HOSTILE.items():
        before = {field: getattr(member, field) for field in bent}
        for field, value in bent.items():
            setattr(member, field, value)
        assert community.refused(), name
        for field, value in before.items():
            setattr(member, field, value)
    root = community.root
    leaves = {
        "another root": _other_root(),
        "a certificate for another address": dict(
            zip(("certificate", "private"), root.certify("https://evil.example"), strict=True)
        ),
        "an expired certificate": dict(
            zip(("certificate", "private"), root.certify(member.issuer, life=timedelta(days=-1)), strict=True)
        ),
        "a certificate not for signing": dict(
            zip(("certificate", "private"), root.certify(member.issuer, signs=False), strict=True)
        ),
        "an authority's certificate": dict(
            zip(("certificate", "private"), root.certify(member.issuer, authority=True), strict=True)
        ),
        "the key of another": {"private": root.certify(member.issuer)[1]},
    }
    for name, bent in leaves.items():
        before = {field: getattr(member, field) for field in bent}
        for field, value in bent.items():
            setattr(member, field, value)
        assert community.refused(), name
        for field, value in before.items():
            setattr(member, field, value)
    assert member.statements == []
    for address in ("https://nobody.example", "https://10.0.0.1", "http://id.harbor.example", "https://a.example?x=1"):
        assert community.refused(address), address
    assert community.ask().path == "/link"


@pytest.mark.parametrize("chain", [None, "MII", [], [7], ["A" * 10], ["%%%"], ["AAAA"] * 9, {"0": "AAAA"}])
def test_a_chain_that_is_none_is_refused(chain: object) -> None:
    with pytest.raises(Untrusted):
        trusted_chain(chain, Authority().pem, clock.now())


def test_an_address_that_led_nowhere_is_left_alone_for_a_minute(community: Community) -> None:
    community.member.plain = {"signed_metadata": GONE}
    for _ in range(5):
        community.ask()
    assert community.member.calls.count("/.well-known/udap") == 1


def test_invariant_11_the_partner_that_runs_a_community_closes_it_all(community: Community) -> None:
    assert community.ask().path == "/link"
    with transaction(community.world.database) as db:
        partners.suspend(db, "ptr_community", because="test")
    browser = community.ask()
    assert browser.status == 403
    assert community.refused("https://id.other.example")


def test_a_community_is_recorded_only_with_a_key_that_fits_its_certificate(community: Community) -> None:
    certificate, _ = community.root.certify("https://us.example")
    for bad in (community.root.certify("https://us.example")[1], "nonsense", ""):
        with pytest.raises(Invalid), transaction(community.world.database) as db:
            communities.register(
                db,
                partner_id="ptr_community",
                name="X",
                anchors=community.root.pem,
                certificates=certificate,
                private_key=bad,
            )
    assert len(x5c(certificate)) == 1
