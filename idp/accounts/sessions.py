"""Browser sessions: opened at sign-in, checked at the server each time, ended for a reason.

The cookie holds a 256-bit secret of which only the hash is stored; the id is the `sid` of tokens
(security.md 17 to 22).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Protocol

import orjson
from sqlalchemy import CursorResult, text, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy
from idp.accounts import devices, pending_merges
from idp.accounts.assurance import absolute_limit, idle_limit, meets
from idp.accounts.tables import Session
from idp.audit import log
from idp.audit.events import Event
from idp.database.lane import Sql, Work
from idp.partners import standing
from idp.signals import credentials, revocations

FOREVER = datetime.max.replace(tzinfo=UTC)
_OWN_WISH = frozenset({"signed_out", "signed_out_by_owner"})
_REPLACED = "replaced"
"""The same browser signed in anew, as itself or as somebody else."""
_SEEN_EVERY = timedelta(seconds=15)
"""A look at a page writes `last_seen_at` at most this often: a tenth of a second of writing saved per click."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session and the secret its cookie carries; the secret is nowhere else."""

    session: Session
    secret: str


def hash_of(secret: str) -> bytes:
    """Return what is stored of a cookie's secret."""
    return sha256(secret.encode()).digest()


def open_session(
    db: Db,
    *,
    account_id: str,
    login_id: str,
    acr: str,
    amr: list[str],
    auth_time: datetime | None = None,
    factor_time: datetime | None = None,
    partner_id: str | None = None,
    upstream_sid: str | None = None,
    device_id: str | None = None,
    channel: str = "site",
    replaces: Session | None = None,
    until: datetime | None = None,
) -> Opened:
    """Open a session for a person who has just proved a login; a session it replaces dies (security.md 18).

    `until`: a limit it may not outlive, because its strength was proved in an earlier session.
    """
    clocks = configuration.current(db).clocks
    now = clock.now()
    if replaces is not None:
        end(db, replaces, because=_REPLACED, by=account_id)
    secret = entropy.token()
    opened = Session(
        token_hash=hash_of(secret),
        account_id=account_id,
        login_id=login_id,
        partner_id=partner_id,
        upstream_sid=upstream_sid,
        acr=acr,
        amr=amr,
        auth_time=auth_time or now,
        factor_time=factor_time,
        device_id=device_id,
        channel=channel,
        last_seen_at=now,
        expires_at=min(now + absolute_limit(clocks, acr), until or FOREVER),
    )
    db.add(opened)
    db.flush()
    return Opened(opened, secret)


def strengthen(db: Db, session: Session, *, acr: str, amr: list[str], signed_in_again: bool = False) -> str:
    """Record a second factor or a repeated sign-in on a live session; return its new secret.

    The id stays, so tokens keep their `sid`; the old cookie value dies (security.md 18). A strength that rises
    brings its own limit, counted from now at most, and never a longer session than the longer of the two limits.
    """
    secret = entropy.token()
    now = clock.now()
    session.token_hash = hash_of(secret)
    session.auth_time = now if signed_in_again else session.auth_time
    if not meets(session.acr, acr):
        clocks = configuration.current(db).clocks
        new, old = absolute_limit(clocks, acr), absolute_limit(clocks, session.acr)
        session.expires_at = min(session.created_at + max(new, old), now + new)
        credentials.stronger(db, session.account_id, session.id, before=session.acr, now=acr)
        session.acr = acr
    session.amr = sorted({*session.amr, *amr})
    session.factor_time = now
    session.last_seen_at = now
    db.add(session)
    db.flush()
    return secret


class InForce(Protocol):
    """What of a session says whether it is in force."""

    @property
    def acr(self) -> str:
        """How strongly the person signed in."""

    @property
    def ended_at(self) -> datetime | None:
        """When it was ended."""

    @property
    def expires_at(self) -> datetime:
        """When it ends by itself."""

    @property
    def last_seen_at(self) -> datetime:
        """When the person was last there."""


def alive(session: InForce, clocks: configuration.Clocks, at: datetime) -> bool:
    """Say whether a session is in force at a moment: not ended, not idle too long, not past its limit."""
    return (
        session.ended_at is None
        and at < session.expires_at
        and at < session.last_seen_at + idle_limit(clocks, session.acr)
    )


def find(db: Db, secret: str) -> Session | None:
    """Return the live session of a cookie; None for unknown, ended, idle or over-age ones."""
    session = db.exec(select(Session).where(col(Session.token_hash) == hash_of(secret))).one_or_none()
    if session is None or not alive(session, configuration.current(db).clocks, clock.now()):
        return None
    if not standing.in_good_standing(db, session.partner_id):
        return None  # asked at every use, whether or not somebody also ended the session (security.md 35)
    if not way_in_stands(*db.execute(_WAY_IN, {"login": session.login_id}).one()):
        return None
    return session


_WAY_IN = text(
    "SELECT COALESCE(l.ended_at, l.held_at), u.status FROM login l "
    "LEFT JOIN upstream u ON u.id = l.upstream_id WHERE l.id = :login"
)


