"""Give, change, pause and end access: the only writers of grants (invariant 6).

A grant is never edited. A change ends one and starts another; a pause is a second row that denies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CursorResult, or_, update
from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.accounts import families
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import rules
from idp.entitlements.tables import Absence, Assignment, Entitlement, Grant
from idp.errors import Conflict, Invalid
from idp.providers.tables import LINES
from idp.signals import epochs, revocations

AWAY = "leave"
"""Why a pause was made: the person is away."""
DESK = "case"
"""Why a pause was made: the security desk wants it. Only the desk ends it; what is given meanwhile rests too."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose access it is, for which organisation and line of business."""

    account_id: str
    provider_id: str
    line: str


def grant(
    db: Session,
    *,
    account_id: str,
    provider_id: str,
    line: str,
    entitlement: str,
    by: str,
    reason: str,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    assignment_id: str | None = None,
    delegation_id: str | None = None,
    grant_id: str | None = None,
    confirmed_by: str | None = None,
) -> Grant:
    """Give one function to a person for an organisation, a line and a time.

    `by` is the giving account, or `operator` or `system`; `confirmed_by` the second one,
    where two are needed. Raises Invalid when the function, line or
    interval is wrong, NotEntitled when this giver may not give this (rules.py).
    """
    place = Place(account_id, provider_id, line)
    given = _checked(db, place, entitlement, not_before, expires_at)
    rules.check(
        db,
        given,
        account_id=account_id,
        provider_id=provider_id,
        line=line,
        by=by,
        confirmed_by=confirmed_by,
        expires_at=expires_at,
    )
    made = _row(
        place,
        entitlement,
        "allow",
        by=by,
        reason=reason,
        not_before=not_before,
        expires_at=expires_at,
        grant_id=grant_id,
    )
    made.assignment_id, made.delegation_id = assignment_id, delegation_id
    db.add(made)
    db.flush()
    epochs.changed_account(db, account_id)
    more = {"confirmed_by": confirmed_by} if confirmed_by else {}
    _log(db, "entitlements.grant.added", made, by, reason, **more)
    for away in absences(db, place):  # what is given to somebody who is away rests with the rest
        suspend(db, place, [entitlement], by="system", reason=AWAY, starts_at=away.starts_at, until=away.ends_at)
    paused = desk_pauses(db, account_id, provider_id)
    if paused and not any((p.line_of_business, p.entitlement) == (line, entitlement) for p in paused):
        suspend(db, place, [entitlement], by="system", reason=DESK)
    return made


def replace(
    db: Session,
    old: Grant,
    *,
    by: str,
    reason: str,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
) -> Grant:
    """End one grant and start another for the same function; raise Conflict when it had ended meanwhile.

    Nothing is taken away when the new one holds from now on: tokens and sessions go on (decisions.md 3).
    """
    now = clock.now()
    starts = not_before or max(now, old.not_before)
    place = Place(old.account_id, old.provider_id, old.line_of_business)
    given = _checked(db, place, old.entitlement, starts, expires_at)
    shorter = (
        starts >= old.not_before and expires_at is not None and (old.expires_at is None or expires_at <= old.expires_at)
    )
    rules.check(
        db,
        given,
        account_id=place.account_id,
        provider_id=place.provider_id,
        line=place.line,
        by=by,
        confirmed_by="system" if shorter else None,  # what only ends sooner needs no second manager
        expires_at=expires_at,
    )
    if not _end_row(db, old, by, "replaced"):
        raise Conflict("This access was changed by somebody else meanwhile.")
    job = db.get(Assignment, old.assignment_id) if old.assignment_id else None
    if job is not None and job.ends_at != expires_at:
        _end_job(db, old)
    made = _row(place, old.entitlement, old.effect, by=by, reason=reason, not_before=starts, expires_at=expires_at)
    made.assignment_id, made.delegation_id = old.assignment_id, old.delegation_id
    db.add(made)
    db.flush()
    was_live = old.not_before <= now and (old.expires_at is None or now < old.expires_at)
    if old.effect == "allow" and was_live and starts > now:
        _taken_away(db, place, "grant_ended", reason)
    else:
        epochs.changed_account(db, place.account_id)
    _log(db, "entitlements.grant.replaced", made, by, reason, replaces=old.id)
    return made


