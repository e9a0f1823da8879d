"""Read the claims of a security event token whose signature, issuer and audience are proved (RFC 8417, RFC 9493)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from idp.federation.contract import AnswerRefused, Signalled, Told

MOST_EVENTS = 10


def signalled(told: Told, claims: Mapping[str, Any]) -> Signalled:
    """Return what an event says of whom; raise AnswerRefused for what is no such event.

    A subject of another issuer than the one who signed is refused: an organization speaks of its own people.
    """
    if claims["aud"] not in (told.upstream.client_id, [told.upstream.client_id]):
        raise AnswerRefused("audience")
    if "exp" in claims or "nonce" in claims or "sub" in claims:  # RFC 8417 2.2, 4.6: no ID token passes for one
        raise AnswerRefused("set_claims")
    events, jti = claims.get("events"), claims["jti"]
    if not isinstance(events, dict) or not 1 <= len(events) <= MOST_EVENTS:
        raise AnswerRefused("set_events")
    if not all(isinstance(said, dict) for said in events.values()):
        raise AnswerRefused("set_events")
    if not _plain(jti):
        raise AnswerRefused("set_jti")
    try:
        at = datetime.fromtimestamp(claims["iat"], UTC)
    except (OverflowError, ValueError, OSError, TypeError):
        raise AnswerRefused("set_iat") from None
    subject: Any = claims.get("sub_id")
    if subject is None:  # where it stood before Shared Signals 1.0 was final
        subject = next((said["subject"] for said in events.values() if "subject" in said), None)
    who, sid = _named(subject, told.upstream.issuer)
    return Signalled(jti, frozenset(events), who, sid, at)


def _named(subject: Any, issuer: str) -> tuple[str | None, str | None]:
    """Return the person and their session over there; (None, None) for a subject that is no person."""
    if not isinstance(subject, dict):
        raise AnswerRefused("set_subject")
    user: Any = subject
    session: Any = None
    if subject.get("format") == "complex" or "user" in subject:
        user, session = subject.get("user"), subject.get("session")
    if not isinstance(user, dict) or user.get("format") != "iss_sub":
        return None, None
    if user.get("iss") != issuer:
        raise AnswerRefused("set_subject_issuer")
    if not _plain(user.get("sub")):
        raise AnswerRefused("set_subject")
    sid = session.get("id") if isinstance(session, dict) and session.get("format") == "opaque" else None
    if sid is not None and not _plain(sid):
        raise AnswerRefused("set_subject")
    return str(user["sub"]), sid


def _plain(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 255 and value.isprintable()
