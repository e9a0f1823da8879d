"""Trust by certificate: does a chain end in one of a community's roots, and whose certificate is its leaf?

Path validation is `cryptography`'s (RFC 5280); what is ours is only what a community asks of a leaf.
"""

import base64
import binascii
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

LONGEST = 5
"""Certificates a chain may have."""


class Untrusted(Exception):
    """The chain must not be trusted; `reason` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def trusted_chain(chain: object, anchors: str, now: datetime) -> list[x509.Certificate]:
    """Return the proved path of an `x5c` chain (RFC 7515 4.1.6), leaf to anchor; raise Untrusted."""
    certificates = _read(chain)
    leaf = certificates[0]
    verifier = (
        PolicyBuilder()
        .store(Store(x509.load_pem_x509_certificates(anchors.encode())))
        .time(now)
        .max_chain_depth(LONGEST)
        .extension_policies(
            ee_policy=ExtensionPolicy.permit_all().require_present(
                x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
            ),
            ca_policy=ExtensionPolicy.webpki_defaults_ca(),
        )
        .build_client_verifier()
    )
    try:
        proved = verifier.verify(leaf, certificates[1:])
    except verification.VerificationError as problem:
        raise Untrusted("chain") from problem
    _refuse_wrong_use(leaf)
    return list(proved.chain)


def names_of(leaf: x509.Certificate) -> list[str]:
    """Return the URIs a certificate is for."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return found.get_values_for_type(x509.UniformResourceIdentifier)


def public_pem(certificate: x509.Certificate) -> str:
    """Return a certificate's public key."""
    kind = PublicFormat.SubjectPublicKeyInfo
    return certificate.public_key().public_bytes(Encoding.PEM, kind).decode()


def encoded(pem: str) -> tuple[str, ...]:
    """Return a PEM chain as `x5c` carries it."""
    made = x509.load_pem_x509_certificates(pem.encode())
    return tuple(base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in made)


def _read(chain: object) -> list[x509.Certificate]:
    if not isinstance(chain, list) or not 1 <= len(chain) <= LONGEST or not all(isinstance(c, str) for c in chain):
        raise Untrusted("x5c")
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(one, validate=True)) for one in chain]
    except (ValueError, binascii.Error) as problem:
        raise Untrusted("x5c") from problem


def _refuse_wrong_use(leaf: x509.Certificate) -> None:
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise Untrusted("leaf_is_authority")
        if isinstance(value, x509.KeyUsage) and not value.digital_signature:
            raise Untrusted("leaf_use")
