"""authorization_code: at the authorize endpoint a code is made, at the token endpoint it is spent once.

RFC 6749 4.1, RFC 7636, RFC 9700 2.1.1.
"""

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7636.challenge import create_s256_code_challenge

from idp import entropy
from idp.audit.events import Event
from idp.database.lane import Append, Merged, OneStatement, Sql, Work
from idp.oauth import liveness, person_tokens
from idp.oauth.audiences import InvalidTarget
from idp.oauth.desk import Asked, Desk, Late, at_hand, client_of
from idp.oauth.family_end import end_family
from idp.oauth.person_tokens import Ground

_MORE = (
    ", c.client_id, c.session_id, c.scope, c.resource, c.line, c.nonce, c.claims, c.acr, c.auth_time, c.expires_at, "
    "c.spent_at, c.redirect_uri, c.redirect_uri_given, c.challenge"
)
_WIDTH = 14
LOAD = liveness.statement(
    start="LEFT JOIN authorization_code c ON c.code_hash = $4",
    account="c.account_id",
    session="c.session_id",
    family="c.family_id",
    provider="c.provider_id",
    more=_MORE + liveness.PERSON,
)
"""$1 to $3 as liveness.moments gives them, $4 the code's hash."""
_SPEND = Sql(
    "UPDATE authorization_code SET spent_at = $2, family_id = $3 WHERE code_hash = $1 AND spent_at IS NULL "
    "AND EXISTS (SELECT 1 FROM session s WHERE s.id = authorization_code.session_id AND s.ended_at IS NULL) "
    "RETURNING 1"
)
_FAMILY = Sql("SELECT family_id, account_id FROM authorization_code WHERE code_hash = $1 AND spent_at IS NOT NULL")
_INSERT_FAMILY = Sql(
    "INSERT INTO token_family (id, session_id, client_id, account_id, provider_id, line, scope, resource, nonce, "
    "claims, started_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)"
)
_AT_ONCE = Merged(
    columns=(
        ("code", "bytea"),
        ("at", "bigint"),
        ("family_id", "text"),
        ("session_id", "text"),
        ("client_id", "text"),
        ("account_id", "text"),
        ("provider_id", "text"),
        ("line", "text"),
        ("scope", "text"),
        ("resource", "text"),
        ("nonce", "text"),
        ("claims", "text"),
        ("made", "bytea"),
        ("refresh_until", "bigint"),
    ),
    key=0,
    steps="""taken AS (UPDATE authorization_code c SET spent_at = g.at, family_id = g.family_id FROM given g
        WHERE c.code_hash = g.code AND g.n IN (SELECT n FROM fresh) AND c.spent_at IS NULL
        AND EXISTS (SELECT 1 FROM session s WHERE s.id = c.session_id AND s.ended_at IS NULL) RETURNING g.n),
      done AS (SELECT n FROM taken),
      family AS (INSERT INTO token_family (id, session_id, client_id, account_id, provider_id, line, scope, resource,
        nonce, claims, started_at, created_at) SELECT g.family_id, g.session_id, g.client_id, g.account_id,
        g.provider_id, g.line, g.scope, g.resource, g.nonce, g.claims, g.at, g.at FROM given g
        WHERE g.n IN (SELECT n FROM done)),
      made AS (INSERT INTO refresh_token (token_hash, family_id, client_id, expires_at, created_at)
        SELECT g.made, g.family_id, g.client_id, g.refresh_until, g.at FROM given g
        WHERE g.n IN (SELECT n FROM done) AND g.made IS NOT NULL)""",
)
"""The statements of an exchange that nobody disputes, for a group of them."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def hash_of(code: str) -> bytes:
    """Return what is stored of a code."""
    return sha256(code.encode()).digest()


def ground_of(row: Sequence[Any], code_hash: bytes) -> Ground | None:
    """Return what a code stands for; None for an unknown one."""
    more = liveness.added(row)
    (
        client_id, session_id, scope, resource, line, nonce, claims, acr, auth_time, expires_at,
        spent_at, redirect_uri, given, challenge,
    ) = more[:_WIDTH]  # fmt: skip
    if client_id is None:
        return None
    found = liveness.standing(row)
    return Ground(
        standing=found,
        hash=code_hash,
        client_id=client_id,
        session_id=session_id,
        family_id=found.family_id or entropy.new_id("fam"),
        scope=scope,
        audience=resource,
        line=line,
        nonce=nonce,
        claims=claims,
        acr=acr,
        auth_time=auth_time,
        expires_at=expires_at,
        spent=spent_at is not None,
        person=more[_WIDTH:],
        redirect_uri=redirect_uri if given else None,
        code_challenge=challenge,
    )


class OurCodeChallenge(CodeChallenge):
    """S256 only, and asked of every client but a registered exception (stack.md 3.4.1)."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 - the library's class attribute

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuse a missing challenge, a missing method (it would mean plain) and any method but S256."""
        data = grant.request.payload.data
        challenge, method = data.get("code_challenge"), data.get("code_challenge_method")
        if challenge is None and method is None and not client_of(grant.request).pkce_required:
            return
        if challenge is None:
            raise InvalidRequestError("code_challenge is required (PKCE).")
        if method != "S256":
            raise InvalidRequestError("code_challenge_method must be S256.")
        if not _CHALLENGE.fullmatch(challenge):
            raise InvalidRequestError("code_challenge is not a SHA-256 in base64url.")

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        """Compare in constant time; a verifier without a challenge is refused (RFC 9700 4.8.2)."""
        ground, verifier = grant.request.authorization_code, grant.request.form.get("code_verifier")
        if ground.code_challenge is None:
            if verifier is not None:
                raise InvalidGrantError("The authorization request had no code_challenge.")
            return
        if verifier is None:
            raise InvalidGrantError("code_verifier is required.")
        if not 43 <= len(verifier) <= 128 or not verifier.isascii():
            raise InvalidGrantError("code_verifier is not valid.")
        computed = str(create_s256_code_challenge(verifier))  # type: ignore[no-untyped-call]
        if not hmac.compare_digest(computed.encode(), ground.code_challenge.encode()):
            raise InvalidGrantError("code_verifier does not match.")


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    """Spends a code for a family of tokens."""

    request: Asked

    def generate_authorization_code(self) -> str:
        """Return a code of 256 bits."""
        return entropy.token()

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Hand the code to the authorize endpoint, which stores it in its transaction."""
        request.desk.code = code

    def query_authorization_code(self, code: str, client: Any) -> Ground | None:
        """Return what the code stands for; a spent one ends what it produced (security.md 43)."""
        desk = self.request.desk
        ground = desk.loaded
        if ground is None or ground.client_id != client.client_id:
            return None
        if ground.spent:
            desk.work = lambda: _reused(desk, ground.hash)
            raise InvalidGrantError("The code was used before.")
        if desk.micros >= ground.expires_at:
            raise InvalidGrantError("The code has expired.")
        assert isinstance(ground, Ground)
        return ground

    def authenticate_user(self, authorization_code: Ground) -> str:
        """Ask whether the person may have tokens now; a refusal carries its reason."""
        desk, client = self.request.desk, client_of(self.request)
        found = authorization_code.standing
        resource = self.request.payload.data.get("resource")
        if resource is not None and resource != authorization_code.audience:
            raise InvalidTarget("The code was not given for this resource.")
        reason = liveness.refusal(found, client, desk.picture, desk.now, for_provider=found.provider_id)
        if reason is not None:
            raise InvalidGrantError(reason)
        return authorization_code.account_id

    def generate_token(self, *args: Any, include_refresh_token: bool = True, **kwargs: Any) -> dict[str, Any]:
        """Make the tokens and collect the writes: spend, family, refresh token, record."""
        desk, client = at_hand.get(), client_of(self.request)
        ground: Ground = desk.loaded
        answer, jti = person_tokens.access_token(desk, client, ground, ground.scope)
        insert, made, refresh_until = None, None, None
        if include_refresh_token:
            answer["refresh_token"], ((made, _, _, refresh_until, _), insert) = person_tokens.new_refresh(desk, ground)
        row = desk.row(person_tokens.issued("oauth.token.issued", client, ground, jti, ground.scope))
        family = (
            ground.family_id,
            ground.session_id,
            client.client_id,
            ground.account_id,
            ground.standing.provider_id,
            ground.line,
            ground.scope,
            ground.audience,
            ground.nonce,
            ground.claims,
        )

        def work() -> Work:
            spent = yield _SPEND, (ground.hash, desk.micros, ground.family_id)
            if not spent:
                return (yield from _lost(desk, ground))
            yield _INSERT_FAMILY, (*family, desk.micros)
            if insert is not None:
                yield from insert()
            yield from person_tokens.entered(ground)
            yield Append(row)
            return None

        values = (ground.hash, desk.micros, *family, made, refresh_until)
        desk.at_once = OneStatement(_AT_ONCE, values, [row], None) if ground.entry is None else None
        desk.work, desk.rests_on = work, person_tokens.rests_on(desk, ground)
        return answer

    def delete_authorization_code(self, authorization_code: Ground) -> None:
        """Nothing is deleted: the spent code must be known when it comes again."""


def _lost(desk: Desk, ground: Ground) -> Work:
    """Somebody else spent the code first, or the session has just ended."""
    rows = yield _FAMILY, (ground.hash,)
    if not rows:
        return Late("invalid_grant", "session_ended")
    yield from _reused(desk, ground.hash)
    return Late("invalid_grant", "The code was used before.")


def _reused(desk: Desk, code_hash: bytes) -> Work:
    [(family_id, account_id)] = yield _FAMILY, (code_hash,)
    event = Event("oauth.code.reused", account=account_id, outcome="refused", details={"family": family_id})
    yield Append(desk.row(event))
    yield from end_family(family_id, desk.micros, "code_reused", desk.row)
