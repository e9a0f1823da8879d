"""Pairs that must not be in one person's hands, and exceptions: asked for by one of the staff, confirmed by another."""

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import duties, grants
from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.duty_tables import DutyConflict, DutyException
from idp.entitlements.tables import Entitlement, Grant
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.leaving import telling
from idp.notices import outbox
from idp.providers.tables import LINES, Affiliation, Provider

LONGEST = timedelta(days=366)


def add_pair(db: Session, one: str, other: str, *, why: str, by: str) -> DutyConflict:
    """Forbid two functions to one person from now on; who holds both keeps them and is marked in reviews.

    Raises Invalid for unknown or equal functions or no reason, Conflict for a pair that stands already.
    """
    if not why.strip() or len(why) > 200:
        raise Invalid(fields={"why": "Say why in one sentence, at most 200 characters."})
    if one == other or db.get(Entitlement, one) is None or db.get(Entitlement, other) is None:
        raise Invalid(fields={"first": "Choose two different functions."})
    first, second = sorted((one, other))
    if any((row.first, row.second) == (first, second) for row in duties.pairs(db)):
        raise Conflict("This pair stands already.")
    made = DutyConflict(first=first, second=second, why=why.strip(), added_by=by)
    db.add(made)
    db.flush()
    _log_pair(db, "entitlements.duty.added", made, by)
    return made


