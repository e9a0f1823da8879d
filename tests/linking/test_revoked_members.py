"""A certificate its community took back: asked of the lists the certificate names; what cannot be learned is a no."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from freezegun import freeze_time

from idp import clock
from idp.federation import members
from idp.federation.certificates import Untrusted, trusted_chain
from idp.federation.revoked import Lists
from idp.outbound import Outbound, OutboundFailed
from tests.fakes.upstreams.oidc import Wire
from tests.fakes.upstreams.udap import Authority, RevocationLists, x5c
from tests.linking.test_communities import Community, community
from tests.sign_in_world import World

__all__ = ["community"]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def lists(world: World, community: Community) -> RevocationLists:
    """The community's lists; its member's certificate names them."""
    made = RevocationLists(community.root)
    member = community.member
    member.certificate, member.private = community.root.certify(member.issuer, lists=[made.address])
    wire = Wire(world.evergreen, world.lakeside, member, made)  # type: ignore[arg-type]  # it only answers
    world.app.state.service.parts["outbound"] = Outbound(development=True, transport=wire)
    return made


def part(**only: Any) -> x509.IssuingDistributionPoint:
    fields = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
        **only,
    }
    return x509.IssuingDistributionPoint(**fields)


UNBELIEVED: dict[str, tuple[dict[str, Any], str]] = {
    "not there": ({"status": 404}, "revocation_unknown"),
    "garbage": ({"content": b"\x30\x03abc"}, "revocation_unknown"),
    "another's signature": ({"signer": Authority()}, "revocation_signature"),
    "another's list": ({"root": Authority("Another Root")}, "revocation_signature"),
    "over": ({"begins": timedelta(days=-2), "ends": timedelta(days=-1)}, "revocation_outdated"),
    "from tomorrow": ({"begins": timedelta(days=1), "ends": timedelta(days=2)}, "revocation_outdated"),
    "a part: authorities": ({"extensions": [(part(only_contains_ca_certs=True), True)]}, "revocation_indirect"),
    "a part: other reasons": (
        {"extensions": [(part(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])), True)]},
        "revocation_indirect",
    ),
    "only what changed": ({"extensions": [(x509.DeltaCRLIndicator(1), True)]}, "revocation_extension"),
}


def reasons(community: Community) -> list[str]:
    return community.world.reasons("federation.community.refused")


def test_security_38_a_member_whose_certificate_was_taken_back_is_nobody(
    community: Community, lists: RevocationLists
) -> None:
    lists.revoked = [community.member.certificate]
    assert community.refused()
    assert reasons(community) == ["revoked"]
    assert community.member.statements == []
    assert lists.calls == 1
    community.member.certificate, community.member.private = community.root.certify(
        community.member.issuer, lists=[lists.address]
    )
    assert community.ask().path == "/link"  # a new certificate of the same member


def test_security_38_a_member_taken_back_later_is_closed_with_what_it_opened(
    world: World, community: Community, lists: RevocationLists
) -> None:
    assert community.ask().path == "/link"
    outbound = world.app.state.service.parts["outbound"]
    database = world.app.state.service.database
    assert members.look_again(database, outbound) == []
    lists.status = 503
    assert members.look_again(database, outbound) == [], "a list that is not there says nothing about a member"
    lists.status = 200
    lists.revoked = [community.member.certificate]
    assert len(members.look_again(database, outbound)) == 1
    assert community.world.reasons("federation.community.withdrawn") == ["revoked"]
    assert members.look_again(database, outbound) == [], "once"
    assert community.ask().path != "/link"


def test_security_38_a_list_that_cannot_be_believed_opens_nothing(community: Community, lists: RevocationLists) -> None:
    for name, (bent, reason) in UNBELIEVED.items():
        before = {field: getattr(lists, field) for field in bent}
        for field, value in bent.items():
            setattr(lists, field, value)
        assert community.refused(), name
        assert reasons(community)[-1] == reason, name
        for field, value in before.items():
            setattr(lists, field, value)
    for addresses in (
        ["ldap://lists.exchange.example/root"],
        ["http://10.0.0.1/root.crl"],
        ["https://nobody.example/"],
    ):
        certified = community.root.certify(community.member.issuer, lists=addresses)
        community.member.certificate, community.member.private = certified
        assert community.refused(), addresses
        assert reasons(community)[-1] == "revocation_unknown"
    assert community.member.statements == []


def test_security_38_a_list_is_kept_an_hour_and_never_past_its_end(
    lists: RevocationLists, community: Community
) -> None:
    outbound = Outbound(transport=Wire(lists))  # type: ignore[arg-type]
    known = Lists()

    def ask(hours: float = 0) -> int:
        at = clock.now() + timedelta(hours=hours)
        chain = trusted_chain(x5c(community.member.certificate), community.root.pem, at)
        assert len(chain) == 2
        with freeze_time(at):
            known.refuse_revoked(outbound, chain, at)
        return lists.calls

    assert [ask(), ask(), ask(0.9)] == [1, 1, 1]
    lists.ends = timedelta(minutes=90)
    assert [ask(1.1), ask(1.2)] == [2, 2]
    lists.revoked = [community.member.certificate]
    lists.ends = timedelta(days=1)
    assert ask(1.4) == 2  # it says itself that it holds for another six minutes
    with pytest.raises(Untrusted, match="revoked"):
        ask(2.7)


def test_security_38_plain_http_is_for_signed_documents_alone(engine: object) -> None:
    outbound = Outbound()
    assert outbound.allowed("http://lists.exchange.example/root.crl", signed=True)
    assert not outbound.allowed("http://lists.exchange.example/root.crl")
    assert not outbound.allowed("file:///etc/passwd", signed=True)
    with pytest.raises(OutboundFailed, match="address_not_public"):
        outbound.fetch("http://127.0.0.1:1/root.crl", ("application/pkix-crl",), signed=True)
    with pytest.raises(OutboundFailed, match="address_not_allowed"):
        outbound.fetch("http://lists.exchange.example/root.crl", ("application/pkix-crl",))
