"""An upstream ends a sign-in of its people (OpenID Connect Back-Channel Logout 1.0, SAML single logout).

A logout token only takes away: the sessions it names end with their tokens, refresh tokens too.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NoReturn

from sqlmodel import Session as Db
from sqlmodel import col, or_, select

from idp.accounts import sessions
from idp.accounts.tables import Login, Session
from idp.audit import log
from idp.audit.events import Event
from idp.database import transaction
from idp.errors import Refused
from idp.federation import hearing, upstreams
from idp.federation.contract import SignedOut, TrustedUpstream
from idp.federation.flow import Federation

LONGEST = timedelta(hours=1)
"""A logout token that claims to live longer is refused: its id has to be remembered that long."""


class LogoutRefused(Refused):
    """The logout token must not be believed (Back-Channel Logout 1.0, 2.6 and 2.8)."""

    status = 400
    code = "invalid_request"
    title = "This logout token was not accepted"


@dataclass(frozen=True, slots=True)
class Ended:
    """How many sessions a logout token ended; none is fine, the person may have gone before."""

    sessions: int


def receive(federation: Federation, upstream_id: str, token: str) -> Ended:
    """Verify a logout token and end what it names. No transaction is open while keys are fetched.

    Raises LogoutRefused, LoginPaused, NotFound.
    """
    told, said = hearing.understood(
        federation, upstream_id, lambda connector, told: connector.signed_out(told, token), partial(_refuse, federation)
    )
    upstream = told.upstream
    if said.expires_at - told.now > LONGEST:
        _refuse(federation, upstream, "lifetime")
    with transaction(federation.database) as db:
        upstreams.trusted(db, upstream_id)
        if not hearing.first_time(db, upstream_id, said.jti, said.expires_at + told.leeway):
            raise LogoutRefused("This logout token was used before.", then=(refused(upstream, "replayed"),))
        found = _named(db, upstream, said)
        ended = sum(sessions.end(db, one, because="signed_out_at_organization") for one in found)
        details = {"upstream": upstream.id, "sessions": ended, "by": "sid" if said.sid else "sub"}
        log.record(db, Event("federation.logout.received", details=details))
    return Ended(ended)


def _named(db: Db, upstream: TrustedUpstream, said: SignedOut) -> list[Session]:
    """Return the live sessions a token names: by session, by person, by both where both are given."""
    query = (
        select(Session)
        .join(Login, col(Login.id) == col(Session.login_id))
        .where(col(Login.upstream_id) == upstream.id, col(Session.ended_at).is_(None))
    )
    if said.subject is not None:
        query = query.where(col(Login.subject) == said.subject)
    if said.sid is not None:
        mine = col(Session.upstream_sid) == said.sid
        # One whose name over there we were never told is this person's too: better signed out than left open.
        query = query.where(or_(mine, col(Session.upstream_sid).is_(None)) if said.subject is not None else mine)
    return list(db.exec(query).all())


def _refuse(federation: Federation, upstream: TrustedUpstream, reason: str) -> NoReturn:
    with transaction(federation.database):
        raise LogoutRefused("The logout token was not accepted.", then=(refused(upstream, reason),))


def refused(upstream: TrustedUpstream, reason: str) -> "partial[None]":
    """Return the record of a refusal, as a consequence that stays."""
    event = Event("federation.logout.refused", outcome="refused", reason=reason, details={"upstream": upstream.id})
    return partial(log.record, event=event)
