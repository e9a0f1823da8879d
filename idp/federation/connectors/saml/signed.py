"""Signatures in XML: what may be signed how, and by whom. signxml does the work (XML Signature 1.1, SAML Core 5.4).

The certificate is the recorded one; KeyInfo is thrown away unread. The result is what was signed, parsed again from its
canonical bytes, and nothing around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidCertificate, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from idp.federation.connectors.saml.names import ds
from idp.federation.connectors.saml.reading import MESSAGE, Element, alone, read, to_bytes
from idp.federation.contract import AnswerRefused

_METHODS = {
    "RS256": SignatureMethod.RSA_SHA256,
    "RS384": SignatureMethod.RSA_SHA384,
    "RS512": SignatureMethod.RSA_SHA512,
    "PS256": SignatureMethod.SHA256_RSA_MGF1,
    "ES256": SignatureMethod.ECDSA_SHA256,
    "ES384": SignatureMethod.ECDSA_SHA384,
}
"""An upstream's record names algorithms as JOSE does, one vocabulary for all protocols."""
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
_ENVELOPED = SignatureConstructionMethod.enveloped.value
_PARTS = (ds("SignedInfo"), ds("SignatureValue"))


@dataclass(frozen=True, slots=True)
class Signers:
    """Who may sign, and how."""

    certificates: Sequence[x509.Certificate]
    algorithms: Sequence[str]
    at: datetime

    def methods(self) -> frozenset[SignatureMethod]:
        """Return the signature methods of the record; what XML Signature does not know is left out."""
        return frozenset(_METHODS[name] for name in self.algorithms if name in _METHODS)


def signature_of(element: Element) -> Element | None:
    """Return the signature that is an element's own child, or None. Raises AnswerRefused for a second one."""
    found = element.findall(ds("Signature"))
    if len(found) > 1:
        raise AnswerRefused("signature_twice")
    return found[0] if found else None


def verified(element: Element, signers: Signers, *, longest: int = 4 * MESSAGE, message: bool = True) -> Element:
    """Return what the signature of this very element covers: the element, read from its canonical bytes.

    Raises AnswerRefused for anything but one enveloped signature over this element by a recorded certificate.
    """
    alone_standing = read(to_bytes(element), str(element.tag), longest=longest, message=message)
    signature = signature_of(alone_standing)
    if signature is None:
        raise AnswerRefused("signature_missing")
    _plain(signature, alone_standing)
    for key_info in signature.findall(ds("KeyInfo")):
        signature.remove(key_info)  # whoever signs may not say with which key to check it
    reason = "signature_no_certificate"
    for certificate in signers.certificates:
        try:
            result = XMLVerifier().verify(
                alone_standing,
                x509_cert=certificate,
                expect_config=SignatureConfiguration(
                    require_x509=True,
                    location="./",
                    expect_references=1,
                    signature_methods=signers.methods(),
                    digest_algorithms=_DIGESTS,
                    default_reference_c14n_method=_EXCLUSIVE,
                    verification_time=signers.at,
                ),
                id_attribute="ID",
            )
        except InvalidCertificate:
            reason = "signature_certificate_expired"
            continue
        except (SignXMLException, WrongSignature, etree.LxmlError, ValueError, TypeError, KeyError, AttributeError):
            # signxml reads hostile text; whatever it stumbles over is a signature that does not hold.
            reason = "signature_wrong"
            continue
        assert not isinstance(result, list)
        signed = read(result.signed_data, str(element.tag), longest=longest, message=message)
        if signed.get("ID") != element.get("ID"):
            raise AnswerRefused("signature_of_something_else")
        return signed
    raise AnswerRefused(reason)


def _plain(signature: Element, over: Element) -> None:
    """Refuse every form of signature but the one SAML allows (Core 5.4.1 to 5.4.4)."""
    if [child.tag for child in signature if child.tag != ds("KeyInfo")] != list(_PARTS):
        raise AnswerRefused("signature_form")
    info = alone(signature, ds("SignedInfo"), "signature_form")
    if [child.tag for child in info] != [ds("CanonicalizationMethod"), ds("SignatureMethod"), ds("Reference")]:
        raise AnswerRefused("signature_form")
    reference = info[2]
    if not over.get("ID") or reference.get("URI") != f"#{over.get('ID')}":
        raise AnswerRefused("signature_reference")
    transforms = [step.get("Algorithm") for step in alone(reference, ds("Transforms"), "signature_form")]
    if transforms != [_ENVELOPED, _EXCLUSIVE.value] or info[0].get("Algorithm") != _EXCLUSIVE.value:
        raise AnswerRefused("signature_transform")
    if any(step.text and step.text.strip() for step in info.iter(ds("Transform"))):
        raise AnswerRefused("signature_transform")


@lru_cache(maxsize=64)
def private_key(pem: str) -> rsa.RSAPrivateKey:
    """Read a key of ours once: reading checks it, which costs more than 30 ms of CPU each time."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def sign(element: Element, key_pem: str, certificate_pem: str) -> Element:
    """Return a message signed with our key: RSA with SHA-256, enveloped, exclusive canonical form."""
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=_EXCLUSIVE,
    )
    signed: Element = signer.sign(
        element, key=private_key(key_pem), cert=certificate_pem, reference_uri=str(element.get("ID")), id_attribute="ID"
    )
    _behind_issuer(signed)
    return signed


def _behind_issuer(signed: Element) -> None:
    """Move the signature to where the schema wants it, behind the issuer; enveloped, so its place is not signed."""
    signature = signed.find(ds("Signature"))
    assert signature is not None
    if len(signed) > 1 and signed[0] is not signature:
        signed.insert(1, signature)