def suspend(
    db: Session,
    place: Place,
    entitlements: Sequence[str],
    *,
    by: str,
    reason: str,
    starts_at: datetime | None = None,
    until: datetime | None = None,
) -> list[Grant]:
    """Pause functions of a person by rows that deny; what was granted stays as it is (domain.md 7)."""
    made = []
    for key in entitlements:
        _checked(db, place, key, starts_at, until)
        row = _row(place, key, "deny", by=by, reason=reason, not_before=starts_at, expires_at=until)
        db.add(row)
        made.append(row)
    if not made:
        return made
    db.flush()
    if starts_at is None or starts_at <= clock.now():
        _taken_away(db, place, "grant_suspended", reason)
    else:
        epochs.changed_account(db, place.account_id)
    for row in made:
        _log(db, "entitlements.grant.suspended", row, by, reason)
    return made


def absences(db: Session, place: Place) -> Sequence[Absence]:
    """Return a person's absences from a line of a practice that are not over, earliest first."""
    query = select(Absence).where(
        col(Absence.account_id) == place.account_id,
        col(Absence.provider_id) == place.provider_id,
        col(Absence.line) == place.line,
        col(Absence.ended_at).is_(None),
        or_(col(Absence.ends_at).is_(None), col(Absence.ends_at) > clock.now()),
    )
    return db.exec(query.order_by(col(Absence.starts_at), col(Absence.id))).all()


def desk_pauses(db: Session, account_id: str, provider_id: str | None = None) -> list[Grant]:
    """Return the pauses of the security desk, at one organisation or anywhere, that nobody has ended."""
    return [row for row in _not_ended(db, account_id, provider_id) if is_desk_pause(row)]


def _end_job(db: Session, row: Grant) -> None:
    if row.assignment_id is not None:
        db.execute(
            update(Assignment)
            .where(col(Assignment.id) == row.assignment_id, col(Assignment.ended_at).is_(None))
            .values(ended_at=clock.now())
        )


def is_desk_pause(row: Grant) -> bool:
    """Say whether a row is a pause that only the security desk ends."""
    return row.effect == "deny" and row.reason == DESK


def end(db: Session, ended: Grant, *, by: str, reason: str, of_job: bool = False) -> bool:
    """End a grant once; return False when it had ended before. The very next decision says no.

    Ending a pause gives access back and takes nothing away. Where the grant came of a job, the job ends with it
    (unless the job itself wants it, `of_job`): what is left stands by itself, and no later version of the job, no
    applied file and no merge gives back what was taken.
    """
    if not _end_row(db, ended, by, reason):
        return False
    if ended.effect == "allow" and not of_job:
        _end_job(db, ended)
    place = Place(ended.account_id, ended.provider_id, ended.line_of_business)
    if ended.effect == "deny":
        epochs.changed_account(db, place.account_id)
    else:
        _taken_away(db, place, "grant_ended", reason)
    _log(db, "entitlements.grant.ended", ended, by, reason)
    return True


def carry(db: Session, old: Grant, *, account_id: str, assignment_id: str | None, by: str, reason: str) -> Grant:
    """End a grant or a pause and begin the same one for another account of the same person (merging).

    Who gave it and until when stay; raise Conflict when it ended meanwhile.
    """
    if not _end_row(db, old, by, reason):
        raise Conflict("This access was changed by somebody else meanwhile.")
    place = Place(account_id, old.provider_id, old.line_of_business)
    starts = max(clock.now(), old.not_before)
    made = _row(
        place,
        old.entitlement,
        old.effect,
        by=old.granted_by,
        reason=old.reason,
        not_before=starts,
        expires_at=old.expires_at,
        grant_id=None,
    )
    made.assignment_id, made.delegation_id = assignment_id, old.delegation_id
    db.add(made)
    db.flush()
    if old.effect == "allow":
        _taken_away(db, Place(old.account_id, old.provider_id, old.line_of_business), "grant_ended", reason)
    epochs.changed_account(db, account_id)
    _log(db, "entitlements.grant.replaced", made, by, reason, replaces=old.id, carried_from=old.account_id)
    return made


