"""What a protocol has to offer so that its identity providers can be used: begin, and finish.

A connector is one file in `connectors/`; an upstream's row names it by `kind`. State, single use, browser
binding, mix-up defence and partner standing are the flow's, once for all protocols.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from idp.accounts.assertion import Assertion
from idp.signatures import Key


@dataclass(frozen=True, slots=True)
class TrustedUpstream:
    """An upstream as a connector sees it; plain values, so no transaction is open while it waits."""

    id: str
    partner_id: str
    kind: str
    display_name: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    auth_method: str
    scopes: tuple[str, ...]
    algorithms: tuple[str, ...]
    acr_map: Mapping[str, str]
    client_key: Key | None = field(default=None, repr=False)
    """Our key towards it, where it knows us by private_key_jwt."""
    certificates: tuple[str, ...] = ()
    """Our certificate chain (base64 DER, leaf first) in the trust community it belongs to."""
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What a protocol needs beyond the rest: for SAML metadata, binding and our keys."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something an upstream tells by itself, outside of any try."""

    upstream: TrustedUpstream
    now: datetime
    leeway: timedelta
    keep: timedelta
    """How long metadata and keys may be kept."""


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A proved logout token: whose session over there ended. At least one of `subject` and `sid` is there."""

    jti: str
    subject: str | None
    sid: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Leaving:
    """A person who has signed out here and goes on to sign out at the organization too."""

    told: Told
    """The upstream, and the clocks."""
    reference: str
    """Comes back with the answer, as it was sent."""
    request: str = field(repr=False)
    """The id of our request, which its answer must name."""
    begun_at: datetime
    subject: str
    sid: str | None
    come_back: str
    """Where the browser may be sent afterwards."""


@dataclass(frozen=True, slots=True)
class Signalled:
    """A proved security event: what the upstream says happened, to whom of its people, in which session there."""

    jti: str
    events: frozenset[str]
    """Event types, as addresses."""
    subject: str | None
    """None where it is about no person."""
    sid: str | None
    at: datetime
    """When it was made."""


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt to sign in at an upstream."""

    upstream: TrustedUpstream
    callback: str
    """Where the browser comes back to: one address for each upstream (RFC 9700 4.4.2)."""
    state: str
    nonce: str
    verifier: str = field(repr=False)
    started_at: datetime
    now: datetime
    leeway: timedelta
    keep: timedelta
    """How long metadata and keys may be kept."""
    max_age: int | None = None
    """Seconds; 0 asks the upstream to authenticate the person anew."""
    login_hint: str | None = None
    another: bool = False
    """Whether a second login of the same organization is wanted, so that it asks which."""


@dataclass(frozen=True, slots=True)
class SendBrowser:
    """Where the browser goes: redirect and form post are data."""

    url: str
    method: str = "GET"
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BrowserAnswer:
    """What the browser brought back; nothing in it is proved."""

    fields: Mapping[str, str]
    posted: bool = False
    """It came as a cross-site form post, not in an address."""

    def get(self, name: str) -> str | None:
        """Return one field."""
        return self.fields.get(name)


class AnswerRefused(Exception):
    """The upstream's answer must not be trusted; `reason` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Connector(Protocol):
    """One protocol. Raises AnswerRefused, or OutboundFailed when the upstream cannot be reached."""

    kind: str

    def at_hand(self, told: Told | Try) -> bool:
        """Say whether `begin` would answer from what is known already, so that nobody has to be waited for."""
        ...

    def begin(self, attempt: Try) -> SendBrowser:
        """Return where the browser has to go."""
        ...

    def finish(self, attempt: Try, answer: BrowserAnswer) -> Assertion:
        """Turn a proved answer into an assertion."""
        ...

    def answered_by(self, answer: BrowserAnswer) -> Any:
        """Return who the answer says it is from (RFC 9207), or None where the protocol does not say."""
        ...

    def signed_out(self, told: Told, token: str) -> SignedOut:
        """Verify what the upstream says of an ended session; AnswerRefused where the protocol has no such message."""
        ...

    def signalled(self, told: Told, token: str) -> Signalled:
        """Verify a security event of the upstream; AnswerRefused where the protocol has no such message."""
        ...

    def signs_out(self, told: Told) -> bool:
        """Say whether people can be led to sign out there too; asks nobody."""
        ...

    def sign_out(self, leaving: Leaving) -> SendBrowser | None:
        """Return where the browser goes to sign out there too; None where the upstream names no place for it."""
        ...

    def sign_out_answered(self, leaving: Leaving, token: str) -> bool:
        """Verify the answer to `sign_out`: whether every session there ended. AnswerRefused without such a message."""
        ...

    def answer_sign_out(self, told: Told, token: str, relay_state: str | None) -> SendBrowser | None:
        """Return our answer to what `signed_out` verified, where it came through the browser; None otherwise."""
        ...
