"""The connector and an organization's answers to it, without a service: what the tests of SAML answers bend."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree
from signxml import SignatureConfiguration, XMLVerifier

from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL2
from idp.federation.connectors.saml import Saml
from idp.federation.contract import AnswerRefused, BrowserAnswer, TrustedUpstream, Try
from idp.outbound import Outbound
from tests.fakes.upstreams.saml_workshop import (
    DS,
    MFA,
    NAMES,
    Workshop,
    metadata,
    pair,
)

ISSUER = "https://login.evergreen.example"
US = "https://accounts.meridian.example/login/ups_evergreen/metadata"
CALLBACK = "https://accounts.meridian.example/login/ups_evergreen/callback"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ASKED = {"id": "_nonce-of-this-try", "callback": CALLBACK, "entity": US}
OURS = pair("us")
Node = Any


def attempt(**changed: Any) -> Try:
    """The try that is being answered."""
    details = {
        "metadata": metadata(ISSUER, pair("idp").bare).decode(),
        "metadata_url": None,
        "metadata_certificate": None,
        "binding": "redirect",
        "keys": [{"state": "active", "private": OURS.key, "certificate": OURS.certificate}],
    }
    upstream = TrustedUpstream(
        id="ups_evergreen",
        partner_id="ptr_evergreen",
        kind="saml",
        display_name="Evergreen Billing",
        issuer=ISSUER,
        client_id=US,
        client_secret=None,
        auth_method="client_secret_basic",
        scopes=(),
        algorithms=changed.pop("algorithms", ("RS256", "ES256")),
        acr_map={MFA: AAL2},
        details=details | changed.pop("details", {}),
    )
    values: dict[str, Any] = {
        "upstream": upstream,
        "callback": CALLBACK,
        "state": "state-of-this-try",
        "nonce": "nonce-of-this-try",
        "verifier": "v",
        "started_at": NOW - timedelta(seconds=20),
        "now": NOW,
        "leeway": timedelta(seconds=60),
        "keep": timedelta(hours=1),
    }
    return Try(**(values | changed))


def workshop(**switches: Any) -> Workshop:
    return Workshop(ISSUER, **switches)


def finish(document: Node | bytes, **changed: Any) -> Assertion:
    """Hand a document to the connector as the browser would."""
    data = document if isinstance(document, bytes) else etree.tostring(document)
    fields = {"SAMLResponse": base64.b64encode(data).decode(), "RelayState": "state-of-this-try"}
    return Saml(Outbound()).finish(attempt(**changed), BrowserAnswer(fields, posted=True))


def refused(document: Node | bytes, **changed: Any) -> str:
    """The reason a document is refused."""
    with pytest.raises(AnswerRefused) as problem:
        finish(document, **changed)
    return problem.value.reason


def made(shop: Workshop | None = None, **said: Any) -> Node:
    return (shop or workshop()).response(ASKED, now=NOW, **said)


def one(document: Node, path: str) -> Node:
    (found,) = document.xpath(path, namespaces=NAMES)
    return found


def naive(document: Node) -> set[str]:
    """What readers believe that ask "is there a good signature?" and then look for the name by path or by order."""
    for signature in document.findall(f".//{{{DS}}}Signature"):
        XMLVerifier().verify(
            document,
            x509_cert=pair("idp").certificate,
            expect_config=SignatureConfiguration(location=".//"),
            id_attribute="ID",
        )
        assert signature is not None
    paths = ("/samlp:Response/saml:Assertion[1]", "(//saml:Assertion)[1]")
    return {str(document.xpath(f"string({path}/saml:Subject/saml:NameID/text())", namespaces=NAMES)) for path in paths}
