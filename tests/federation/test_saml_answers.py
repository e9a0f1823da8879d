"""What a SAML response must say before anybody is signed in.

Each attack starts from a response that is good but for one thing; `test_saml_an_honest_answer...` proves that it is.
"""

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import xmlsec
from lxml import etree

from idp.accounts.assurance import AAL1, AAL2
from tests.fakes.upstreams.saml_workshop import (
    GONE,
    MFA,
    SAML,
    metadata,
    pair,
)
from tests.federation.saml_lab import (
    CALLBACK,
    ISSUER,
    NOW,
    OURS,
    Node,
    finish,
    made,
    one,
    refused,
    workshop,
)


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
