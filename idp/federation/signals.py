"""An organization tells us a security event about one of its people (SETs of CAEP and RISC, pushed by RFC 8935).

It is believed about its own logins and nothing else: the login it names is held and what it opened ends. The person,
their other logins and their access stay as they are. What its own event held, its own event may let in again; so may
access support. An id works once; one that comes again is accepted (RFC 8935 asks for it) and does nothing.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import moved, sessions
from idp.accounts.tables import Login, Session
from idp.audit import log
from idp.audit.events import Event
from idp.cases import opening
from idp.database import transaction
from idp.errors import Refused
from idp.federation import hearing, upstreams
from idp.federation.contract import Signalled, TrustedUpstream
from idp.federation.flow import Federation

_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"
HELD_BY = frozenset(
    {_RISC + "account-disabled", _RISC + "account-purged", _RISC + "credential-compromise"}
    | {_RISC + "account-credential-change-required"}
)
"""Events that hold the login."""
SUSPECT = frozenset({_RISC + "credential-compromise", _RISC + "account-credential-change-required"})
"""Events that say somebody else may have the login: they open a case. An account turned off there is no suspicion."""
ENDED_BY = frozenset({_CAEP + "session-revoked", _RISC + "sessions-revoked"})
"""Events that end what the login opened, and no more."""
LET_IN_BY = _RISC + "account-enabled"
OLDEST = timedelta(hours=24)
"""An older event is refused: its id is remembered no longer."""
_ERRORS = {"issuer": "invalid_issuer", "audience": "invalid_audience", "unknown_key": "invalid_key"}


class SignalRefused(Refused):
    """The event must not be believed; `code` is one of RFC 8935 2.4."""

    status = 400
    code = "invalid_request"
    title = "This security event was not accepted"


@dataclass(frozen=True, slots=True)
class Heard:
    """What an event did: to how many logins and sessions. Nothing is fine: the person may be unknown here."""

    held: int = 0
    released: int = 0
    sessions: int = 0


def receive(federation: Federation, upstream_id: str, token: str) -> Heard:
    """Verify an event and do what it says. No transaction is open while keys are fetched.

    Raises SignalRefused, LoginPaused, NotFound.
    """
    told, said = hearing.understood(
        federation, upstream_id, lambda connector, told: connector.signalled(told, token), partial(_refuse, federation)
    )
    upstream = told.upstream
    if said.at < told.now - OLDEST:
        _refuse(federation, upstream, "too_old")
    with transaction(federation.database) as db:
        upstreams.trusted(db, upstream_id)
        if not hearing.first_time(db, upstream_id, said.jti, said.at + OLDEST + told.leeway):
            return Heard()
        return _done(db, upstream, said, told.leeway)


def _done(db: Db, upstream: TrustedUpstream, said: Signalled, leeway: timedelta) -> Heard:
    lets_in, knew = LET_IN_BY in said.events, said.at + leeway  # an event kept back says nothing of a later hold
    login = None
    if said.subject is not None:
        login = db.exec(
            select(Login).where(
                col(Login.upstream_id) == upstream.id,
                col(Login.issuer) == upstream.issuer,
                col(Login.subject) == said.subject,
                col(Login.ended_at).is_(None),
            )
        ).one_or_none()
    held = released = ended = 0
    if login is not None:
        if said.events & HELD_BY:
            held = int(moved.hold_for_organization(db, login.id, upstream.display_name))
        if said.events & SUSPECT:
            evidence = {"upstream": upstream.id, "jti": said.jti, "events": sorted(said.events), "login": login.id}
            opening.open_case(db, kind="takeover", source="partner", account_id=login.account_id, evidence=evidence)
        if said.events & ENDED_BY:
            ended = sum(sessions.end(db, one, because="ended_by_organization") for one in _opened(db, login, said.sid))
        theirs = login.held_at is not None and login.held_at <= knew and login.held_because == moved.ORGANIZATION
        if lets_in and not held and theirs:
            moved.release(db, login, by=f"upstream:{upstream.id}", because="organization")
            released = 1
    elif said.subject is not None and lets_in and not said.events & HELD_BY:
        moved.let_in_again(db, upstream.id, upstream.issuer, said.subject, knew)
    heard = Heard(held, released, ended)
    names = sorted(one.rpartition("/")[2][:60] for one in said.events)
    details: dict[str, Any] = {"upstream": upstream.id, "jti": said.jti, "events": names, "known": login is not None}
    details |= {"held": held, "released": released, "sessions": ended}
    account = login.account_id if login is not None else None
    log.record(db, Event("signals.partner.heard", account=account, details=details))
    return heard


def _opened(db: Db, login: Login, sid: str | None) -> list[Session]:
    """Return the live sessions of a login; of one session over there where it is named and was ever told to us."""
    live = db.exec(select(Session).where(col(Session.login_id) == login.id, col(Session.ended_at).is_(None))).all()
    return [one for one in live if sid is None or one.upstream_sid in (None, sid)]


def _refuse(federation: Federation, upstream: TrustedUpstream, reason: str) -> NoReturn:
    event = Event("signals.partner.refused", outcome="refused", reason=reason, details={"upstream": upstream.id})
    code = _ERRORS.get(reason.removeprefix("id_token_"), "invalid_request")
    with transaction(federation.database):
        raise SignalRefused("The event was not accepted.", code=code, then=(partial(log.record, event=event),))
