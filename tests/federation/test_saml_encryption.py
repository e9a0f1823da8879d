"""Encrypted assertions: what is opened, and what is refused before or after."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import xmlsec
from lxml import etree

from tests.fakes.upstreams.saml_workshop import (
    NAMES,
    SAML,
    pair,
)
from tests.federation.saml_lab import (
    OURS,
    Node,
    finish,
    made,
    one,
    refused,
    workshop,
)


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
