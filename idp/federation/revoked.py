"""Has its issuer taken a certificate back? Revocation lists, asked for where a certificate names one (RFC 5280 5, 6.3).

What cannot be learned is a no: a list that is missing, out of date, or not its issuer's own refuses the certificate.
Lists bear their issuer's signature, so they may come by plain http, as most are published; the guarded client fetches
them.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from idp.federation.certificates import Untrusted
from idp.outbound import Outbound, OutboundFailed

KEEP = timedelta(hours=1)
"""How long a list is kept, and never past the moment it says itself."""
_MOST = 64
_KINDS = ("application/pkix-crl", "application/x-pkcs7-crl", "application/octet-stream")
_KNOWN = (x509.IssuingDistributionPoint, x509.AuthorityKeyIdentifier, x509.CRLNumber)


class Lists:
    """The revocation lists one worker knows; bounded."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[x509.CertificateRevocationList, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def refuse_revoked(self, outbound: Outbound, chain: Sequence[x509.Certificate], now: datetime) -> None:
        """Refuse a proved chain (leaf to anchor) of which an issuer took a certificate back; raise Untrusted.

        A certificate that names no list has none: its community does not publish any.
        """
        for certificate, issuer in pairwise(chain):
            addresses = _addresses(certificate)
            if not addresses:
                continue
            listed = self._list(outbound, addresses, certificate, issuer, now)
            entry = listed.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None:
                raise Untrusted("revoked")

    def _list(
        self,
        outbound: Outbound,
        addresses: Sequence[str],
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        now: datetime,
    ) -> x509.CertificateRevocationList:
        """Return the list of one of these addresses that can be believed; the first that answers, as RFC 5280 says."""
        reason = "revocation_unknown"
        for address in addresses:
            with self._lock:
                listed, until = self._kept.get(address, (None, now))
            if listed is None or now >= until:
                try:
                    status, document = outbound.fetch(address, _KINDS, signed=True)
                    if status != 200:
                        continue
                    listed = x509.load_der_x509_crl(document)
                except (OutboundFailed, ValueError):
                    continue
            try:
                ends = _believable(listed, certificate, issuer, now)
            except Untrusted as problem:
                reason = problem.reason
                continue
            with self._lock:
                if until <= now:
                    self._kept[address] = (listed, min(ends, now + KEEP))
                while len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
            return listed
        raise Untrusted(reason)


def _addresses(certificate: x509.Certificate) -> list[str]:
    """Return where the lists of a certificate are. Raises Untrusted for a place we cannot go to."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    found = []
    for point in points:
        if point.reasons is not None or point.crl_issuer is not None:
            raise Untrusted("revocation_indirect")  # parts of a list, or somebody else's
        found += [one.value for one in point.full_name or () if isinstance(one, x509.UniformResourceIdentifier)]
    web = [one for one in found if one.startswith(("https://", "http://"))]
    if not web:
        raise Untrusted("revocation_unknown")
    return web[:3]


def _believable(
    listed: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> datetime:
    """Check that a list is the issuer's own, whole and of now; return when it ends. Raises Untrusted."""
    if listed.issuer != issuer.subject or not _signed(listed, issuer):
        raise Untrusted("revocation_signature")
    if listed.next_update_utc is None or not listed.last_update_utc <= now < listed.next_update_utc:
        raise Untrusted("revocation_outdated")
    for extension in listed.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            _whole(value, certificate)
        elif extension.critical and not isinstance(value, _KNOWN):
            raise Untrusted("revocation_extension")  # a delta, or what we do not know
    return listed.next_update_utc


def _signed(listed: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if isinstance(listed.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        return False
    if any(isinstance(one.value, x509.KeyUsage) and not one.value.crl_sign for one in issuer.extensions):
        return False
    try:
        return listed.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # others: TypeError
    except TypeError:
        return False


def _whole(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> None:
    authority = any(isinstance(one.value, x509.BasicConstraints) and one.value.ca for one in certificate.extensions)
    partial = point.only_contains_ca_certs if not authority else point.only_contains_user_certs
    if partial or point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
        raise Untrusted("revocation_indirect")
