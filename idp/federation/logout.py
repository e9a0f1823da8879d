"""An upstream ends a sign-in of its people (OpenID Connect Back-Channel Logout 1.0), and ours tell it of an end.

A logout token only takes away: the sessions it names end with their tokens, refresh tokens too.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NoReturn
from urllib.parse import urlencode

from sqlalchemy import text
from sqlmodel import Session as Db
from sqlmodel import col, or_, select

from idp import clock, configuration
from idp.accounts import sessions
from idp.accounts.tables import Login, Session
from idp.audit import log
from idp.audit.events import Event
from idp.database import reading, transaction
from idp.errors import Refused
from idp.federation import upstreams
from idp.federation.contract import AnswerRefused, SignedOut, Told, TrustedUpstream
from idp.federation.flow import Federation
from idp.outbound import OutboundFailed

LONGEST = timedelta(hours=1)
"""A logout token that claims to live longer is refused: its id has to be remembered that long."""
_SEEN = text(
    "INSERT INTO seen_logout (upstream_id, jti, expires_at, created_at) VALUES (:u, :j, :e, :now) "
    "ON CONFLICT DO NOTHING RETURNING 1"
)


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
    with reading(federation.database) as db:
        upstream = upstreams.trusted(db, upstream_id)
        clocks = configuration.current(db).clocks
    told = Told(upstream, clock.now(), clocks.leeway, clocks.upstream_metadata)
    try:
        with federation.breaker.call(upstream_id):
            said = federation.connector(upstream.kind).signed_out(told, token)
    except (AnswerRefused, OutboundFailed) as problem:
        _refuse(federation, upstream, problem.reason)
    if said.expires_at - told.now > LONGEST:
        _refuse(federation, upstream, "lifetime")
    with transaction(federation.database) as db:
        upstreams.trusted(db, upstream_id)
        ends = clock.micros(said.expires_at + clocks.leeway)
        fresh = db.execute(_SEEN, {"u": upstream_id, "j": said.jti, "e": ends, "now": clock.micros(told.now)}).all()
        if not fresh:
            raise LogoutRefused("This logout token was used before.", then=(_event(upstream, "replayed"),))
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
        raise LogoutRefused("The logout token was not accepted.", then=(_event(upstream, reason),))


def _event(upstream: TrustedUpstream, reason: str) -> "partial[None]":
    event = Event("federation.logout.refused", outcome="refused", reason=reason, details={"upstream": upstream.id})
    return partial(log.record, event=event)


def address_to_sign_out(federation: Federation, upstream_id: str, *, come_back: str) -> str | None:
    """Return where a person signs out at their organization too (RP-Initiated Logout 1.0), if it is known now.

    Asks nobody: the organization's metadata were read when the person signed in. No ID token is sent along, for we
    keep none (T-28); the organization may ask for a click.
    """
    with reading(federation.database) as db:
        upstream = upstreams.trusted(db, upstream_id)
        clocks = configuration.current(db).clocks
    told = Told(upstream, clock.now(), clocks.leeway, clocks.upstream_metadata)
    endpoint = federation.connector(upstream.kind).end_session(told)
    if endpoint is None:
        return None
    query = urlencode({"client_id": upstream.client_id, "post_logout_redirect_uri": come_back})
    return endpoint + ("&" if "?" in endpoint else "?") + query
