"""What an ID token or a logout token must say before it is believed (Core 3.1.3.7, Back-Channel Logout 1.0, 2.6)."""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from idp import signatures
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL1
from idp.federation import facts
from idp.federation.contract import AnswerRefused, SignedOut, Told, Try
from idp.signatures import Keys, SignedClaims

_METHODS = frozenset(
    {"face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pop", "pwd", "rba", "retina", "sc"}
    | {"sms", "swk", "tel", "user", "vbm", "wia"}
)
"""Authentication methods of RFC 8176; anything else an upstream sends is left out."""
_PERSONAL = frozenset(
    {"address", "birthdate", "family_name", "gender", "given_name", "groups", "locale", "middle_name", "nickname"}
    | {"npi", "phone_number", "phone_number_verified", "picture", "preferred_username", "profile", "roles"}
    | {"updated_at", "website", "zoneinfo"}
)
"""Claims about the person that are not kept; that they came is told, by name alone (T-28)."""
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_TYP = "logout+jwt"
_LOGOUT_AGE = timedelta(minutes=10)
"""How old a logout token may be; one from before the person signed in again would end the wrong session."""


Check = Callable[[Try | Told, Keys, str], SignedClaims]


def signed_out(told: Told, claims: SignedClaims) -> SignedOut:
    """Return whose session a verified logout token ends: never an ID token, whatever else it looks like."""
    if claims["aud"] not in (told.upstream.client_id, [told.upstream.client_id]):
        raise AnswerRefused("logout_audience")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT), dict):
        raise AnswerRefused("logout_events")
    if "nonce" in claims:
        raise AnswerRefused("logout_nonce")
    jti, subject, sid = claims["jti"], claims.get("sub"), claims.get("sid")
    if not isinstance(jti, str) or len(jti) > 255 or not jti.isprintable():
        raise AnswerRefused("logout_jti")
    for value in (subject, sid):
        if value is not None and (not isinstance(value, str) or _session_id(value) is None):
            raise AnswerRefused("logout_subject")
    if subject is None and sid is None:
        raise AnswerRefused("logout_subject")
    if _moment(claims["iat"]) < told.now - _LOGOUT_AGE - told.leeway:
        raise AnswerRefused("logout_iat")
    return SignedOut(jti, subject, sid, _moment(claims["exp"]))


def assertion(attempt: Try, claims: SignedClaims) -> Assertion:
    """Check what the signature cannot: for us alone, for this try, lately (Core 3.1.3.7, 2 to 13)."""
    upstream, now, leeway = attempt.upstream, attempt.now, attempt.leeway
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if audience != [upstream.client_id]:
        raise AnswerRefused("id_token_audience")
    if claims.get("azp", upstream.client_id) != upstream.client_id:
        raise AnswerRefused("id_token_azp")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt.nonce.encode()):
        raise AnswerRefused("id_token_nonce")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
        raise AnswerRefused("id_token_subject")
    if _moment(claims["iat"]) < attempt.started_at - leeway:
        raise AnswerRefused("id_token_iat")  # made before this try began
    auth_time = _auth_time(claims.get("auth_time"), now, leeway, attempt.max_age)
    acr = claims.get("acr")
    amr = claims.get("amr")
    return Assertion(
        upstream_id=upstream.id,
        issuer=upstream.issuer,
        subject=subject,
        auth_time=auth_time,
        acr=upstream.acr_map.get(acr, AAL1) if isinstance(acr, str) else AAL1,
        amr=tuple(m for m in amr if isinstance(m, str) and m in _METHODS) if isinstance(amr, list) else (),
        facts=facts.plain(claims),
        left_out=tuple(sorted(_PERSONAL & claims.keys())),
        upstream_sid=_session_id(claims.get("sid")),
        partner_id=upstream.partner_id,
        organization=upstream.display_name,
    )


def id_token(attempt: Try | Told, keys: Keys, token: str) -> SignedClaims:
    """Check signature, issuer, audience and times of an ID token; raise BadToken."""
    return _check(attempt, keys, token, None, ("iss", "sub", "aud", "exp", "iat"))


def logout_token(attempt: Try | Told, keys: Keys, token: str) -> SignedClaims:
    """Check signature, issuer and times; the type `logout+jwt` is what the standard recommends, plain JWT is taken."""
    typ = str(signatures.unverified_header(token).get("typ", "jwt")).lower().removeprefix("application/")
    return _check(
        attempt, keys, token, _LOGOUT_TYP if typ == _LOGOUT_TYP else None, ("iss", "aud", "exp", "iat", "jti")
    )


def event_token(attempt: Try | Told, keys: Keys, token: str) -> SignedClaims:
    """Check signature, issuer, audience and type of a security event token (RFC 8417 2.3); it has no end."""
    return _check(attempt, keys, token, "secevent+jwt", ("iss", "aud", "iat", "jti"))


def _check(attempt: Try | Told, keys: Keys, token: str, typ: str | None, required: tuple[str, ...]) -> SignedClaims:
    return signatures.verify(
        token,
        keys,
        algorithms=attempt.upstream.algorithms,
        typ=typ,
        issuer=attempt.upstream.issuer,
        audience=attempt.upstream.client_id,
        now=attempt.now,
        leeway=attempt.leeway,
        required=required,
    )


def _session_id(value: Any) -> str | None:
    """Return the provider's name of its session, where it is one we can keep."""
    return value if isinstance(value, str) and 1 <= len(value) <= 255 and value.isprintable() else None


def _moment(seconds: Any) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError, TypeError):
        raise AnswerRefused("id_token_time") from None


def _auth_time(value: Any, now: datetime, leeway: timedelta, max_age: int | None) -> datetime:
    """Return when the person signed in there; required and recent where an age was asked for."""
    if value is None:
        if max_age is not None:
            raise AnswerRefused("id_token_auth_time")
        return now
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AnswerRefused("id_token_auth_time")
    moment = _moment(value)
    if moment > now + leeway:
        raise AnswerRefused("id_token_auth_time")
    if max_age is not None and now > moment + timedelta(seconds=max_age) + leeway:
        raise AnswerRefused("id_token_auth_time")
    return min(moment, now)
