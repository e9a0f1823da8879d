"""Makes SAML messages as an identity provider does, honest or bent: documents by hand, signatures by signxml.

`Workshop` has a key and a certificate; `response()` builds what a provider posts. Hostile tests take an honest
document, move its parts about, and send it.
"""

import base64
import secrets
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureMethod, XMLSigner

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
NAMES = {"saml": SAML, "samlp": SAMLP, "ds": DS, "md": MD, "xenc": "http://www.w3.org/2001/04/xmlenc#"}
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
MFA = "https://refeds.org/profile/mfa"
GONE = object()
"""As a switch's value: leave it out."""


def clock_of(at: datetime | None = None) -> datetime:
    return at or datetime.now(UTC)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Pair:
    """A key and the certificate that carries it."""

    key: str
    certificate: str

    @property
    def bare(self) -> str:
        return "".join(line for line in self.certificate.splitlines() if "-----" not in line)


@cache
def pair(name: str, *, days: int = 3650, bits: int = 2048) -> Pair:
    """A key pair by name, made once for a whole run of tests."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode())


class _Sha1Signer(XMLSigner):
    """Signs with SHA-1, as software of 2008 does."""

    def check_deprecated_methods(self) -> None:
        return


def signed(
    element: etree._Element,
    by: Pair,
    *,
    method: SignatureMethod = SignatureMethod.RSA_SHA256,
    digest: DigestAlgorithm = DigestAlgorithm.SHA256,
    c14n: CanonicalizationMethod = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
) -> etree._Element:
    """Return an element signed as a whole, its signature behind its issuer."""
    signer = _Sha1Signer(signature_algorithm=method, digest_algorithm=digest, c14n_algorithm=c14n)
    made = signer.sign(
        etree.fromstring(etree.tostring(element)),
        key=by.key,
        cert=by.certificate,
        reference_uri=element.get("ID"),
        id_attribute="ID",
    )
    made.insert(1, made.find(f"{{{DS}}}Signature"))
    return made


def sealed(
    assertion: etree._Element,
    certificate: str,
    *,
    data: Any = None,
    transport: Any = None,
) -> etree._Element:
    """Return an EncryptedAssertion for whoever has the key of a certificate."""
    data = data or xmlsec.Transform.AES256_GCM
    transport = transport or xmlsec.Transform.RSA_OAEP
    outer = etree.Element(f"{{{SAML}}}EncryptedAssertion", nsmap={"saml": SAML})
    template = xmlsec.template.encrypted_data_create(outer, data, type=xmlsec.EncryptionType.ELEMENT, ns="xenc")
    xmlsec.template.encrypted_data_ensure_cipher_value(template)
    info = xmlsec.template.encrypted_data_ensure_key_info(template, ns="ds")
    key = xmlsec.template.add_encrypted_key(info, transport)
    xmlsec.template.encrypted_data_ensure_cipher_value(key)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(certificate.encode(), xmlsec.KeyFormat.CERT_PEM))
    context = xmlsec.EncryptionContext(manager)
    bits = 128 if "128" in data.name else 256
    context.key = xmlsec.Key.generate(xmlsec.KeyData.AES, bits, xmlsec.KeyDataType.SESSION)
    content = etree.fromstring(etree.tostring(assertion))
    outer.append(context.encrypt_xml(template, content))
    return outer


@dataclass
class Workshop:
    """What one identity provider would say, with switches for everything it could say wrongly."""

    issuer: str
    signer: Pair = field(default_factory=lambda: pair("idp"))
    sign: str = "assertion"
    """`assertion`, `response`, `both` or `none`."""
    seal_for: str | None = None
    sealing: Mapping[str, Any] = field(default_factory=dict)
    signing: Mapping[str, Any] = field(default_factory=dict)
    bend: Callable[[etree._Element], None] | None = None
    """Changes the assertion before it is signed."""
    bend_response: Callable[[etree._Element], None] | None = None
    """Changes the response before it is signed."""
    forge: Callable[[etree._Element], etree._Element] | None = None
    """Changes the finished document."""

    def assertion(self, asked: Mapping[str, str], **said: Any) -> etree._Element:
        """Make an assertion for a request: `asked` has id, callback, entity."""
        now = clock_of(said.get("now"))
        told = {
            "subject": "ev-1",
            "format": PERSISTENT,
            "acr": PASSWORD,
            "audience": asked["entity"],
            "recipient": asked["callback"],
            "in_response_to": asked["id"],
            "issuer": self.issuer,
            "attributes": {"displayName": "Ana Ruiz", "mail": "a.ruiz@evergreen.example", "department": "Billing"},
            "session": "s-" + secrets.token_hex(8),
            **said,
        }
        made = etree.Element(f"{{{SAML}}}Assertion", {"ID": "_" + secrets.token_hex(16)}, nsmap={"saml": SAML})
        made.set("Version", "2.0")
        made.set("IssueInstant", stamp(now))
        _add(made, "Issuer", told["issuer"])
        subject = _add(made, "Subject")
        _add(subject, "NameID", told["subject"], Format=told["format"])
        confirmed = _add(subject, "SubjectConfirmation", Method="urn:oasis:names:tc:SAML:2.0:cm:bearer")
        until = stamp(now + timedelta(minutes=5))
        _add(
            confirmed,
            "SubjectConfirmationData",
            Recipient=told["recipient"],
            InResponseTo=told["in_response_to"],
            NotOnOrAfter=until,
        )
        conditions = _add(made, "Conditions", NotBefore=stamp(now - timedelta(minutes=1)), NotOnOrAfter=until)
        _add(_add(conditions, "AudienceRestriction"), "Audience", told["audience"])
        statement = _add(made, "AuthnStatement", AuthnInstant=stamp(now), SessionIndex=told["session"])
        _add(_add(statement, "AuthnContext"), "AuthnContextClassRef", told["acr"])
        if told["attributes"]:
            attributes = _add(made, "AttributeStatement")
            for name, value in told["attributes"].items():
                _add(_add(attributes, "Attribute", Name=name), "AttributeValue", value)
        return made

    def response(self, asked: Mapping[str, str], **said: Any) -> etree._Element:
        """Make the whole document."""
        now = clock_of(said.get("now"))
        made = etree.Element(
            f"{{{SAMLP}}}Response", {"ID": "_" + secrets.token_hex(16)}, nsmap={"samlp": SAMLP, "saml": SAML}
        )
        made.set("Version", "2.0")
        made.set("IssueInstant", stamp(now))
        made.set("Destination", asked["callback"])
        made.set("InResponseTo", asked["id"])
        _add(made, "Issuer", self.issuer)
        status = etree.SubElement(made, f"{{{SAMLP}}}Status")
        etree.SubElement(status, f"{{{SAMLP}}}StatusCode", Value="urn:oasis:names:tc:SAML:2.0:status:Success")
        theirs = self.assertion(asked, **said)
        if self.bend:
            self.bend(theirs)
        if self.sign in ("assertion", "both"):
            theirs = signed(theirs, self.signer, **self.signing)
        made.append(sealed(theirs, self.seal_for, **self.sealing) if self.seal_for else theirs)
        if self.bend_response:
            self.bend_response(made)
        if self.sign in ("response", "both"):
            made = signed(made, self.signer, **self.signing)
        return self.forge(made) if self.forge else made

    def posted(self, asked: Mapping[str, str], **said: Any) -> str:
        """The form field a browser would bring."""
        return base64.b64encode(etree.tostring(self.response(asked, **said))).decode()

    def logout_request(self, here: str, /, **said: Any) -> etree._Element:
        """A request to end somebody's session."""
        now = clock_of()
        made = etree.Element(
            f"{{{SAMLP}}}LogoutRequest", {"ID": "_" + secrets.token_hex(16)}, nsmap={"samlp": SAMLP, "saml": SAML}
        )
        made.set("Version", "2.0")
        made.set("IssueInstant", stamp(now + said.get("made", timedelta())))
        made.set("Destination", said.get("destination", here))
        if "ends" in said:
            made.set("NotOnOrAfter", stamp(now + said["ends"]))
        _add(made, "Issuer", said.get("issuer", self.issuer))
        _add(made, "NameID", said.get("subject", "ev-1"), Format=said.get("format", PERSISTENT))
        if "session" in said:
            etree.SubElement(made, f"{{{SAMLP}}}SessionIndex").text = said["session"]
        return made

    def logout_response(self, asked: Mapping[str, str], here: str, /, **said: Any) -> etree._Element:
        """The answer to a logout request of ours."""
        made = etree.Element(
            f"{{{SAMLP}}}LogoutResponse", {"ID": "_" + secrets.token_hex(16)}, nsmap={"samlp": SAMLP, "saml": SAML}
        )
        made.set("Version", said.get("version", "2.0"))
        made.set("IssueInstant", stamp(clock_of() + said.get("made", timedelta())))
        made.set("Destination", said.get("destination", here))
        made.set("InResponseTo", said.get("in_response_to", asked["id"]))
        _add(made, "Issuer", said.get("issuer", self.issuer))
        status = "urn:oasis:names:tc:SAML:2.0:status:"
        code = etree.SubElement(etree.SubElement(made, f"{{{SAMLP}}}Status"), f"{{{SAMLP}}}StatusCode")
        code.set("Value", status + said.get("status", "Success"))
        if "inner" in said:
            etree.SubElement(code, f"{{{SAMLP}}}StatusCode", Value=status + said["inner"])
        return made

    def in_form(self, message: etree._Element) -> str:
        """A message as a form field, signed."""
        return base64.b64encode(etree.tostring(signed(message, self.signer))).decode()

    def in_address(self, message: etree._Element | bytes, name: str = "SAMLRequest", relay_state: str = "there") -> str:
        """A message as an address carries it, signed."""
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        text = message if isinstance(message, bytes) else etree.tostring(message)
        packed = base64.b64encode(deflate.compress(text) + deflate.flush()).decode()
        algorithm = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
        query = urlencode({name: packed, "RelayState": relay_state, "SigAlg": algorithm})
        key = serialization.load_pem_private_key(self.signer.key.encode(), None)
        mark = key.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
        return query + "&" + urlencode({"Signature": base64.b64encode(mark).decode()})


def _add(parent: etree._Element, name: str, text: object = None, **attributes: Any) -> etree._Element:
    kept = {key: str(value) for key, value in attributes.items() if value is not GONE}
    made = etree.SubElement(parent, f"{{{SAML}}}{name}", kept)
    if text is not None and text is not GONE:
        made.text = str(text)
    if text is GONE:
        parent.remove(made)
    return made


def metadata(
    issuer: str,
    *certificates: str,
    sign_on: str | None = None,
    logout: str | None = None,
    binding: str = "HTTP-Redirect",
    valid_until: datetime | None = None,
) -> bytes:
    """What an identity provider publishes about itself; certificates as base64."""
    until = f' validUntil="{stamp(valid_until)}"' if valid_until else ""
    keys = "".join(
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>{one}'
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for one in certificates
    )
    out = (
        f'<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}" Location="{logout}"/>'
        if logout
        else ""
    )
    return (
        f'<?xml version="1.0"?><md:EntityDescriptor xmlns:md="{MD}" entityID="{issuer}"{until}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}">{keys}{out}'
        f'<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}" '
        f'Location="{sign_on or issuer + "/sso"}"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    ).encode()
