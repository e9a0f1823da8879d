"""How messages travel: base64 in a form (HTTP-POST) or deflated in an address (HTTP-Redirect), Bindings 3.4 and 3.5.

An address is signed as the exact characters sent; `cryptography` signs and verifies them.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode, urlsplit, urlunsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from idp.federation.connectors.saml.reading import MESSAGE, Element, to_bytes
from idp.federation.connectors.saml.signed import Signers, private_key
from idp.federation.contract import AnswerRefused

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_RS256 = f"{_MORE}rsa-sha256"
_HASHES: Mapping[str, tuple[str, type[hashes.HashAlgorithm]]] = {
    _RS256: ("RS256", hashes.SHA256),
    f"{_MORE}rsa-sha384": ("RS384", hashes.SHA384),
    f"{_MORE}rsa-sha512": ("RS512", hashes.SHA512),
    f"{_MORE}ecdsa-sha256": ("ES256", hashes.SHA256),
    f"{_MORE}ecdsa-sha384": ("ES384", hashes.SHA384),
}
_SIGNED = ("RelayState", "SigAlg")


def from_form(value: str) -> bytes:
    """Return the message of a form field. Raises AnswerRefused."""
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise AnswerRefused("not_base64") from None


def to_form(message: Element) -> str:
    """Return a message as a form field."""
    return base64.b64encode(to_bytes(message)).decode()


def to_address(endpoint: str, name: str, message: Element, relay_state: str | None, key_pem: str) -> str:
    """Return an address that carries a message, signed (Bindings 3.4.4.1)."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(to_bytes(message)) + deflate.flush()
    fields = {name: base64.b64encode(packed).decode()}
    if relay_state is not None:
        fields["RelayState"] = relay_state
    fields["SigAlg"] = _RS256
    query = urlencode(fields, quote_via=quote)
    mark = private_key(key_pem).sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
    query += "&Signature=" + quote(base64.b64encode(mark).decode(), safe="")
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))


def from_address(query: str, name: str, signers: Signers) -> bytes:
    """Return the message of an address whose signature was verified over the characters that came.

    Raises AnswerRefused.
    """
    raw: dict[str, str] = {}
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key in raw:
            raise AnswerRefused("parameter_twice")
        raw[key] = value
    if name not in raw:
        raise AnswerRefused("no_message")
    if "Signature" not in raw or "SigAlg" not in raw:
        raise AnswerRefused("signature_missing")
    covered = "&".join(f"{each}={raw[each]}" for each in (name, *_SIGNED) if each in raw)
    _verify(covered.encode(), unquote_plus(raw["SigAlg"]), from_form(_decoded(raw["Signature"])), signers)
    return _inflated(from_form(_decoded(raw[name])))


def _decoded(value: str) -> str:
    return dict(parse_qsl(f"a={value}")).get("a", "")


def _inflated(packed: bytes) -> bytes:
    """Return what was deflated, up to the size of a message: a small bomb must not grow (Bindings 3.4.4.1)."""
    inflate = zlib.decompressobj(-15)
    try:
        clear = inflate.decompress(packed, MESSAGE + 1)
    except zlib.error:
        raise AnswerRefused("not_deflated") from None
    if len(clear) > MESSAGE or inflate.unconsumed_tail:
        raise AnswerRefused("xml_too_large")
    return clear


def _verify(covered: bytes, algorithm: str, mark: bytes, signers: Signers) -> None:
    name, kind = _HASHES.get(algorithm, ("", hashes.SHA256))
    if name not in signers.algorithms:
        raise AnswerRefused("signature_algorithm")
    for certificate in signers.certificates:
        if not certificate.not_valid_before_utc <= signers.at < certificate.not_valid_after_utc:
            continue
        key = certificate.public_key()
        try:
            if isinstance(key, rsa.RSAPublicKey) and name.startswith("RS"):
                key.verify(mark, covered, padding.PKCS1v15(), kind())
            elif isinstance(key, ec.EllipticCurvePublicKey) and name.startswith("ES"):
                key.verify(_der(mark), covered, ec.ECDSA(kind()))
            else:
                continue
        except (InvalidSignature, ValueError):
            continue
        return
    raise AnswerRefused("signature_wrong")


def _der(mark: bytes) -> bytes:
    """Return an ECDSA signature as `cryptography` reads it; XML Signature writes the two numbers side by side."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    half = len(mark) // 2
    return encode_dss_signature(int.from_bytes(mark[:half]), int.from_bytes(mark[half:]))