def end_all_at(db: Session, account_id: str, provider_id: str, *, by: str, reason: str) -> int:
    """End everything a person was given at an organisation; return how many grants ended.

    A pause of the security desk outlives it: who leaves and comes back is still paused.
    """
    rows = _not_ended(db, account_id, provider_id)
    return sum(end(db, row, by=by, reason=reason) for row in rows if not is_desk_pause(row))


def end_all(db: Session, account_id: str, *, by: str, reason: str) -> int:
    """End everything a person was given anywhere; return how many grants ended."""
    return sum(end(db, row, by=by, reason=reason) for row in _not_ended(db, account_id, None))


def live(db: Session, account_id: str, provider_id: str, at: datetime) -> list[Grant]:
    """Return the grants and pauses of a person at an organisation in force at a moment."""
    found = db.exec(
        select(Grant)
        .where(
            col(Grant.account_id) == account_id,
            col(Grant.provider_id) == provider_id,
            col(Grant.not_before) <= at,
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > at),
            or_(col(Grant.ended_at).is_(None), col(Grant.ended_at) > at),
        )
        .order_by(col(Grant.entitlement), col(Grant.not_before), col(Grant.id))
    )
    return list(found)


def count_live(db: Session, account_id: str) -> int:
    """Return how many grants a person has that nobody ended."""
    return sum(1 for row in _not_ended(db, account_id, None) if row.effect == "allow")


def _not_ended(db: Session, account_id: str, provider_id: str | None) -> Sequence[Grant]:
    query = select(Grant).where(col(Grant.account_id) == account_id, col(Grant.ended_at).is_(None))
    if provider_id is not None:
        query = query.where(col(Grant.provider_id) == provider_id)
    return db.exec(query.order_by(col(Grant.id))).all()


def _checked(
    db: Session, place: Place, key: str, not_before: datetime | None, expires_at: datetime | None
) -> Entitlement:
    given = db.get(Entitlement, key)
    if given is None:
        raise Invalid(fields={"entitlement": f"There is no function called {key}."})
    if place.line not in LINES:
        raise Invalid(fields={"line": f"Choose one of {', '.join(LINES)}."})
    if expires_at is not None and expires_at <= (not_before or clock.now()):
        raise Invalid(fields={"expires_at": "The end must be after the start."})
    return given


def _row(
    place: Place,
    key: str,
    effect: str,
    *,
    by: str,
    reason: str,
    not_before: datetime | None,
    expires_at: datetime | None,
    grant_id: str | None = None,
) -> Grant:
    return Grant(
        id=grant_id or entropy.new_id("grt"),
        account_id=place.account_id,
        provider_id=place.provider_id,
        line_of_business=place.line,
        entitlement=key,
        effect=effect,
        not_before=not_before or clock.now(),
        expires_at=expires_at,
        granted_by=by,
        reason=reason,
    )


def _end_row(db: Session, row: Grant, by: str, reason: str) -> bool:
    now = clock.now()
    result = db.execute(
        update(Grant)
        .where(col(Grant.id) == row.id, col(Grant.ended_at).is_(None))
        .values(ended_at=now, ended_by=by, end_reason=reason)
    )
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _taken_away(db: Session, place: Place, kind: str, reason: str) -> None:
    epochs.changed_account(db, place.account_id, takes_away=True)
    families.end_of_person_at(db, place.account_id, place.provider_id, because=kind)
    revocations.announce(db, kind, reason=reason, account_id=place.account_id, provider_id=place.provider_id)


def _log(db: Session, event: str, row: Grant, by: str, reason: str, **more: str) -> None:
    log.record(
        db,
        Event(
            event,
            account=row.account_id,
            provider=row.provider_id,
            entitlement=row.entitlement,
            reason=reason,
            details={
                "grant": row.id,
                "line": row.line_of_business,
                "effect": row.effect,
                "from": clock.iso(row.not_before),
                "to": clock.iso(row.expires_at) if row.expires_at else None,
                "by": by,
                **more,
            },
        ),
    )