def way_in_stands(login_shut: object, upstream_status: str | None) -> bool:
    """Say whether the login a session was opened with is one: neither ended nor held, its organization's in use.

    Asked at every use: a sign-in of the moment of a hold is not among the sessions that were ended.
    """
    return login_shut is None and upstream_status in (None, "active")


_INSERT = Sql(
    "INSERT INTO session (id, token_hash, account_id, login_id, acr, amr, auth_time, device_id, channel, last_seen_at, "
    "expires_at, created_at, factor_time, partner_id, upstream_sid) "
    "VALUES ($1, $2, $3, $4, $5, $6, $12, $8, $9, $7, $10, $7, $11, $13, $14)"
)


@dataclass(frozen=True, slots=True)
class Fresh:
    """A session about to be opened in the lane for a person who has just proved a login."""

    id: str
    secret: str = field(repr=False)
    account_id: str
    login_id: str
    acr: str
    amr: tuple[str, ...]
    device_id: str
    channel: str
    auth_time: datetime | None = None
    """When an organization says that it authenticated the person; None where that was just now."""
    factor_time: datetime | None = None
    until: datetime | None = None
    """A limit it may not outlive, because its strength was proved in an earlier session."""
    partner_id: str | None = None
    upstream_sid: str | None = None


def insert(fresh: Fresh, clocks: configuration.Clocks, now: datetime) -> Work:
    """Open a session as `open_session` does, in a group of the lane; it replaces none."""
    yield (
        _INSERT,
        (
            fresh.id,
            hash_of(fresh.secret),
            fresh.account_id,
            fresh.login_id,
            fresh.acr,
            orjson.dumps(fresh.amr).decode(),
            clock.micros(now),
            fresh.device_id,
            fresh.channel,
            clock.micros(min(now + absolute_limit(clocks, fresh.acr), fresh.until or FOREVER)),
            None if fresh.factor_time is None else clock.micros(fresh.factor_time),
            clock.micros(fresh.auth_time or now),
            fresh.partner_id,
            fresh.upstream_sid,
        ),
    )


_SAW = Sql("UPDATE session SET last_seen_at = $2 WHERE id = $1 AND ended_at IS NULL")


def is_due(last_seen_at: datetime, now: datetime) -> bool:
    """Say whether `last_seen_at` has to be written again."""
    return now - last_seen_at >= _SEEN_EVERY


def saw_in_lane(session_id: str, now: datetime) -> Work:
    """Note that the person is still there, as `saw` does, in a group of the lane."""
    yield _SAW, (session_id, clock.micros(now))


def saw(db: Db, session: Session) -> None:
    """Note that the person is still there; the one idle clock of pages, authorize and refresh."""
    now = clock.now()
    if is_due(session.last_seen_at, now):
        db.execute(
            update(Session)
            .where(col(Session.id) == session.id, col(Session.ended_at).is_(None))
            .values(last_seen_at=now)
        )
        session.last_seen_at = now


def end(db: Db, session: Session, *, because: str, by: str | None = None) -> bool:
    """End a session once; its tokens end with it. Returns False when it had ended before."""
    result = db.execute(
        update(Session)
        .where(col(Session.id) == session.id, col(Session.ended_at).is_(None))
        .values(ended_at=clock.now(), ended_because=because)
    )
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        return False
    if because != _REPLACED:
        pending_merges.let_go(db, session.account_id)
    if because in _OWN_WISH and session.device_id is not None:
        devices.ask_again(db, session.account_id, session.device_id)
    log.record(
        db,
        Event(
            "accounts.session.ended", account=session.account_id, session=session.id, reason=because, details={"by": by}
        ),
    )
    revocations.announce(db, "session_ended", reason=because, account_id=session.account_id, session_id=session.id)
    return True


def end_all(db: Db, account_id: str, *, because: str, by: str | None = None, keep: str | None = None) -> int:
    """End every live session of an account (but `keep`); return how many ended. No device stays remembered."""
    devices.ask_again(db, account_id)
    pending_merges.let_go(db, account_id)
    live = db.exec(select(Session).where(col(Session.account_id) == account_id, col(Session.ended_at).is_(None))).all()
    return sum(end(db, session, because=because, by=by) for session in live if session.id != keep)


def end_all_of_login(db: Db, login_id: str, *, because: str, by: str | None = None) -> int:
    """End every live session that was opened with a login."""
    live = db.exec(select(Session).where(col(Session.login_id) == login_id, col(Session.ended_at).is_(None))).all()
    return sum(end(db, session, because=because, by=by) for session in live)


def live_of(db: Db, account_id: str) -> list[Session]:
    """Return an account's sessions in force, newest use first."""
    clocks = configuration.current(db).clocks
    found = db.exec(
        select(Session)
        .where(col(Session.account_id) == account_id, col(Session.ended_at).is_(None))
        .order_by(col(Session.last_seen_at).desc())
    ).all()
    return [session for session in found if alive(session, clocks, clock.now())]


def end_all_of_partner(db: Db, partner_id: str, *, because: str) -> int:
    """End every live session born from a partner's logins (decisions.md 3)."""
    live = db.exec(select(Session).where(col(Session.partner_id) == partner_id, col(Session.ended_at).is_(None))).all()
    return sum(end(db, session, because=because) for session in live)
