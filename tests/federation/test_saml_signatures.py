"""Signatures that are none, weak or another's, and text that is hostile before any signature is looked at."""

import base64
import copy
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureMethod

from idp.federation.connectors.saml import Saml
from idp.federation.contract import AnswerRefused, BrowserAnswer
from idp.outbound import Outbound
from tests.fakes.upstreams.saml_workshop import (
    DS,
    Workshop,
    metadata,
    pair,
    signed,
)
from tests.federation.saml_lab import (
    ASKED,
    ISSUER,
    NOW,
    Node,
    attempt,
    made,
    one,
    refused,
    workshop,
)


def _strip(document: Node) -> Node:
    for signature in document.findall(f".//{{{DS}}}Signature"):
        signature.getparent().remove(signature)
    return document


def _changed_after(document: Node) -> Node:
    one(document, "//saml:NameID").text = "ev-admin"
    return document


def _key_in_key_info(document: Node) -> Node:
    """Sign anew with our own key, and say so in KeyInfo: certificate, key value, both."""
    evil = one(document, "//saml:Assertion")
    evil.remove(evil.find(f"{{{DS}}}Signature"))
    one(evil, ".//saml:NameID").text = "ev-admin"
    document.replace(evil, signed(evil, pair("attacker")))
    return document


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (_strip, "signature_missing"),
        (_changed_after, "signature_wrong"),
        (_key_in_key_info, "signature_wrong"),
    ],
    ids=["stripped", "changed afterwards", "the signer's key in KeyInfo"],
)
def test_saml_an_assertion_nobody_vouches_for_is_refused(forge: Callable[[Node], Node], reason: str) -> None:
    assert refused(forge(made())) == reason


def test_saml_a_changed_part_of_a_signed_response_is_refused() -> None:
    document = made(workshop(sign="response"))
    assert refused(_changed_after(document)) == "signature_wrong"


def test_saml_both_signatures_must_hold_where_there_are_two() -> None:
    shop = workshop(sign="response", bend_response=lambda root: root.append(_resigned(root)))

    def _resigned(root: Node) -> Node:
        inner = one(root, "./saml:Assertion")
        root.remove(inner)
        return signed(inner, pair("attacker"))

    assert refused(made(shop)) == "signature_wrong"


def test_saml_an_unsigned_assertion_in_a_response_another_issuer_signed_is_refused() -> None:
    other = Workshop("https://evil.example", signer=pair("attacker"), sign="response")
    document = other.response(ASKED, now=NOW, issuer=ISSUER)
    assert refused(document) == "signature_wrong"
    relabelled = Workshop("https://evil.example", sign="response")  # as if both shared a key
    assert refused(relabelled.response(ASKED, now=NOW, issuer=ISSUER)) == "issuer"


@pytest.mark.parametrize(
    "signing",
    [
        {"method": SignatureMethod.RSA_SHA1},
        {"digest": DigestAlgorithm.SHA1},
        {"method": SignatureMethod.RSA_SHA512},
        {"c14n": CanonicalizationMethod.CANONICAL_XML_1_1},
        {"c14n": CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0_WITH_COMMENTS},
    ],
    ids=["SHA-1 signature", "SHA-1 digest", "not in the record", "inclusive form", "form with comments"],
)
@pytest.mark.parametrize("sign", ["assertion", "response"])
def test_saml_a_weaker_or_other_algorithm_is_refused(signing: dict[str, Any], sign: str) -> None:
    assert refused(made(workshop(sign=sign, signing=signing))) in ("signature_wrong", "signature_transform")


def test_saml_a_mac_made_with_the_public_certificate_is_refused() -> None:
    document = made()
    method = one(document, "//ds:SignatureMethod")
    method.set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
    assert refused(document) == "signature_wrong"


@pytest.mark.parametrize(
    "algorithm",
    [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "urn:anything",
    ],
)
def test_saml_a_transform_that_could_hide_something_is_refused(algorithm: str) -> None:
    document = made()
    transforms = one(document, "//ds:Transforms")
    etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm=algorithm)
    assert refused(document) == "signature_transform"


