"""Revocation (RFC 7009): a refresh token ends its family, an access token is refused until its end."""

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint

from idp.audit.events import Event
from idp.database.lane import Append, RestsOn, Sql, Work
from idp.oauth.client_facts import ClientFacts
from idp.oauth.desk import at_hand
from idp.oauth.family_end import COUNT, end_family
from idp.oauth.status_list.allotment import GIVE_BACK

_REVOKE = Sql(
    "INSERT INTO revoked_token (jti, expires_at, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1"
)
_ANNOUNCE = Sql(
    "INSERT INTO revocation (seq, kind, token_id, reason, at, created_at) "
    "VALUES ($1, 'token_revoked', $2, 'revoked_by_app', $3, $3)"
)


def _announce(jti: str, at: int) -> Work:
    """Number the news, last in the group's work, so that every app refuses the token at its next poll."""
    [(seq,)] = yield COUNT, ()
    yield _ANNOUNCE, (seq, jti, at)


@dataclass(slots=True)
class Given:
    """A genuine token of ours that is to be revoked, in force or not."""

    client_id: str
    family_id: str | None = None
    """Set for a refresh token."""
    jti: str | None = None
    """Set for an access token."""
    expires_at: int = 0
    """Microseconds, leeway included."""
    account_id: str | None = None
    listed: tuple[str, int] | None = None
    """Name of the status list an access token is in, and its place."""

    def check_client(self, client: ClientFacts) -> bool:
        """Say whether the token was made for the client."""
        return self.client_id == client.client_id


class Revocation(RevocationEndpoint):
    """Collects what is to be written; an unknown token is answered like a revoked one."""

    def check_params(self, request: Any, client: Any) -> None:
        """A hint we do not know is ignored (RFC 7009 2.2)."""
        if not request.form.get("token"):
            raise InvalidRequestError("token is missing.")
        desk = at_hand.get()
        desk.rests_on = RestsOn(desk.picture.epoch)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Given | None:
        """Return the token the web layer found."""
        loaded = at_hand.get().loaded
        return loaded if isinstance(loaded, Given) else None

    def revoke_token(self, token: Given, request: Any) -> None:
        """End the family, or note the access token's id until it would have ended; the feed tells either."""
        desk = at_hand.get()
        event = Event(
            "oauth.token.revoked",
            account=token.account_id,
            client=token.client_id,
            details={"family": token.family_id} if token.family_id else {"jti": token.jti},
        )

        def work() -> Work:
            if token.family_id is not None:
                yield from end_family(token.family_id, desk.micros, "revoked_by_app", desk.row)
            else:
                first = yield _REVOKE, (token.jti, token.expires_at, desk.micros)
                if first and token.listed is not None:
                    whose = (token.client_id, token.account_id)
                    yield GIVE_BACK, (*token.listed, *whose, token.expires_at, desk.micros)
                if first:
                    yield from _announce(str(token.jti), desk.micros)
            yield Append(desk.row(event))
            return None

        desk.work = work
