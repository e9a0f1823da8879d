"""Pauses: rows that deny for a time what stays granted, and who may end them (domain.md 7).

What is given to somebody who is away, or whom the security desk paused, rests with the rest.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, or_, select

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import appointed, grant_rows
from idp.entitlements.defaults import AUTHORITY, DESK_PAUSE, FROM_APPOINTMENT
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Absence, Appointment, Grant
from idp.signals import epochs

AWAY = "leave"
"""Why a pause was made: the person is away."""
DESK = "case"
"""Why a pause was made: the security desk wants it. Only the desk ends it; what is given meanwhile rests too.

A role of access manager rests by the same rows, about what an appointment brings: it stays, and can't be used.
"""


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
    if not AUTHORITY.isdisjoint(entitlements):
        appointed.hold(db, account_id=place.account_id, provider_id=place.provider_id, line=place.line)
    for key in entitlements:
        grant_rows.checked(db, place, key, starts_at, until)
        row = grant_rows.row_of(
            place,
            key,
            "deny",
            by=by,
            reason=reason,
            not_before=starts_at,
            expires_at=until,
            grant_id=new_id(reason),
        )
        db.add(row)
        made.append(row)
    if not made:
        return made
    db.flush()
    if starts_at is None or starts_at <= clock.now():
        grant_rows.taken_away(db, place, "grant_suspended", reason)
    else:
        epochs.changed_account(db, place.account_id)
    for row in made:
        grant_rows.record(db, "entitlements.grant.suspended", row, by, reason)
    return made


def absences(db: Session, place: Place) -> Sequence[Absence]:
    """Return a person's absences from a line of a practice that are not over, earliest first."""
    now, found = clock.now(), open_absences(db, place.account_id, place.provider_id)
    return [row for row in found if row.line == place.line and (row.ends_at is None or row.ends_at > now)]


def open_absences(db: Session, account_id: str, provider_id: str | None = None) -> Sequence[Absence]:
    """Return a person's absences, from one organisation or anywhere, that nobody has ended, earliest first."""
    query = select(Absence).where(col(Absence.account_id) == account_id, col(Absence.ended_at).is_(None))
    if provider_id is not None:
        query = query.where(col(Absence.provider_id) == provider_id)
    return db.exec(query.order_by(col(Absence.starts_at), col(Absence.line), col(Absence.id))).all()


def end_absences(db: Session, account_id: str, provider_id: str | None, *, by: str) -> None:
    """End what is recorded of a person's times away, at one organisation or anywhere: they no longer work there."""
    for row in open_absences(db, account_id, provider_id):
        row.ended_at, row.ended_by = clock.now(), by
        db.add(row)
        record_absence(db, "wam.absence.ended", row, by)
    db.flush()


def record_absence(db: Session, event: str, row: Absence, by: str) -> None:
    """Record what became of a time away."""
    details = {
        "absence": row.id,
        "line": row.line,
        "from": clock.iso(row.starts_at),
        "to": clock.iso(row.ends_at) if row.ends_at else None,
        "by": by,
    }
    log.record(db, Event(event, account=row.account_id, provider=row.provider_id, details=details))


def desk_pauses(db: Session, account_id: str, provider_id: str | None = None) -> list[Grant]:
    """Return the pauses of the security desk, at one organisation or anywhere, that nobody has ended."""
    query = select(Grant).where(
        col(Grant.account_id) == account_id,
        col(Grant.ended_at).is_(None),
        col(Grant.effect) == "deny",
        col(Grant.reason) == DESK,
    )
    if provider_id is not None:
        query = query.where(col(Grant.provider_id) == provider_id)
    return list(db.exec(query.order_by(col(Grant.id))).all())


def new_id(reason: str) -> str | None:
    """Return the id of a new pause; None leaves it to the table."""
    return entropy.new_id(DESK_PAUSE) if reason == DESK else None


def is_desk_pause(row: Grant) -> bool:
    """Say whether a row is a pause that only the security desk ends."""
    return row.effect == "deny" and row.reason == DESK


def rest_with_others(db: Session, place: Place, entitlement: str) -> None:
    """Pause what was just given to somebody who is away, or whom the security desk paused at this organisation."""
    for away in absences(db, place):
        suspend(db, place, [entitlement], by="system", reason=AWAY, starts_at=away.starts_at, until=away.ends_at)
    paused = desk_pauses(db, place.account_id, place.provider_id)
    if paused and not any((p.line_of_business, p.entitlement) == (place.line, entitlement) for p in paused):
        suspend(db, place, [entitlement], by="system", reason=DESK)


def rest_with_role(db: Session, place: Place) -> None:
    """Pause what a new appointment brings to somebody whom the security desk paused at this organisation."""
    paused = desk_pauses(db, place.account_id, place.provider_id)
    if paused:
        known = {row.entitlement for row in paused if row.line_of_business == place.line}
        suspend(db, place, [key for key in FROM_APPOINTMENT if key not in known], by="system", reason=DESK)


def by_line(db: Session, account_id: str, provider_id: str, *, now_held: Sequence[Grant]) -> dict[str, set[str]]:
    """Return what a person has by `now_held` and by appointments, begun or to come, and no desk pause rests yet."""
    paused = {(g.line_of_business, g.entitlement) for g in now_held if is_desk_pause(g)}
    has = {(g.line_of_business, g.entitlement) for g in now_held if g.effect == "allow"}
    roles = select(Appointment.line).where(
        col(Appointment.account_id) == account_id,
        col(Appointment.provider_id) == provider_id,
        col(Appointment.ended_at).is_(None),
        or_(col(Appointment.ends_at).is_(None), col(Appointment.ends_at) > clock.now()),
    )
    has |= {(line, key) for line in db.exec(roles).all() for key in FROM_APPOINTMENT}
    lines: dict[str, set[str]] = {}
    for line, key in has - paused:
        lines.setdefault(line, set()).add(key)
    return lines
