"""refresh_token: rotated at every use; a second use of one ends its family (RFC 6749 6, security.md 44)."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError

from idp.audit.events import Event
from idp.database.lane import Append, Merged, OneStatement, Sql, Work
from idp.oauth import liveness, person_tokens
from idp.oauth.audiences import InvalidTarget
from idp.oauth.desk import Asked, Desk, Late, at_hand, client_of
from idp.oauth.family_end import end_family
from idp.oauth.person_tokens import Ground

_MORE = (
    ", r.client_id, r.family_id, r.expires_at, r.spent_at, rf.session_id, rf.scope, rf.resource, rf.line, rf.nonce, "
    "rf.provider_id"
)
_WIDTH = 10
LOAD = liveness.statement(
    start="LEFT JOIN refresh_token r ON r.token_hash = $4 LEFT JOIN token_family rf ON rf.id = r.family_id",
    account="rf.account_id",
    session="rf.session_id",
    family="rf.id",
    provider="rf.provider_id",
    more=_MORE + liveness.PERSON,
)
"""$1 to $3 as liveness.moments gives them, $4 the token's hash."""
_SEEN = Sql("UPDATE session SET last_seen_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING 1")
_SPEND = Sql(
    "UPDATE refresh_token SET spent_at = $2 WHERE token_hash = $1 AND spent_at IS NULL AND EXISTS "
    "(SELECT 1 FROM token_family f WHERE f.id = refresh_token.family_id AND f.ended_at IS NULL) RETURNING 1"
)
_AT_ONCE = Merged(
    columns=(
        ("session_id", "text"),
        ("spent", "bytea"),
        ("at", "bigint"),
        ("made", "bytea"),
        ("family_id", "text"),
        ("client_id", "text"),
        ("expires_at", "bigint"),
    ),
    key=0,
    steps="""taken AS (UPDATE refresh_token r SET spent_at = g.at FROM given g
        WHERE r.token_hash = g.spent AND g.n IN (SELECT n FROM fresh) AND r.spent_at IS NULL
        AND (SELECT f.ended_at IS NULL FROM token_family f WHERE f.id = r.family_id) RETURNING g.n),
      done AS (UPDATE session s SET last_seen_at = g.at FROM given g
        WHERE s.id = g.session_id AND g.n IN (SELECT n FROM taken) AND s.ended_at IS NULL RETURNING g.n),
      made AS (INSERT INTO refresh_token (token_hash, family_id, client_id, expires_at, created_at)
        SELECT g.made, g.family_id, g.client_id, g.expires_at, g.at FROM given g WHERE g.n IN (SELECT n FROM done))""",
)
"""The three statements of a refresh that nobody disputes, for a group of them."""
_SPENT = Sql("SELECT 1 FROM refresh_token WHERE token_hash = $1 AND spent_at IS NOT NULL")


_SESSION_ENDED = Late("invalid_grant", "session_ended")


def hash_of(token: str) -> bytes:
    """Return what is stored of a refresh token."""
    return sha256(token.encode()).digest()


def ground_of(row: Sequence[Any], token_hash: bytes) -> Ground | None:
    """Return what a refresh token stands for; None for an unknown one."""
    more = liveness.added(row)
    client_id, family_id, expires_at, spent_at, session_id, scope, resource, line, nonce, _provider = more[:_WIDTH]
    if client_id is None or session_id is None:
        return None
    found = liveness.standing(row)
    person = more[_WIDTH:]
    return Ground(
        standing=found,
        hash=token_hash,
        client_id=client_id,
        session_id=session_id,
        family_id=family_id,
        scope=scope,
        audience=resource,
        line=line,
        nonce=nonce,
        claims=person[-1],
        acr=found.acr or "",
        auth_time=found.auth_time or 0,
        expires_at=expires_at,
        spent=spent_at is not None,
        person=person,
    )


class RefreshTokenGrant(grants.RefreshTokenGrant):
    """Every use is checked like a sign-in, counts as activity, and gives a new token."""

    request: Asked

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        """Return what the token stands for; a spent one ends its family."""
        desk, client = self.request.desk, client_of(self.request)
        ground = desk.loaded
        if ground is None or ground.client_id != client.client_id:
            return None
        if ground.spent:
            desk.work = lambda: _reused(desk, ground)
            raise InvalidGrantError("The refresh token was used before.")
        if desk.micros >= ground.expires_at:
            raise InvalidGrantError("The refresh token has expired.")
        data = self.request.payload.data
        if data.get("acting_for", ground.standing.provider_id) != ground.standing.provider_id:
            raise InvalidRequestError("acting_for cannot change on refresh.")
        if data.get("resource", ground.audience) != ground.audience:
            raise InvalidTarget("The refresh token was not given for this resource.")
        assert isinstance(ground, Ground)
        return ground

    def authenticate_user(self, refresh_token: Ground) -> str:
        """Ask again for everything the tokens rest on; a refusal carries its reason."""
        desk, client = self.request.desk, client_of(self.request)
        found = refresh_token.standing
        reason = liveness.refusal(found, client, desk.picture, desk.now, for_provider=found.provider_id)
        if reason is not None:
            raise InvalidGrantError(reason)
        return refresh_token.account_id

    def generate_token(self, *args: Any, scope: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Make the tokens and collect the writes: activity, spend, successor, record."""
        desk, client = at_hand.get(), client_of(self.request)
        ground: Ground = desk.loaded
        given = scope or ground.scope
        answer, jti = person_tokens.access_token(desk, client, ground, given)
        answer["refresh_token"], (made, insert) = person_tokens.new_refresh(desk, ground)
        row = desk.row(person_tokens.issued("oauth.token.refreshed", client, ground, jti, given))

        def work() -> Work:
            spent = yield _SPEND, (ground.hash, desk.micros)
            if not spent:
                return (yield from _lost(desk, ground))
            seen = yield _SEEN, (ground.session_id, desk.micros)
            if not seen:
                return _SESSION_ENDED
            yield from insert()
            yield from person_tokens.entered(ground)
            yield Append(row)
            return None

        values = (ground.session_id, ground.hash, desk.micros, *made[:4])
        desk.at_once = OneStatement(_AT_ONCE, values, [row], _SESSION_ENDED) if ground.entry is None else None
        desk.work, desk.rests_on = work, person_tokens.rests_on(desk, ground)
        return answer

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """The old token was spent by the same commit."""


def _lost(desk: Desk, ground: Ground) -> Work:
    """Somebody else spent the token first, or the family has just ended."""
    spent = yield _SPENT, (ground.hash,)
    if not spent:
        return Late("invalid_grant", "family_ended")
    yield from _reused(desk, ground)
    return Late("invalid_grant", "The refresh token was used before.")


def _reused(desk: Desk, ground: Ground) -> Work:
    event = Event(
        "oauth.refresh.reused",
        account=ground.standing.account_id,
        client=ground.client_id,
        session=ground.session_id,
        outcome="refused",
        details={"family": ground.family_id},
    )
    yield Append(desk.row(event))
    yield from end_family(ground.family_id, desk.micros, "refresh_reused", desk.row)
