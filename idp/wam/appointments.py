"""Appoint and end access managers: 1 to 15 for each organisation and line, the last one stays (W-9)."""

from datetime import datetime

from sqlalchemy import CursorResult, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.accounts import families
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import appointed, duties, pauses
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Appointment, Grant
from idp.errors import Conflict, Invalid, NotFound
from idp.providers.tables import LINES, Provider
from idp.signals import epochs, revocations

MOST = 15
WARN_BELOW = 2


class LastManager(Conflict):
    """The only access manager of a line can't go before a successor is named."""

    code = "last_access_manager"
    title = "Name a successor first"
    advice = ""


def appoint(
    db: Session,
    *,
    account_id: str,
    provider_id: str,
    line: str = "medical",
    by: str,
    verified_by: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    appointment_id: str | None = None,
) -> Appointment:
    """Appoint a person as access manager of an organisation and line.

    `verified_by` says how the authority was proven, `by` who recorded it. Raises Invalid for a wrong line
    or interval, NotFound for an unknown organisation or person, Conflict for a 16th manager, a second
    appointment of the same person, or a person who can change where payments go (domain.md 6).
    """
    if line not in LINES:
        raise Invalid(fields={"line": f"Choose one of {', '.join(LINES)}."})
    starts_at = starts_at or clock.now()
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})
    hold(db, provider_id)
    if db.get(Account, account_id) is None:
        raise NotFound
    if len(_to_come(db, provider_id, line)) >= MOST:
        raise Conflict(f"A practice has at most {MOST} access managers in a line of business. End one first.")
    _check_duties(db, account_id, provider_id, line, ends_at)
    made = Appointment(
        id=appointment_id or entropy.new_id("wam"),
        account_id=account_id,
        provider_id=provider_id,
        line=line,
        verified_by=verified_by,
        starts_at=starts_at,
        ends_at=ends_at,
    )
    try:
        with db.begin_nested():
            db.add(made)
    except IntegrityError:
        raise Conflict("This person is already an access manager here.") from None
    epochs.changed_account(db, account_id)
    _log(db, "wam.appointment.made", made, by, verified_by)
    pauses.rest_with_role(db, Place(account_id, provider_id, line))
    return made


def _check_duties(db: Session, account_id: str, provider_id: str, line: str, ends_at: datetime | None) -> None:
    """Refuse authority beside a function that must not be in the same hands, unless an exception covers it."""
    held = db.exec(
        select(Grant.entitlement).where(
            col(Grant.account_id) == account_id,
            col(Grant.provider_id) == provider_id,
            col(Grant.effect) == "allow",
            col(Grant.ended_at).is_(None),
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > clock.now()),
        )
    ).all()
    together = {*held, "access.manage"}
    for clash in duties.clashes(db, together, account_id=account_id, provider_id=provider_id, line=line):
        if "access.manage" in (clash.first, clash.second) and not clash.allowed(ends_at):
            raise Conflict(f"This person can't be an access manager too. {clash.why}")


def end(db: Session, appointment: Appointment, *, by: str, reason: str) -> bool:
    """End an appointment once; return False when it had ended before.

    Raises LastManager for the only one left: authority passes on, it does not lapse. What the person gave
    to others stays and is for the other managers to look at (domain.md 7).
    """
    hold(db, appointment.provider_id)
    others = able(db, appointment.provider_id, appointment.line) - {appointment.account_id}
    if not others and by.startswith("acc_"):
        raise LastManager("This is the only access manager. Appoint another one first.")
    result = db.execute(
        update(Appointment)
        .where(col(Appointment.id) == appointment.id, col(Appointment.ended_at).is_(None))
        .values(ended_at=clock.now(), ended_by=by, end_reason=reason)
    )
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        return False
    account_id, provider_id = appointment.account_id, appointment.provider_id
    epochs.changed_account(db, account_id, takes_away=True)
    families.end_of_person_at(db, account_id, provider_id, because="appointment_ended")
    revocations.announce(db, "grant_ended", reason=reason, account_id=account_id, provider_id=provider_id)
    _log(db, "wam.appointment.ended", appointment, by, reason)
    return True


def set_end(db: Session, appointment: Appointment, ends_at: datetime | None, *, by: str) -> bool:
    """Move the end date of an appointment; return whether it differed. An earlier end takes authority away."""
    before = appointment.ends_at
    if before == ends_at:
        return False
    if ends_at is not None and ends_at <= appointment.starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})
    appointment.ends_at = ends_at
    db.add(appointment)
    db.flush()
    less = ends_at is not None and (before is None or ends_at < before)
    epochs.changed_account(db, appointment.account_id, takes_away=less)
    _log(db, "wam.appointment.made", appointment, by, "end_date_moved")
    return True


def in_force(db: Session, provider_id: str, line: str | None, at: datetime) -> list[Appointment]:
    """Return who manages an organisation (one line, or all) at a moment, longest-serving first."""
    query = select(Appointment).where(
        col(Appointment.provider_id) == provider_id,
        col(Appointment.starts_at) <= at,
        or_(col(Appointment.ends_at).is_(None), col(Appointment.ends_at) > at),
        or_(col(Appointment.ended_at).is_(None), col(Appointment.ended_at) > at),
    )
    if line is not None:
        query = query.where(col(Appointment.line) == line)
    return list(db.exec(query.order_by(col(Appointment.starts_at), col(Appointment.id))).all())


def is_last(db: Session, account_id: str, provider_id: str, line: str) -> bool:
    """Say whether this person is the only access manager of a line now."""
    return able(db, provider_id, line) == {account_id}


def able(db: Session, provider_id: str, line: str) -> set[str]:
    """Return who can act as access manager of a line now: appointed, unhindered, working there, not on hold."""
    return appointed.able(db, provider_id, line)


def _to_come(db: Session, provider_id: str, line: str) -> list[str]:
    """Return the appointments of a line in force now or later: the ones that a limit counts."""
    return list(
        db.exec(
            select(Appointment.id).where(
                col(Appointment.provider_id) == provider_id,
                col(Appointment.line) == line,
                col(Appointment.ended_at).is_(None),
                or_(col(Appointment.ends_at).is_(None), col(Appointment.ends_at) > clock.now()),
            )
        ).all()
    )


def hold(db: Session, provider_id: str) -> None:
    """Keep other changes of who manages this organisation waiting, so that two can't pass a limit together.

    The first lock of every such change: two managers who remove each other then wait instead of deadlocking.
    """
    held = select(Provider.id).where(col(Provider.id) == provider_id).with_for_update(key_share=True)
    if db.exec(held).one_or_none() is None:
        raise NotFound


def _log(db: Session, event: str, row: Appointment, by: str, reason: str) -> None:
    log.record(
        db,
        Event(
            event,
            account=row.account_id,
            provider=row.provider_id,
            reason=reason or None,
            details={"appointment": row.id, "line": row.line, "by": by},
        ),
    )
