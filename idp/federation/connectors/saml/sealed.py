"""Open an encrypted assertion with our key; xmlsec does the work (XML Encryption 1.1, SAML Core 6).

What xmlsec gets is built anew from the ciphertexts and the names of allowed algorithms, so no reference, transform or
foreign key of the sender's reaches it, and what it returns are bytes, read like any stranger's XML.
"""

from collections.abc import Sequence

import xmlsec
from lxml import etree

from idp.federation.connectors.saml.names import DS, XENC, XENC11, ds, saml, xenc
from idp.federation.connectors.saml.reading import Element, add, alone, at_most_one, make, read
from idp.federation.contract import AnswerRefused

AUTHENTICATED = frozenset(f"{XENC11}aes{bits}-gcm" for bits in (128, 192, 256))
CHAINED = frozenset(f"{XENC}aes{bits}-cbc" for bits in (128, 192, 256))
"""Malleable: allowed only inside a signed response, else our answers would tell a stranger about the padding."""
TRANSPORT = frozenset({f"{XENC}rsa-oaep-mgf1p", f"{XENC11}rsa-oaep"})
"""Never RSA with PKCS 1 padding (Bleichenbacher)."""
_OAEP_DIGESTS = frozenset({f"{DS}sha1", f"{XENC}sha256", f"{XENC}sha512"})
"""OAEP needs no collision resistance; SHA-1 stays what nearly everybody's software writes there, and signs nothing."""
_MASKS = frozenset({f"{XENC11}mgf1sha1", f"{XENC11}mgf1sha256", f"{XENC11}mgf1sha512"})
_MOST_KEYS = 4
_LONGEST = 64_000


def opened(encrypted: Element, keys: Sequence[str], *, integrity: bool) -> Element:
    """Return the assertion inside an EncryptedAssertion; `integrity`: a signature around it has been verified.

    Raises AnswerRefused; whatever goes wrong with the keys or the padding is one and the same word.
    """
    if {child.tag for child in encrypted} - {xenc("EncryptedData"), xenc("EncryptedKey")}:
        raise AnswerRefused("encryption_form")
    data = alone(encrypted, xenc("EncryptedData"), "encryption_form")
    algorithm = _algorithm(data)
    if algorithm not in AUTHENTICATED | CHAINED:
        raise AnswerRefused("encryption_algorithm")
    if algorithm in CHAINED and not integrity:
        raise AnswerRefused("encryption_not_authenticated")
    wrapped = [*data.findall(f"{ds('KeyInfo')}/{xenc('EncryptedKey')}"), *encrypted.findall(xenc("EncryptedKey"))]
    if not 1 <= len(wrapped) <= _MOST_KEYS:
        raise AnswerRefused("encryption_form")
    rebuilt = [_rebuilt(algorithm, one, _cipher(data)) for one in wrapped]
    for key in keys:
        for one in rebuilt:
            clear = _try(one, key)
            if clear is not None:
                return read(clear, saml("Assertion"), longest=_LONGEST)
    raise AnswerRefused("encryption_not_for_us")


def _algorithm(of: Element) -> str:
    method = alone(of, xenc("EncryptionMethod"), "encryption_form")
    return method.get("Algorithm") or ""


def _cipher(of: Element) -> str:
    data = alone(of, xenc("CipherData"), "encryption_form")
    if [child.tag for child in data] != [xenc("CipherValue")]:
        raise AnswerRefused("encryption_form")  # a CipherReference would have us fetch something
    value = data[0].text or ""
    if len(data[0]) or not 1 <= len(value) <= _LONGEST:
        raise AnswerRefused("encryption_form")
    return value


def _rebuilt(algorithm: str, wrapped: Element, cipher: str) -> Element:
    transport = _algorithm(wrapped)
    if transport not in TRANSPORT:
        raise AnswerRefused("encryption_algorithm")
    theirs = alone(wrapped, xenc("EncryptionMethod"), "encryption_form")
    made = make(xenc("EncryptedData"))
    add(made, xenc("EncryptionMethod"), Algorithm=algorithm)
    key = add(add(made, ds("KeyInfo")), xenc("EncryptedKey"))
    method = add(key, xenc("EncryptionMethod"), Algorithm=transport)
    for name, allowed in ((ds("DigestMethod"), _OAEP_DIGESTS), (f"{{{XENC11}}}MGF", _MASKS)):
        found = at_most_one(theirs, name, "encryption_form")
        if found is None:
            continue
        if found.get("Algorithm") not in allowed:
            raise AnswerRefused("encryption_algorithm")
        add(method, name, Algorithm=found.get("Algorithm"))
    add(add(key, xenc("CipherData")), xenc("CipherValue"), _cipher(wrapped))
    add(add(made, xenc("CipherData")), xenc("CipherValue"), cipher)
    return made


def _try(data: Element, key: str) -> bytes | None:
    """Return the clear bytes or None. Without a Type attribute xmlsec hands out bytes and parses nothing."""
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(key.encode(), xmlsec.constants.KeyDataFormatPem))
    try:
        clear = xmlsec.EncryptionContext(manager).decrypt(etree.fromstring(etree.tostring(data)))
    except (xmlsec.Error, ValueError):
        return None
    return clear if isinstance(clear, bytes) else None
