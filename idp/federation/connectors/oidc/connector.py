"""OpenID Connect upstreams: code flow with PKCE, state, nonce and an ID token verified against pinned values."""

import base64
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from idp import signatures
from idp.accounts.assertion import Assertion
from idp.federation import set_reading
from idp.federation.connectors.oidc import tokens
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
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


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

    def at_hand(self, told: Try | Told) -> bool:
        """Say whether the issuer's metadata is known."""
        return self._fresh(told) is not None

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
        claims = self._verified(attempt, known, token, tokens.id_token)
        return tokens.assertion(attempt, claims)

    def signed_out(self, told: Told, token: str) -> SignedOut:
        """Verify a logout token (Back-Channel Logout 1.0, 2.6): never an ID token, whatever else it looks like."""
        claims = self._verified(told, self._of(told), token, tokens.logout_token)
        return tokens.signed_out(told, claims)

    def signalled(self, told: Told, token: str) -> Signalled:
        """Verify a security event token (RFC 8417): signed by the upstream's keys, typed, for us alone."""
        return set_reading.signalled(told, self._verified(told, self._of(told), token, tokens.event_token))

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
        present = self._fresh(attempt)
        if present is not None:
            return present
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

    def _fresh(self, attempt: Try | Told) -> _Known | None:
        with self._lock:
            known = self._known.get(attempt.upstream.issuer)
        return known if known is not None and attempt.now < known.fetched_at + attempt.keep else None

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

    def _verified(self, attempt: Try | Told, known: _Known, token: str, check: tokens.Check) -> SignedClaims:
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
