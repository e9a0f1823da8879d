"""Which security events there are, and what each says (CAEP 1.0, RISC 1.0, RFC 8417)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp import clock
from idp.signals.names import EVENTS

_SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
VERIFICATION, STREAM_UPDATED = _SSF + "verification", _SSF + "stream-updated"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_LESS = ("grant_ended", "grant_suspended", "affiliation_ended", "access_reduced")


@dataclass(frozen=True, slots=True)
class Change:
    """One numbered revocation, as its row has it."""

    seq: int
    kind: str
    account_id: str | None
    session_id: str | None
    provider_id: str | None
    authz_epoch: int | None
    facts: Mapping[str, Any]
    at: int
    """Microseconds."""


@dataclass(frozen=True, slots=True)
class Said:
    """One event: its short name, whom it is about, and its own members."""

    name: str
    subject: dict[str, Any]
    members: dict[str, Any]


def said_of(change: Change, issuer: str) -> Said | None:
    """Return the event a revocation is told as; None where none of ours says it (the feed does)."""
    if change.account_id is None:
        return None
    user = {"format": "iss_sub", "iss": issuer, "sub": change.account_id}
    subject: dict[str, Any] = user
    if change.kind in ("session_ended", "assurance_changed") and change.session_id is not None:
        subject = {"format": "complex", "user": user, "session": {"format": "opaque", "id": change.session_id}}
    elif change.kind in _LESS and change.provider_id is not None:
        subject = {"format": "complex", "user": user, "tenant": {"format": "opaque", "id": change.provider_id}}
    facts = dict(change.facts)
    found: dict[str, tuple[str, dict[str, Any]]] = {
        "session_ended": ("session-revoked", {}),
        "signed_out": ("session-revoked", {}),
        "account_ended": ("account-disabled", {}),
        "credential_changed": ("credential-change", facts),
        "assurance_changed": ("assurance-level-change", facts),
        **dict.fromkeys(_LESS, ("token-claims-change", {"claims": {"authz_epoch": change.authz_epoch}})),
    }
    if change.kind not in found:
        return None
    name, members = found[change.kind]
    return Said(name, subject, {"event_timestamp": change.at // 1_000_000, **members})


def claims_of(said: Said, *, seq: int) -> dict[str, Any]:
    """Return the claims of a SET but for what its receiver decides: `iss`, `aud`, `iat` and `jti` come at sending."""
    return {"sub_id": said.subject, "events": {EVENTS[said.name]: said.members}, "txn": f"rev-{seq}"}


def logout_claims(change: Change) -> dict[str, Any]:
    """Return the claims of a logout token (OpenID Connect Back-Channel Logout 1.0, 2.4)."""
    return {"sub": change.account_id, "sid": change.session_id, "events": {LOGOUT: {}}}


def verification_claims(stream_id: str, state: str | None) -> dict[str, Any]:
    """Return the claims of the event that proves a stream works (Shared Signals 1.0, 8.1.4)."""
    members: dict[str, Any] = {} if state is None else {"state": state}
    return {"sub_id": {"format": "opaque", "id": stream_id}, "events": {VERIFICATION: members}}


def updated_claims(stream_id: str, status: str, reason: str | None) -> dict[str, Any]:
    """Return the claims of the event that tells a stream's new status (Shared Signals 1.0, 8.1.5)."""
    members = {"status": status} | ({} if reason is None else {"reason": reason})
    return {
        "sub_id": {"format": "opaque", "id": stream_id},
        "events": {STREAM_UPDATED: {**members, "event_timestamp": int(clock.now().timestamp())}},
    }
