"""Signature wrapping: the eight forms (Somorovsky et al. 2012), and moving the signed part elsewhere."""

import copy
from collections.abc import Callable

import pytest
from lxml import etree

from tests.fakes.upstreams.saml_workshop import (
    DS,
    SAML,
    SAMLP,
)
from tests.federation.saml_lab import (
    Node,
    made,
    naive,
    one,
    refused,
    workshop,
)


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
