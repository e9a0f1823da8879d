"""What an identity provider says about itself: where to go and which certificates sign (SAML Metadata 2.4)."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from idp.federation.connectors.saml import names
from idp.federation.connectors.saml.names import ds, md
from idp.federation.connectors.saml.reading import METADATA, Element, moment_of, read
from idp.federation.connectors.saml.signed import Signers, verified
from idp.federation.contract import AnswerRefused

_MOST_CERTIFICATES = 6


@dataclass(frozen=True, slots=True)
class Described:
    """An identity provider as its metadata describes it."""

    entity_id: str
    sign_on: dict[str, str]
    """Binding -> address."""
    logout: dict[str, tuple[str, str]]
    """Binding -> address of requests, address of answers."""
    certificates: Sequence[x509.Certificate]
    valid_until: datetime | None

    def addresses(self) -> list[str]:
        """Return every address people may be sent to."""
        return [*self.sign_on.values(), *(address for pair in self.logout.values() for address in pair)]

    def usable(self, at: datetime) -> None:
        """Refuse metadata whose end has come. Raises AnswerRefused."""
        if self.valid_until is not None and at >= self.valid_until:
            raise AnswerRefused("metadata_expired")


def described(data: bytes, issuer: str, signers: Signers | None = None) -> Described:
    """Read the metadata of one issuer, alone or out of a list. Raises AnswerRefused.

    With `signers` the document's root must be signed by one of them.
    """
    root = read(data, md("EntityDescriptor"), md("EntitiesDescriptor"), longest=METADATA, message=False)
    if signers is not None:
        root = verified(root, signers, longest=4 * METADATA, message=False)
    found = [one for one in root.iter(md("EntityDescriptor")) if one.get("entityID") == issuer]
    if len(found) != 1:
        raise AnswerRefused("metadata_issuer")
    role = next((one for one in found[0].findall(md("IDPSSODescriptor")) if _speaks_2(one)), None)
    if role is None:
        raise AnswerRefused("metadata_no_idp")
    ends = [moment_of(one, "validUntil", "metadata_time") for one in (root, found[0], role)]
    sign_on = {
        binding: address
        for binding, address, _ in (_endpoint(one) for one in role.findall(md("SingleSignOnService")))
        if binding in (names.REDIRECT, names.POST)
    }
    if not sign_on:
        raise AnswerRefused("metadata_endpoint")
    return Described(
        entity_id=issuer,
        sign_on=sign_on,
        logout={
            binding: (address, answers or address)
            for binding, address, answers in (_endpoint(one) for one in role.findall(md("SingleLogoutService")))
            if binding in (names.REDIRECT, names.POST)
        },
        certificates=_certificates(role),
        valid_until=min((end for end in ends if end is not None), default=None),
    )


def _speaks_2(role: Element) -> bool:
    return names.SAMLP in (role.get("protocolSupportEnumeration") or "").split()


def _endpoint(of: Element) -> tuple[str, str, str | None]:
    return of.get("Binding") or "", of.get("Location") or "", of.get("ResponseLocation")


def _certificates(role: Element) -> list[x509.Certificate]:
    """Return the signing certificates; an old and a new one stand side by side while one replaces the other."""
    found: list[x509.Certificate] = []
    for key in role.findall(md("KeyDescriptor")):
        if key.get("use") not in (None, "signing"):
            continue
        for one in key.iter(ds("X509Certificate")):
            certificate = certificate_of(one.text or "")
            if certificate not in found:
                found.append(certificate)
    if not 1 <= len(found) <= _MOST_CERTIFICATES:
        raise AnswerRefused("metadata_certificate")
    return found


def certificate_of(text: str) -> x509.Certificate:
    """Read a certificate (base64 or PEM) whose key is strong enough. Raises AnswerRefused."""
    bare = "".join(line for line in text.split("\n") if "-----" not in line)
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode("".join(bare.split()), validate=True))
        key = certificate.public_key()
    except (binascii.Error, ValueError, TypeError):
        raise AnswerRefused("metadata_certificate") from None
    strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
    if not strong and not (isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= 256):
        raise AnswerRefused("metadata_weak_key")
    return certificate
