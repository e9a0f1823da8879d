"""SAML upstreams as the sign-in flow sees them: ask, and read the answer."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from idp import entropy
from idp.accounts.assertion import Assertion
from idp.federation.connectors.saml import answer as answers
from idp.federation.connectors.saml import logout, names
from idp.federation.connectors.saml.binding import from_form, to_address, to_form
from idp.federation.connectors.saml.metadata import Described, certificate_of, described
from idp.federation.connectors.saml.names import saml, samlp
from idp.federation.connectors.saml.ours import signing_key
from idp.federation.connectors.saml.proved import request_id
from idp.federation.connectors.saml.reading import Element, add, make, written
from idp.federation.connectors.saml.signed import Signers, sign
from idp.federation.contract import (
    AnswerRefused,
    BrowserAnswer,
    Leaving,
    SendBrowser,
    Signalled,
    SignedOut,
    Told,
    TrustedUpstream,
    Try,
)
from idp.outbound import Outbound

_REFETCH = timedelta(minutes=1)
_MOST = 256
_BINDINGS = {"redirect": names.REDIRECT, "post": names.POST}
_MEDIA = ("application/samlmetadata+xml", "application/xml", "text/xml")


@dataclass(slots=True)
class _Known:
    """Metadata of an upstream, kept an hour; recorded text is kept until other text is recorded."""

    source: str
    described: Described
    fetched_at: datetime
    asked_again_at: datetime | None = None


class Saml:
    """Satisfies contract.Connector."""

    kind = "saml"

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def at_hand(self, told: Try | Told) -> bool:
        """Say no: a request is signed, which is work to do beside the event loop."""
        return False

    def begin(self, attempt: Try) -> SendBrowser:
        """Return the signed authentication request (Core 3.4.1, Profiles 4.1.4.1)."""
        upstream = attempt.upstream
        found = self.describe(upstream, attempt.now, attempt.keep)
        wanted = _BINDINGS[upstream.details["binding"]]
        binding = wanted if wanted in found.sign_on else next(iter(found.sign_on))
        request = make(
            samlp("AuthnRequest"),
            ID=request_id(attempt),
            Version="2.0",
            IssueInstant=written(attempt.now),
            Destination=found.sign_on[binding],
            AssertionConsumerServiceURL=attempt.callback,
            ProtocolBinding=names.POST,
            ForceAuthn="true" if attempt.max_age == 0 else None,
        )
        add(request, saml("Issuer"), upstream.client_id)
        add(request, samlp("NameIDPolicy"), Format=names.PERSISTENT, AllowCreate="true")
        return send(upstream, found.sign_on[binding], binding, {"SAMLRequest": request}, attempt.state)

    def answered_by(self, answer: BrowserAnswer) -> None:
        """Return nothing: who answers stands in what is signed, and is checked there."""

    def finish(self, attempt: Try, answer: BrowserAnswer) -> Assertion:
        """Turn a posted response into an assertion; with new metadata once, when its signature was not known."""
        posted = answer.get("SAMLResponse")
        if not answer.posted or posted is None:
            raise AnswerRefused("not_posted")  # Profiles 4.1.2: the redirect binding must not carry it
        data = from_form(posted)
        upstream = attempt.upstream
        found = self.describe(upstream, attempt.now, attempt.keep)
        try:
            return answers.assertion(data, attempt, signers_of(upstream, found, attempt.now))
        except AnswerRefused as problem:
            if not problem.reason.startswith("signature_wrong"):
                raise
            again = self.describe(upstream, attempt.now, attempt.keep, again=True)
            if again is found:
                raise
        return answers.assertion(data, attempt, signers_of(upstream, again, attempt.now))

    def signed_out(self, told: Told, token: str) -> SignedOut:
        """Verify a logout request: the query of an address, or the field of a form (Bindings 3.4, 3.5)."""
        found = self.describe(told.upstream, told.now, told.keep)
        return logout.signed_out(logout.message(token, signers_of(told.upstream, found, told.now)), told)

    def signalled(self, told: Told, token: str) -> Signalled:
        """Refuse: SAML has no such message, and no keys of JWTs are known of its providers."""
        raise AnswerRefused("no_signals")

    def answer_sign_out(self, told: Told, token: str, relay_state: str | None) -> SendBrowser | None:
        """Return our signed answer to a logout request, or None where the provider names no address for it."""
        found = self.describe(told.upstream, told.now, told.keep)
        if not found.logout:
            return None
        binding = names.REDIRECT if names.REDIRECT in found.logout else names.POST
        request = logout.message(token, signers_of(told.upstream, found, told.now))
        endpoint = found.logout[binding][1]
        made = logout.answer(request, told, endpoint, "_" + entropy.token())
        return send(told.upstream, endpoint, binding, {"SAMLResponse": made}, relay_state)

    def signs_out(self, told: Told) -> bool:
        """Say whether the metadata, recorded or known already, name a place for it."""
        if told.upstream.details["metadata_url"] is None:
            return bool(self.describe(told.upstream, told.now, told.keep).logout)
        with self._lock:
            known = self._known.get(told.upstream.id)
        return known is not None and bool(known.described.logout)

    def sign_out(self, leaving: Leaving) -> SendBrowser | None:
        """Return our signed logout request, by the binding of the record where the provider takes it (Core 3.7.1)."""
        told = leaving.told
        found = self.describe(told.upstream, told.now, told.keep)
        if not found.logout:
            return None
        wanted = _BINDINGS[told.upstream.details["binding"]]
        binding = wanted if wanted in found.logout else next(iter(found.logout))
        endpoint = found.logout[binding][0]
        made = logout.request(leaving, endpoint)
        return send(told.upstream, endpoint, binding, {"SAMLRequest": made}, leaving.reference)

    def sign_out_answered(self, leaving: Leaving, token: str) -> bool:
        """Verify the provider's answer to our request (Profiles 4.4.4.2)."""
        told = leaving.told
        found = self.describe(told.upstream, told.now, told.keep)
        response = logout.message(token, signers_of(told.upstream, found, told.now), "LogoutResponse")
        return logout.answered(response, leaving)

    def describe(self, upstream: TrustedUpstream, now: datetime, keep: timedelta, *, again: bool = False) -> Described:
        """Return the identity provider's metadata: the recorded text, or that of the recorded address, kept an hour.

        `again` fetches before the hour is over, at most once a minute, so that signatures by invented keys cannot
        make us hammer the upstream. Raises AnswerRefused, OutboundFailed.
        """
        text, url = upstream.details["metadata"], upstream.details["metadata_url"]
        trusted = upstream.details["metadata_certificate"]
        source = sha256(repr((upstream.issuer, url, text, trusted)).encode()).hexdigest()
        with self._lock:
            known = self._known.get(upstream.id)
            if known is not None and known.source == source and self._still_good(known, now, keep, url, again=again):
                known.described.usable(now)
                return known.described
        data = self._fetched(url) if url else (text or "").encode()
        signers = None
        if trusted:
            signers = Signers([certificate_of(trusted)], upstream.algorithms, now)
        found = described(data, upstream.issuer, signers)
        if not all(self._outbound.allowed(address) for address in found.addresses()):
            raise AnswerRefused("metadata_endpoint")
        found.usable(now)
        with self._lock:
            self._known[upstream.id] = _Known(source, found, now, now if again else None)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return found

    @staticmethod
    def _still_good(known: _Known, now: datetime, keep: timedelta, url: str | None, *, again: bool) -> bool:
        if url is None:
            return True
        if again:
            if known.asked_again_at is not None and now < known.asked_again_at + _REFETCH:
                return True
            known.asked_again_at = now
            return False
        return now < known.fetched_at + keep

    def _fetched(self, url: str) -> bytes:
        status, data = self._outbound.fetch(url, _MEDIA)
        if status != 200:
            raise AnswerRefused("metadata")
        return data


def signers_of(upstream: TrustedUpstream, found: Described, now: datetime) -> Signers:
    """Return who may sign an upstream's messages."""
    return Signers(found.certificates, upstream.algorithms, now)


def send(
    upstream: TrustedUpstream, endpoint: str, binding: str, message: Mapping[str, Element], relay_state: str | None
) -> SendBrowser:
    """Return a message of ours, by its field's name, signed, by the binding asked for."""
    key = signing_key(upstream)
    ((name, element),) = message.items()
    if binding == names.REDIRECT:
        return SendBrowser(to_address(endpoint, name, element, relay_state, key["private"]))
    fields = {name: to_form(sign(element, key["private"], key["certificate"]))}
    if relay_state is not None:
        fields["RelayState"] = relay_state
    return SendBrowser(endpoint, "POST", fields)