def end_pair(db: Session, pair_id: str, *, by: str) -> None:
    """Allow a pair again, for everybody; raise NotFound, or Conflict when it was ended before."""
    row = db.get(DutyConflict, pair_id)
    if row is None:
        raise NotFound
    ended = db.execute(
        update(DutyConflict)
        .where(col(DutyConflict.id) == pair_id, col(DutyConflict.ended_at).is_(None))
        .values(ended_at=clock.now(), ended_by=by)
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        raise Conflict("This pair was ended already.")
    _log_pair(db, "entitlements.duty.ended", row, by)


def ask(
    db: Session, *, pair_id: str, account_id: str, provider_id: str, line: str, reason: str, ends_at: datetime, by: str
) -> DutyException:
    """Ask that one person may hold a pair at one place until a day; it holds nothing before `confirm`.

    Raises NotFound for somebody who does not work there, Invalid for a wrong line, day or no reason,
    NotEntitled for oneself.
    """
    conflict, now = db.get(DutyConflict, pair_id), clock.now()
    works = db.exec(
        select(Affiliation.id).where(
            col(Affiliation.account_id) == account_id,
            col(Affiliation.provider_id) == provider_id,
            col(Affiliation.ended_at).is_(None),
        )
    ).first()
    if conflict is None or conflict.ended_at is not None or works is None:
        raise NotFound
    fields = {}
    if line not in LINES:
        fields["line"] = "Choose a line of business."
    if not reason.strip() or len(reason) > 200:
        fields["reason"] = "Say why, in at most 200 characters."
    if not now < ends_at <= now + LONGEST:
        fields["until"] = "Enter a day to come, at most a year from now."
    if fields:
        raise Invalid(fields=fields)
    if account_id == by:
        raise NotEntitled("Nobody asks for an exception for themselves.", code="may_not_give")
    made = DutyException(
        conflict_id=pair_id,
        account_id=account_id,
        provider_id=provider_id,
        line=line,
        reason=reason.strip(),
        ends_at=ends_at,
        asked_by=by,
    )
    db.add(made)
    db.flush()
    _log(db, "entitlements.duty.exception_asked", made, by)
    return made


def confirm(db: Session, exception: DutyException, *, by: str) -> None:
    """Let it hold: the word of a second person. Raises NotEntitled for the first or the person, Conflict when over."""
    if by in (exception.asked_by, exception.account_id):
        raise NotEntitled("A second person has to confirm this.", code="may_not_give")
    _once(db, exception, confirmed_by=by, confirmed_at=clock.now())
    _log(db, "entitlements.duty.exception_confirmed", exception, by)


def end(db: Session, exception: DutyException, *, by: str) -> None:
    """Take an exception back: of a pair the person holds by it, what came later ends at once; all hear of it."""
    ended = db.execute(
        update(DutyException)
        .where(col(DutyException.id) == exception.id, col(DutyException.ended_at).is_(None))
        .values(ended_at=clock.now(), ended_by=by)
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        raise Conflict("This exception was taken back already.")
    db.refresh(exception)
    _log(db, "entitlements.duty.exception_ended", exception, by)
    pair = db.get(DutyConflict, exception.conflict_id)
    others = duties.in_force(db, exception.account_id, exception.provider_id, exception.line)
    if pair is not None and exception.confirmed_at is not None and pair.id not in others:
        _undo(db, exception, pair, by=by)


def _undo(db: Session, exception: DutyException, pair: DutyConflict, *, by: str) -> None:
    """End what a person holds of a pair beside the other, the later of the two: that was given by the exception."""
    rows = db.exec(
        select(Grant).where(
            col(Grant.account_id) == exception.account_id,
            col(Grant.provider_id) == exception.provider_id,
            col(Grant.line_of_business) == exception.line,
            col(Grant.entitlement).in_((pair.first, pair.second)),
            col(Grant.effect) == "allow",
            col(Grant.ended_at).is_(None),
        )
    ).all()
    held = {row.entitlement for row in rows}
    if pair.first in AUTHORITY or pair.second in AUTHORITY:  # an appointment is not given by an exception
        held |= {pair.first, pair.second} & AUTHORITY
    if held != {pair.first, pair.second}:
        return
    latest = max(rows, key=lambda row: (row.created_at, row.id)).entitlement
    for row in rows:
        if row.entitlement == latest:
            grants.end(db, row, by=by, reason="duty_exception_ended")
    person, provider, function = (
        db.get(Account, exception.account_id),
        db.get(Provider, exception.provider_id),
        db.get(Entitlement, latest),
    )
    facts = {
        "name": person.display_name if person else "",
        "provider": provider.name if provider else "",
        "function": function.name if function else latest,
        "why": pair.why,
    }
    for account_id in sorted({exception.account_id} | telling.managers_of(db, exception.provider_id, exception.line)):
        outbox.send(db, account_id, "duty_exception_over", facts)


def find(db: Session, exception_id: str) -> DutyException:
    """Return an exception or raise NotFound."""
    found = db.get(DutyException, exception_id, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def listed(db: Session) -> list[tuple[DutyException, DutyConflict, str]]:
    """Return the exceptions that hold or wait, soonest end first, each with its pair and the person's name."""
    rows = db.exec(
        select(DutyException, DutyConflict, Account.display_name)
        .join(DutyConflict, col(DutyConflict.id) == col(DutyException.conflict_id))
        .join(Account, col(Account.id) == col(DutyException.account_id))
        .where(col(DutyException.ended_at).is_(None), col(DutyException.ends_at) > clock.now())
        .order_by(col(DutyException.ends_at), col(DutyException.id))
    ).all()
    return [(exception, pair, name) for exception, pair, name in rows]


def _once(db: Session, exception: DutyException, **values: object) -> None:
    done = db.execute(
        update(DutyException)
        .where(
            col(DutyException.id) == exception.id,
            col(DutyException.confirmed_at).is_(None),
            col(DutyException.ended_at).is_(None),
            col(DutyException.ends_at) > clock.now(),
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise Conflict("This was confirmed, taken back, or is over already.")
    db.refresh(exception)


def _log_pair(db: Session, event: str, row: DutyConflict, by: str) -> None:
    details = {"pair": row.id, "first": row.first, "second": row.second, "by": by}
    log.record(db, Event(event, reason=row.why, details=details))


def _log(db: Session, event: str, row: DutyException, by: str) -> None:
    details = {"exception": row.id, "pair": row.conflict_id, "line": row.line, "to": clock.iso(row.ends_at), "by": by}
    log.record(db, Event(event, account=row.account_id, provider=row.provider_id, reason=row.reason, details=details))
