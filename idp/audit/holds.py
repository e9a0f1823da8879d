"""Legal holds: while one is live, what it names is neither pruned nor shredded, whoever asks."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import CursorResult, bindparam, text, update
from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.audit import log, origin
from idp.audit.events import Event
from idp.audit.tables import AuditHold
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound

_ONE_HUMAN = text(
    "WITH RECURSIVE one(id) AS (SELECT CAST(id AS varchar) FROM account WHERE id IN :ids "
    "UNION SELECT CAST(CASE WHEN a.id = one.id THEN a.merged_into ELSE a.id END AS varchar) FROM account a "
    "JOIN one ON a.id = one.id OR a.merged_into = one.id WHERE a.merged_into IS NOT NULL) SELECT id FROM one"
).bindparams(bindparam("ids", expanding=True))
"""Accounts that were made one, in either direction, however often."""
_LOCK = 0x1D9_401D5
"""Number of PostgreSQL's advisory lock; on SQLite one transaction writes at a time."""
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(:lock)")


@dataclass(frozen=True, slots=True)
class Held:
    """What live holds name."""

    everything: bool
    accounts: frozenset[str]
    """Also every account that was made one with one of them, before the hold or since."""
    providers: frozenset[str]


def place(db: Session, reason: str, *, account: str | None = None, provider: str | None = None) -> str:
    """Hold the records of a person, of a practice, or (neither) the whole log; return the hold's id."""
    if not 3 <= len(reason.strip()) <= 500:
        raise Invalid(fields={"reason": "Say in 3 to 500 characters what the hold is for, such as a matter's number."})
    _alone(db)
    by = origin.current().actor_id or "operator"
    row = AuditHold(
        id=entropy.new_id("hld"), account_id=account, provider_id=provider, reason=reason.strip(), placed_by=by
    )
    db.add(row)
    log.record(db, Event("audit.hold.placed", account=account, provider=provider, details={"hold": row.id}))
    return row.id


def lift(db: Session, hold_id: str) -> None:
    """End a hold once; raise NotFound where none of that id is live."""
    by = origin.current().actor_id or "operator"
    live = (col(AuditHold.id) == hold_id, col(AuditHold.lifted_at).is_(None))
    done = db.execute(update(AuditHold).where(*live).values(lifted_at=clock.now(), lifted_by=by))
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise NotFound("There is no live hold of this id.")
    log.record(db, Event("audit.hold.lifted", details={"hold": hold_id}))


def live(db: Session) -> Sequence[AuditHold]:
    """Return the live holds, the oldest first."""
    return db.exec(
        select(AuditHold).where(col(AuditHold.lifted_at).is_(None)).order_by(col(AuditHold.created_at))
    ).all()


def held(db: Session) -> Held:
    """Return what the live holds name, for who is about to destroy something; none is placed until that is done."""
    _alone(db)
    rows = live(db)
    named = frozenset(row.account_id for row in rows if row.account_id is not None)
    same = db.execute(_ONE_HUMAN, {"ids": sorted(named)}).scalars() if named else ()
    return Held(
        any(row.account_id is None and row.provider_id is None for row in rows),
        named.union(same),
        frozenset(row.provider_id for row in rows if row.provider_id is not None),
    )


def _alone(db: Session) -> None:
    """Let destroying and placing a hold go one after the other: once a hold is acknowledged, nothing it names goes."""
    if not of(db).is_sqlite:
        db.execute(_ONE_AT_A_TIME, {"lock": _LOCK})


def refuse_held(db: Session, account: str) -> None:
    """Raise Conflict where a hold names the person, a practice of theirs in the log, or the whole log."""
    found = held(db)
    if found.everything or account in found.accounts:
        raise Conflict("A legal hold is on this person's records. Lift it first.")
    if found.providers and log.seen_at(db, account, found.providers):
        raise Conflict("A legal hold is on the records of a practice this person acted for. Lift it first.")
