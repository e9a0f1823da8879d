"""The end of an interim access manager: they are warned, and no practice is left bare by it (invariant 7).

Warned a week and a day before. Where on the last day nobody else could manage the line, the role goes on for a week,
and the desk and those who confirm access managers hear of it, each time.
"""

from datetime import timedelta

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, or_, select

from idp import clock
from idp.accounts.tables import Account
from idp.cases import staff
from idp.cases.tables import SecurityCase
from idp.casework import interim
from idp.database import of
from idp.entitlements.tables import Appointment
from idp.notices import outbox, saying
from idp.providers.tables import Provider
from idp.wam import appointments

FIRST, LAST = timedelta(days=7), timedelta(days=1)
LONGER = timedelta(days=7)


def tend(db: Db, limit: int) -> int:
    """Warn of ends that are near, and move those that would leave a practice bare; return how many were looked at."""
    now = clock.now()
    due = db.exec(
        select(Appointment)
        .where(
            col(Appointment.verified_by).startswith(interim.MARK),
            col(Appointment.ended_at).is_(None),
            col(Appointment.ends_at) > now,
            or_(
                (col(Appointment.warned) == 0) & (col(Appointment.ends_at) <= now + FIRST),
                (col(Appointment.warned) == 1) & (col(Appointment.ends_at) <= now + LAST),
            ),
        )
        .order_by(col(Appointment.ends_at))
        .limit(limit)
    ).all()
    for row in due:
        assert row.ends_at is not None
        last = row.ends_at <= now + LAST
        if _warned(db, row, 2 if last else 1):
            _warn(db, row, last=last)
    return len(due)


def _warned(db: Db, row: Appointment, count: int) -> bool:
    """Take a warning, so that it is sent once; the row holds the count."""
    appointments.hold(db, row.provider_id)
    taken = db.execute(
        update(Appointment)
        .where(col(Appointment.id) == row.id, col(Appointment.warned) < count, col(Appointment.ended_at).is_(None))
        .values(warned=count)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    db.refresh(row)
    return taken.rowcount == 1


def _warn(db: Db, row: Appointment, *, last: bool) -> None:
    bare = not appointments.able(db, row.provider_id, row.line) - {row.account_id}
    what = "Then the role ends by itself: others manage access there."
    if bare:
        what = "Nobody else can manage access there yet."
    if bare and last:
        _go_on(db, row)
        what = "Nobody else can manage access there, so the role goes on for a week."
    provider = db.get_one(Provider, row.provider_id)
    settings = of(db).settings
    assert row.ends_at is not None
    facts = {
        "provider": provider.name,
        "until": saying.moment(row.ends_at, settings.time_zone),
        "what": what,
        "people": f"{settings.issuer}/p/{provider.id}/managers",
    }
    outbox.send(db, row.account_id, "case_interim_ends", facts)
    if not bare:
        return
    case = db.get(SecurityCase, row.verified_by.removeprefix(interim.MARK))
    facts |= {
        "name": db.get_one(Account, row.account_id).display_name,
        "reference": case.reference if case else "",
        "page": f"{settings.issuer}/insurer/first-managers",
    }
    about = {case.account_id} if case is not None and case.account_id else set()
    for reader in sorted({*staff.readers(db, but=about), *staff.holders(db, interim.VERIFIES)} - about):
        outbox.send(db, reader, "case_interim_bare", facts)


def _go_on(db: Db, row: Appointment) -> None:
    """Move the end of the role, and of the work that was approved for it alone, by a week."""
    assert row.ends_at is not None
    until = row.ends_at + LONGER
    interim.lengthen(db, row.account_id, row.provider_id, until, by="system")
    appointments.set_end(db, row, until, by="system")
    row.warned = 0
    db.add(row)
    db.flush()
