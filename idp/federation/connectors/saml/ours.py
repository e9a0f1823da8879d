"""What we say about ourselves to one identity provider: our entity, addresses and keys (SAML Metadata 2.4.4)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from idp.federation.connectors.saml import names
from idp.federation.connectors.saml.names import SAMLP, ds, md
from idp.federation.connectors.saml.reading import Element, add, make, to_bytes
from idp.federation.contract import TrustedUpstream

VALID = timedelta(days=3 * 365)
"""How long our certificates say they are good for; `idp doctor` asks for a new key before."""
_OPENS = ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes128-gcm")


def new_key(name: str, now: datetime) -> tuple[str, str]:
    """Make a key and a certificate that only carries it: nobody's signature on it counts for anything."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALID)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def signing_key(upstream: TrustedUpstream) -> Mapping[str, str]:
    """Return the key our requests are signed with."""
    found: Sequence[Mapping[str, str]] = upstream.details["keys"]
    return next(key for key in found if key["state"] == "active")


def opening_keys(upstream: TrustedUpstream) -> list[str]:
    """Return the keys an assertion may be encrypted for: the active one first, then the one before or after it."""
    found: Sequence[Mapping[str, str]] = upstream.details["keys"]
    return [key["private"] for key in sorted(found, key=lambda key: key["state"] != "active")]


def metadata(entity_id: str, keys: Sequence[tuple[str, str]], callback: str, logout: str) -> bytes:
    """Return our metadata for one upstream; `keys` are states and certificates."""
    root = make(md("EntityDescriptor"), entityID=entity_id)
    role = add(
        root,
        md("SPSSODescriptor"),
        AuthnRequestsSigned="true",
        WantAssertionsSigned="true",
        protocolSupportEnumeration=SAMLP,
    )
    for state, certificate in keys:
        if state != "retiring":
            _key(role, certificate, "signing")
    for state, certificate in keys:
        if state != "retiring":
            _key(role, certificate, "encryption")
    for binding in (names.REDIRECT, names.POST):
        add(role, md("SingleLogoutService"), Binding=binding, Location=logout)
    add(role, md("NameIDFormat"), names.PERSISTENT)
    add(
        role,
        md("AssertionConsumerService"),
        Binding=names.POST,
        Location=callback,
        index="0",
        isDefault="true",
    )
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + to_bytes(root)


def _key(role: Element, certificate: str, use: str) -> None:
    described = add(role, md("KeyDescriptor"), use=use)
    bare = "".join(line for line in certificate.splitlines() if "-----" not in line)
    add(add(add(described, ds("KeyInfo")), ds("X509Data")), ds("X509Certificate"), bare)
    if use == "encryption":
        for algorithm in _OPENS:
            add(described, md("EncryptionMethod"), Algorithm=algorithm)
