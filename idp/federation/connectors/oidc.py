"""OpenID Connect upstreams: code flow with PKCE, state, nonce and an ID token verified against pinned values."""

import base64
import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from idp import signatures
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL1
from idp.federation import facts, set_reading
from idp.federation.contract import (
    AnswerRefused,
    BrowserAnswer,
    Leaving,
    SendBrowser,
    Signalled,
    SignedOut,
    Told,
    Try,
)
from idp.federation.proof import proof_of_us
from idp.outbound import Outbound
from idp.signatures import BadToken, Keys, SignedClaims

_REFETCH = timedelta(minutes=1)
_MOST = 256
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
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


Check = Callable[[Try | Told, Keys, str], SignedClaims]


@dataclass(slots=True)
class _Known:
    """Metadata of an issuer, kept an hour."""

    metadata: Mapping[str, Any]
    fetched_at: datetime
    keys: Keys | None = None
    keys_at: datetime | None = None
    asked_again_at: datetime | None = None


class Oidc:
    """Satisfies contract.Connector."""

    kind = "oidc"

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, attempt: Try) -> SendBrowser:
        """Return the authorization request (OpenID Connect Core 3.1.2.1, RFC 7636)."""
        metadata = self._of(attempt).metadata
        challenge = base64.urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": attempt.upstream.client_id,
            "redirect_uri": attempt.callback,
            "scope": " ".join(attempt.upstream.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if attempt.max_age is not None:
            asked["max_age"] = str(attempt.max_age)
            if attempt.max_age == 0:
                asked["prompt"] = "login"
        if attempt.another:
            asked["prompt"] = "select_account"
        if attempt.upstream.acr_map:
            asked["acr_values"] = " ".join(attempt.upstream.acr_map)
        if attempt.login_hint:
            asked["login_hint"] = attempt.login_hint
        parts = urlsplit(metadata["authorization_endpoint"])
        own = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k not in asked]
        return SendBrowser(urlunsplit(parts._replace(query=urlencode([*own, *asked.items()]))))

    def answered_by(self, answer: BrowserAnswer) -> str | None:
        """Return the `iss` of the answer (RFC 9207)."""
        return answer.get("iss")

    def finish(self, attempt: Try, answer: BrowserAnswer) -> Assertion:
        """Exchange the code and verify the ID token (OpenID Connect Core 3.1.3.7)."""
        if answer.get("error"):
            raise AnswerRefused("declined" if answer.get("error") == "access_denied" else "error_answer")
        code = answer.get("code")
        if not code or len(code) > 4096:
            raise AnswerRefused("no_code")
        known = self._of(attempt)
        if known.metadata.get("authorization_response_iss_parameter_supported") is True and answer.get("iss") is None:
            raise AnswerRefused("iss_missing")  # RFC 9207 2.4: one that says it sends it must send it
        token = self._exchange(attempt, known.metadata["token_endpoint"], code)
        claims = self._verified(attempt, known, token, _id_token)
        return self._assertion(attempt, claims)

    def signed_out(self, told: Told, token: str) -> SignedOut:
        """Verify a logout token (Back-Channel Logout 1.0, 2.6): never an ID token, whatever else it looks like."""
        claims = self._verified(told, self._of(told), token, _logout_token)
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

    def signalled(self, told: Told, token: str) -> Signalled:
        """Verify a security event token (RFC 8417): signed by the upstream's keys, typed, for us alone."""
        return set_reading.signalled(told, self._verified(told, self._of(told), token, _set))

    def answer_sign_out(self, told: Told, token: str, relay_state: str | None) -> None:
        """Return nothing: a logout token comes from server to server, and the status is the answer."""

    def signs_out(self, told: Told) -> bool:
        """Say whether metadata known already name a usable end_session_endpoint."""
        return self._end_session(told) is not None

    def sign_out(self, leaving: Leaving) -> SendBrowser | None:
        """Return the issuer's sign-out (RP-Initiated Logout 1.0, 2).

        No ID token is sent along, for we keep none (T-28); the organization may ask for a click.
        """
        endpoint = self._end_session(leaving.told)
        if endpoint is None:
            return None
        upstream = leaving.told.upstream
        query = urlencode({"client_id": upstream.client_id, "post_logout_redirect_uri": leaving.come_back})
        return SendBrowser(endpoint + ("&" if "?" in endpoint else "?") + query)

    def sign_out_answered(self, leaving: Leaving, token: str) -> bool:
        """Refuse: the browser comes back without a message here."""
        raise AnswerRefused("no_such_message")

    def _end_session(self, told: Told) -> str | None:
        with self._lock:
            known = self._known.get(told.upstream.issuer)
        endpoint = known.metadata.get("end_session_endpoint") if known is not None else None
        return str(endpoint) if self._outbound.allowed(endpoint) else None

    def _of(self, attempt: Try | Told) -> _Known:
        """Return the issuer's metadata, which must name exactly the configured issuer (security.md 34)."""
        issuer = attempt.upstream.issuer
        with self._lock:
            known = self._known.get(issuer)
        if known is not None and attempt.now < known.fetched_at + attempt.keep:
            return known
        answer = self._outbound.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        metadata = answer.body
        if answer.status != 200:
            raise AnswerRefused("metadata")
        if metadata.get("issuer") != issuer:
            raise AnswerRefused("metadata_issuer")
        if not all(self._outbound.allowed(metadata.get(name)) for name in _ENDPOINTS):
            raise AnswerRefused("metadata_endpoint")
        known = _Known(metadata, attempt.now)
        with self._lock:
            self._known[issuer] = known
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return known

    def _exchange(self, attempt: Try, endpoint: str, code: str) -> str:
        upstream = attempt.upstream
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.callback,
            "code_verifier": attempt.verifier,
        }
        headers = {}
        secret = upstream.client_secret or ""
        if upstream.auth_method == "client_secret_basic":
            pair = f"{quote(upstream.client_id, safe='')}:{quote(secret, safe='')}"  # RFC 6749 2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        elif upstream.auth_method == "client_secret_post":
            fields |= {"client_id": upstream.client_id, "client_secret": secret}
        elif upstream.auth_method == "private_key_jwt":
            fields |= proof_of_us(attempt, endpoint)
        else:
            fields["client_id"] = upstream.client_id
        answer = self._outbound.post(endpoint, fields, headers)
        if answer.status != 200:
            raise AnswerRefused("code_refused")
        token = answer.body.get("id_token")
        if not isinstance(token, str):
            raise AnswerRefused("no_id_token")
        return token

    def _verified(self, attempt: Try | Told, known: _Known, token: str, check: Check) -> SignedClaims:
        keys, fresh = self._keys(attempt, known, again=False)
        try:
            return check(attempt, keys, token)
        except BadToken as problem:
            if problem.reason != "unknown_key" or fresh:
                raise AnswerRefused(f"id_token_{problem.reason}") from problem
        keys, _ = self._keys(attempt, known, again=True)
        try:
            return check(attempt, keys, token)
        except BadToken as problem:
            raise AnswerRefused(f"id_token_{problem.reason}") from problem

    def _keys(self, attempt: Try | Told, known: _Known, *, again: bool) -> tuple[Keys, bool]:
        """Return the issuer's keys and whether they were just fetched.

        Kept an hour; fetched again for an unknown key at most once a minute, so tokens with invented key ids
        cannot make us hammer the upstream.
        """
        with self._lock:
            stale = known.keys is None or known.keys_at is None or attempt.now >= known.keys_at + attempt.keep
            if again and not stale:
                if known.asked_again_at is not None and attempt.now < known.asked_again_at + _REFETCH:
                    assert known.keys is not None
                    return known.keys, False
                known.asked_again_at = attempt.now
        if not stale and not again:
            assert known.keys is not None
            return known.keys, False
        answer = self._outbound.get(known.metadata["jwks_uri"])
        if answer.status != 200:
            raise AnswerRefused("jwks")
        try:
            keys = signatures.keys_from_jwks(answer.body)
        except BadToken as problem:
            raise AnswerRefused("jwks") from problem
        with self._lock:
            known.keys, known.keys_at = keys, attempt.now
        return keys, True

    @staticmethod
    def _assertion(attempt: Try, claims: SignedClaims) -> Assertion:
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


def _id_token(attempt: Try | Told, keys: Keys, token: str) -> SignedClaims:
    return _check(attempt, keys, token, None, ("iss", "sub", "aud", "exp", "iat"))


def _logout_token(attempt: Try | Told, keys: Keys, token: str) -> SignedClaims:
    """Check signature, issuer and times; the type `logout+jwt` is what the standard recommends, plain JWT is taken."""
    typ = str(signatures.unverified_header(token).get("typ", "jwt")).lower().removeprefix("application/")
    return _check(
        attempt, keys, token, _LOGOUT_TYP if typ == _LOGOUT_TYP else None, ("iss", "aud", "exp", "iat", "jti")
    )


def _set(attempt: Try | Told, keys: Keys, token: str) -> SignedClaims:
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
