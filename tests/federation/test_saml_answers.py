"""What a SAML response must be before anybody is signed in: every known attack, asked of the connector itself.

Each attack starts from a response that is good but for one thing; `test_an_honest_answer...` proves that it is.
"""

import base64
import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import xmlsec
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier

from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL1, AAL2
from idp.federation.connectors.saml import Saml
from idp.federation.contract import AnswerRefused, BrowserAnswer, TrustedUpstream, Try
from idp.outbound import Outbound
from tests.fakes.upstreams.saml_workshop import (
    DS,
    GONE,
    MFA,
    NAMES,
    SAML,
    SAMLP,
    Workshop,
    metadata,
    pair,
    signed,
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


# honest


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
@pytest.mark.parametrize("sealing", [None, {}, {"transport": xmlsec.Transform.RSA_OAEP}])
def test_saml_an_honest_answer_is_believed(sign: str, sealing: dict[str, Any] | None) -> None:
    shop = workshop(sign=sign, seal_for=OURS.certificate if sealing is not None else None, sealing=sealing or {})
    found = finish(made(shop, session="s-1"))
    assert (found.issuer, found.subject, found.upstream_sid) == (ISSUER, "ev-1", "s-1")
    assert found.auth_time == NOW


def test_t28_name_and_email_are_kept_and_the_rest_is_only_named() -> None:
    found = finish(made())
    assert found.facts == {"name": "Ana Ruiz", "email": "a.ruiz@evergreen.example"}
    assert found.left_out == ("department",)


@pytest.mark.parametrize(("said", "level"), [(MFA, AAL2), ("urn:something:else", AAL1)])
def test_security_36_the_partners_record_maps_the_context_and_the_unknown_is_the_lowest(said: str, level: str) -> None:
    assert finish(made(acr=said)).acr == level


def test_security_36_no_context_is_the_lowest_level() -> None:
    def bend(assertion: Node) -> None:
        statement = one(assertion, "./saml:AuthnStatement")
        statement.remove(statement[0])

    assert finish(made(workshop(bend=bend))).acr == AAL1


def test_saml_a_new_certificate_beside_the_old_one_is_believed() -> None:
    both = metadata(ISSUER, pair("idp").bare, pair("idp-next").bare).decode()
    for name in ("idp", "idp-next"):
        assert finish(made(workshop(signer=pair(name))), details={"metadata": both}).subject == "ev-1"
    assert refused(made(workshop(signer=pair("idp-next")))) == "signature_wrong"


# signature wrapping (Somorovsky et al. 2012, the eight forms), and moving the signed part elsewhere


def _evil(document: Node) -> Node:
    """A copy of the assertion without signature that names somebody else."""
    evil = copy.deepcopy(one(document, "//saml:Assertion"))
    for signature in evil.findall(f"{{{DS}}}Signature"):
        evil.remove(signature)
    evil.set("ID", "_evil")
    one(evil, ".//saml:NameID").text = "ev-admin"
    return evil


def _xsw_response(inside: Callable[[Node, Node, Node], Node]) -> Node:
    """Forms 1 and 2: the signed response is kept somewhere, an evil response takes its place."""
    honest = made(workshop(sign="response"))
    evil = copy.deepcopy(honest)
    evil.set("ID", "_evil_response")
    one(evil, "./saml:Assertion//saml:NameID").text = "ev-admin"
    signature = evil.find(f"{{{DS}}}Signature")
    evil.remove(signature)
    return inside(evil, honest, signature)


def xsw_1() -> Node:
    def inside(evil: Node, honest: Node, signature: Node) -> Node:
        honest.remove(honest.find(f"{{{DS}}}Signature"))
        etree.SubElement(signature, f"{{{DS}}}Object").append(honest)
        evil.insert(1, signature)
        return evil

    return _xsw_response(inside)


def xsw_2() -> Node:
    def inside(evil: Node, honest: Node, signature: Node) -> Node:
        honest.remove(honest.find(f"{{{DS}}}Signature"))
        evil.insert(1, honest)
        evil.insert(1, signature)
        return evil

    return _xsw_response(inside)


def xsw_3() -> Node:
    document = made()
    one(document, "//saml:Assertion").addprevious(_evil(document))
    return document


def xsw_4() -> Node:
    document = made()
    honest = one(document, "//saml:Assertion")
    evil = _evil(document)
    document.replace(honest, evil)
    evil.append(honest)
    return document


def xsw_5() -> Node:
    document = made()
    evil, honest = _evil(document), one(document, "//saml:Assertion")
    signature = honest.find(f"{{{DS}}}Signature")
    honest.remove(signature)
    evil.insert(1, signature)
    document.insert(list(document).index(honest), evil)
    return document


def xsw_6() -> Node:
    document = made()
    evil, honest = _evil(document), one(document, "//saml:Assertion")
    signature = honest.find(f"{{{DS}}}Signature")
    honest.remove(signature)
    document.replace(honest, evil) if honest.getparent() is document else None
    etree.SubElement(signature, f"{{{DS}}}Object").append(honest)
    evil.insert(1, signature)
    return document


def xsw_7() -> Node:
    document = made()
    extensions = etree.Element(f"{{{SAMLP}}}Extensions")
    extensions.append(_evil(document))
    document.insert(1, extensions)
    return document


def xsw_8() -> Node:
    document = made()
    evil, honest = _evil(document), one(document, "//saml:Assertion")
    document.replace(honest, evil)
    signature = honest.find(f"{{{DS}}}Signature")
    honest.remove(signature)
    evil.insert(1, signature)
    etree.SubElement(signature, f"{{{DS}}}Object").append(honest)
    return document


def same_id() -> Node:
    """The evil assertion has the signed one's ID, so the reference finds whichever comes first."""
    document = made()
    honest = one(document, "//saml:Assertion")
    evil = _evil(document)
    evil.set("ID", honest.get("ID"))
    honest.addprevious(evil)
    return document


def in_advice() -> Node:
    """The signed assertion rests in the evil one's Advice, which may hold assertions by the schema."""
    document = made()
    honest = one(document, "//saml:Assertion")
    evil = _evil(document)
    document.replace(honest, evil)
    etree.SubElement(evil, f"{{{SAML}}}Advice").append(honest)
    return document


WRAPPED = [xsw_1, xsw_2, xsw_3, xsw_4, xsw_5, xsw_6, xsw_7, xsw_8, in_advice]


@pytest.mark.parametrize("form", WRAPPED, ids=lambda form: form.__name__)
def test_saml_a_wrapped_signature_is_refused(form: Callable[[], Node]) -> None:
    document = form()
    assert "ev-admin" in naive(document)
    assert refused(document) in {
        "assertion_number",
        "signature_elsewhere",
        "signature_form",
        "signature_reference",
        "xml_duplicate_id",
        "signature_wrong",
        "signature_missing",
    }


def test_saml_an_id_that_stands_twice_is_refused() -> None:
    assert refused(same_id()) == "xml_duplicate_id"


# signatures that are none, or another's


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


# what the assertion says


def _set(path: str, name: str, value: Any) -> Callable[[Node], None]:
    def bend(root: Node) -> None:
        found = one(root, path)
        if value is GONE:
            found.attrib.pop(name)
        else:
            found.set(name, value)

    return bend


def _remove(path: str) -> Callable[[Node], None]:
    def bend(root: Node) -> None:
        found = one(root, path)
        found.getparent().remove(found)

    return bend


def _double(path: str) -> Callable[[Node], None]:
    def bend(root: Node) -> None:
        found = one(root, path)
        found.addnext(copy.deepcopy(found))

    return bend


def _condition(name: str) -> Callable[[Node], None]:
    def bend(root: Node) -> None:
        etree.SubElement(one(root, "./saml:Conditions"), f"{{{SAML}}}{name}")

    return bend


def _time(**delta: float) -> str:
    return (NOW + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


DATA = ".//saml:SubjectConfirmationData"
BENT = {
    "version 1.1": (_set(".", "Version", "1.1"), "version"),
    "no issuer": (_remove("./saml:Issuer"), "issuer"),
    "two issuers": (_double("./saml:Issuer"), "issuer"),
    "issuer of another format": (_set("./saml:Issuer", "Format", "urn:x"), "issuer"),
    "made before this try": (_set(".", "IssueInstant", _time(minutes=-5)), "issue_instant"),
    "made tomorrow": (_set(".", "IssueInstant", _time(days=1)), "issue_instant"),
    "made at no time": (_set(".", "IssueInstant", "yesterday"), "issue_instant"),
    "no subject": (_remove("./saml:Subject"), "subject"),
    "no name": (_remove(".//saml:NameID"), "subject"),
    "two names": (_double(".//saml:NameID"), "subject"),
    "transient name": (
        _set(".//saml:NameID", "Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
        "subject_format",
    ),
    "an e-mail as name": (
        _set(".//saml:NameID", "Format", "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
        "subject_format",
    ),
    "name of no format": (_set(".//saml:NameID", "Format", GONE), "subject_format"),
    "name another issuer qualifies": (
        _set(".//saml:NameID", "NameQualifier", "https://evil.example"),
        "subject_qualifier",
    ),
    "name for another service": (
        _set(".//saml:NameID", "SPNameQualifier", "https://evil.example"),
        "subject_qualifier",
    ),
    "no confirmation": (_remove(".//saml:SubjectConfirmation"), "confirmation"),
    "two confirmations": (_double(".//saml:SubjectConfirmation"), "confirmation"),
    "holder of key": (
        _set(".//saml:SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
        "confirmation",
    ),
    "no confirmation data": (_remove(DATA), "confirmation"),
    "no recipient": (_set(DATA, "Recipient", GONE), "recipient"),
    "another recipient": (_set(DATA, "Recipient", CALLBACK + "/"), "recipient"),
    "another's recipient": (_set(DATA, "Recipient", CALLBACK.replace("evergreen", "lakeside")), "recipient"),
    "no request": (_set(DATA, "InResponseTo", GONE), "in_response_to"),
    "another request": (_set(DATA, "InResponseTo", "_other"), "in_response_to"),
    "confirmation over": (_set(DATA, "NotOnOrAfter", _time(seconds=-60)), "confirmation_time"),
    "confirmation without end": (_set(DATA, "NotOnOrAfter", GONE), "confirmation_time"),
    "confirmation that begins": (_set(DATA, "NotBefore", _time(minutes=-5)), "confirmation"),
    "no conditions": (_remove("./saml:Conditions"), "conditions"),
    "expired": (_set("./saml:Conditions", "NotOnOrAfter", _time(seconds=-60)), "conditions_time"),
    "no expiry": (_set("./saml:Conditions", "NotOnOrAfter", GONE), "conditions_time"),
    "expiry as text": (_set("./saml:Conditions", "NotOnOrAfter", "never"), "conditions_time"),
    "not yet": (_set("./saml:Conditions", "NotBefore", _time(seconds=61)), "conditions_time"),
    "no audience": (_remove(".//saml:AudienceRestriction"), "audience"),
    "a second audience": (_double(".//saml:Audience"), "audience"),
    "a condition we do not know": (_condition("Condition"), "condition_unknown"),
    "no statement": (_remove("./saml:AuthnStatement"), "authn_statement"),
    "two statements": (_double("./saml:AuthnStatement"), "authn_statement"),
    "session over": (_set("./saml:AuthnStatement", "SessionNotOnOrAfter", _time(seconds=-60)), "session_time"),
    "signed in tomorrow": (_set("./saml:AuthnStatement", "AuthnInstant", _time(days=1)), "authn_instant"),
    "signed in at no time": (_set("./saml:AuthnStatement", "AuthnInstant", GONE), "authn_instant"),
    "a long session name": (_set("./saml:AuthnStatement", "SessionIndex", "x" * 256), "session_index"),
}


@pytest.mark.parametrize("name", BENT)
def test_security_33_a_hostile_assertion_is_refused(name: str) -> None:
    bend, reason = BENT[name]
    assert refused(made(workshop(bend=bend))) == reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"audience": "https://someone.example"}, "audience"),
        ({"issuer": "https://evil.example"}, "issuer"),
        ({"issuer": ISSUER + "/"}, "issuer"),
        ({"subject": ""}, "subject"),
        ({"subject": None}, "subject"),
        ({"subject": " "}, "subject"),
        ({"subject": " ev-1"}, "subject"),
        ({"subject": "x" * 10_000}, "subject"),
        ({"subject": "x" * 256}, "subject"),
        ({"subject": "ev-1\n"}, "subject"),
        ({"subject": "ev\u202e-1"}, "subject"),
    ],
    ids=str,
)
def test_security_33_a_hostile_name_issuer_or_audience_is_refused(said: dict[str, Any], reason: str) -> None:
    assert refused(made(**said)) == reason


BENT_RESPONSES = {
    "version 1.1": (_set(".", "Version", "1.1"), "version"),
    "no destination": (_set(".", "Destination", GONE), "destination"),
    "another destination": (_set(".", "Destination", CALLBACK + "?x"), "destination"),
    "answer to another try": (_set(".", "InResponseTo", "_other"), "in_response_to"),
    "answer to nothing": (_set(".", "InResponseTo", GONE), "in_response_to"),
    "made long ago": (_set(".", "IssueInstant", _time(days=-1)), "issue_instant"),
    "two issuers": (_double("./saml:Issuer"), "issuer"),
    "no status": (_remove("./samlp:Status"), "status"),
    "failed": (_set(".//samlp:StatusCode", "Value", "urn:oasis:names:tc:SAML:2.0:status:Responder"), "error_answer"),
    "declined": (_set(".//samlp:StatusCode", "Value", "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"), "declined"),
    "no assertion": (_remove("./saml:Assertion"), "assertion_number"),
    "two assertions": (_double("./saml:Assertion"), "xml_duplicate_id"),
}


@pytest.mark.parametrize("name", BENT_RESPONSES)
@pytest.mark.parametrize("sign", ["assertion", "response"])
def test_security_33_a_hostile_response_is_refused_signed_or_not(name: str, sign: str) -> None:
    bend, reason = BENT_RESPONSES[name]
    assert refused(made(workshop(sign=sign, bend_response=bend))) == reason


def test_saml_the_clock_decides_to_the_second_with_the_leeway() -> None:
    document = made()
    assert finish(document, now=NOW + timedelta(minutes=6, seconds=-1)).subject == "ev-1"
    assert refused(document, now=NOW + timedelta(minutes=6)) == "confirmation_time"


@pytest.mark.parametrize(("age", "good"), [(30, True), (3 * 60, False)])
def test_saml_asked_anew_the_person_must_have_signed_in_since(age: int, *, good: bool) -> None:
    bend = _set("./saml:AuthnStatement", "AuthnInstant", _time(seconds=-age))
    document = made(workshop(bend=bend))
    assert finish(document).subject == "ev-1"  # nobody asked for an age
    if good:
        assert finish(document, max_age=0).auth_time == NOW - timedelta(seconds=age)
    else:
        assert refused(document, max_age=0) == "authn_instant"
        assert finish(document, max_age=300).subject == "ev-1"


# encryption


def test_saml_an_encrypted_assertion_nobody_signed_is_refused() -> None:
    assert refused(made(workshop(sign="none", seal_for=OURS.certificate))) == "signature_missing"


@pytest.mark.parametrize(
    ("sealing", "sign", "reason"),
    [
        ({"transport": xmlsec.Transform.RSA_PKCS1}, "both", "encryption_algorithm"),
        ({"data": xmlsec.Transform.AES256}, "assertion", "encryption_not_authenticated"),
    ],
    ids=["RSA with PKCS 1 padding", "a malleable cipher without signature around it"],
)
def test_saml_weak_encryption_is_refused_before_it_is_opened(sealing: Any, sign: str, reason: str) -> None:
    shop = workshop(sign=sign, seal_for=OURS.certificate, sealing=sealing)
    assert refused(made(shop)) == reason


def test_saml_a_chained_cipher_is_opened_where_the_response_around_it_is_signed() -> None:
    shop = workshop(sign="response", seal_for=OURS.certificate, sealing={"data": xmlsec.Transform.AES256})
    assert finish(made(shop)).subject == "ev-1"


def test_saml_an_assertion_encrypted_for_another_is_refused() -> None:
    assert refused(made(workshop(seal_for=pair("other").certificate))) == "encryption_not_for_us"


def test_saml_our_key_before_and_after_a_rotation_opens() -> None:
    after = pair("us-next")
    keys = [
        {"state": "retiring", "private": OURS.key, "certificate": OURS.certificate},
        {"state": "active", "private": after.key, "certificate": after.certificate},
    ]
    for certificate in (OURS.certificate, after.certificate):
        assert finish(made(workshop(seal_for=certificate)), details={"keys": keys}).subject == "ev-1"


def _cipher_reference(document: Node) -> Node:
    data = one(document, "//xenc:EncryptedData/xenc:CipherData")
    data.remove(data[0])
    etree.SubElement(data, f"{{{NAMES['xenc']}}}CipherReference", URI="https://evil.example/x")
    return document


def _no_key(document: Node) -> Node:
    info = one(document, "//xenc:EncryptedData/ds:KeyInfo")
    info.remove(info[0])
    return document


def _two_data(document: Node) -> Node:
    data = one(document, "//xenc:EncryptedData")
    data.addnext(copy.deepcopy(data))
    return document


@pytest.mark.parametrize("forge", [_cipher_reference, _no_key, _two_data], ids=lambda forge: forge.__name__)
def test_saml_encryption_of_another_form_is_refused(forge: Callable[[Node], Node]) -> None:
    assert refused(made(workshop(seal_for=OURS.certificate, forge=forge))) == "encryption_form"


def test_saml_a_bomb_inside_the_encryption_is_refused() -> None:
    bomb = etree.fromstring(etree.tostring(made(workshop(sign="none")).find(f"{{{SAML}}}Assertion")))
    one(bomb, ".//saml:NameID").append(etree.Comment("x"))
    from tests.fakes.upstreams.saml_workshop import sealed

    document = made(workshop(sign="none"))
    document.replace(document.find(f"{{{SAML}}}Assertion"), sealed(bomb, OURS.certificate))
    assert refused(document) == "xml_comment"