@pytest.mark.parametrize("uri", ["", "#_evil", "#xpointer(/)", "https://evil.example/x", "file:///etc/passwd"])
def test_saml_a_signature_over_anything_else_is_refused(uri: str) -> None:
    document = made()
    one(document, "//ds:Reference").set("URI", uri)
    assert refused(document) == "signature_reference"


def test_saml_a_second_reference_or_signature_is_refused() -> None:
    document = made()
    info = one(document, "//ds:SignedInfo")
    info.append(copy.deepcopy(info.find(f"{{{DS}}}Reference")))
    assert refused(document) == "signature_form"
    document = made()
    signature = one(document, "//ds:Signature")
    signature.addnext(copy.deepcopy(signature))
    assert refused(document) == "signature_twice"


def test_saml_an_expired_certificate_signs_nothing() -> None:
    old = pair("old", days=365)
    text = metadata(ISSUER, old.bare).decode()
    assert refused(made(workshop(signer=old)), details={"metadata": text}) == "signature_certificate_expired"


# the text itself


def _with(text: bytes, at: bytes = b"<samlp:Response") -> bytes:
    data = etree.tostring(made())
    return data.replace(at, text + at, 1)


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10 if n else b"&a;" * 10) for n in range(9)
)
HOSTILE_TEXTS = {
    "entity bomb": _with(BOMB + b"]>").replace(b"ev-1", b"&a8;"),
    "external entity": _with(b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>').replace(b"ev-1", b"&f;"),
    "document type alone": _with(b"<!DOCTYPE x>"),
    "external document type": _with(b'<!DOCTYPE x SYSTEM "https://evil.example/x.dtd">'),
    "comment in the name": etree.tostring(made(subject="ev-1.evil")).replace(b"ev-1.evil", b"ev-1<!---->.evil"),
    "instruction in the name": etree.tostring(made()).replace(b"ev-1", b"ev<?x?>-1"),
    "comment elsewhere": _with(b"<!-- -->", b"<samlp:Status"),
    "comment in front": _with(b"<!-- -->"),
    "NUL": etree.tostring(made()).replace(b"ev-1", b"ev-1\x00"),
    "NUL as a reference": etree.tostring(made()).replace(b"ev-1", b"ev-1&#0;"),
    "UTF-16": etree.tostring(made(), encoding="UTF-16"),
    "not XML": b"SAMLResponse",
    "empty": b"",
    "HTML": b"<html><body>Maintenance</body></html>",
    "another message": etree.tostring(made()).replace(b"samlp:Response", b"samlp:ArtifactResponse"),
    "deep": _with(b"<a>" * 500 + b"</a>" * 500, b"<samlp:Status"),
    "deep enough for us": _with(b"<a>" * 60 + b"</a>" * 60, b"<samlp:Status"),
    "many": _with(b"<a/>" * 6000, b"<samlp:Status"),
    "large": _with(b"<a>" + b"x" * 70_000 + b"</a>", b"<samlp:Status"),
    "an ID twice": _with(b'<a ID="x"/><a Id="x"/>', b"<samlp:Status"),
}


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_saml_hostile_xml_is_refused_before_any_signature_is_looked_at(name: str) -> None:
    assert refused(HOSTILE_TEXTS[name]).startswith("xml_")


def test_saml_what_is_not_a_posted_response_is_refused() -> None:
    good = base64.b64encode(etree.tostring(made())).decode()
    for fields, posted in (({"SAMLResponse": good}, False), ({"SAMLart": "x"}, True), ({}, True)):
        with pytest.raises(AnswerRefused, match="not_posted"):
            Saml(Outbound()).finish(attempt(), BrowserAnswer(fields, posted=posted))
    with pytest.raises(AnswerRefused, match="not_base64"):
        Saml(Outbound()).finish(attempt(), BrowserAnswer({"SAMLResponse": "not base64!"}, posted=True))
