"""Who works for an outside organisation, and who of them says what its people do (W-6).

A practice's access manager lets an organisation work; the organisation's own administrators let its people work,
within that. Nobody is an administrator by their own word, nor by a practice's.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, CursorResult, and_, or_, update
from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.database.inserting import insert_unless_there
from idp.errors import Conflict, Invalid, NotFound
from idp.partners.tables import Partner, PartnerMember


class LastAdministrator(Conflict):
    """The only administrator of an outside organisation can't go before a successor is named."""

    code = "last_administrator"
    title = "Name a successor first"


def record(
    db: Session,
    *,
    partner_id: str,
    account_id: str,
    by: str,
    administrator: bool = False,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> PartnerMember:
    """Record that a person works for an outside organisation; raise Conflict when they do already, Invalid, NotFound.

    It gives nobody access to anything: that comes from an administrator, within a delegation.
    """
    if db.get(Partner, partner_id) is None:
        raise NotFound
    starts_at = starts_at or clock.now()
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})
    made = PartnerMember(
        id=entropy.new_id("mem"),
        partner_id=partner_id,
        account_id=account_id,
        administrator=administrator,
        named_by=by,
        starts_at=starts_at,
        ends_at=ends_at,
    )
    if not insert_unless_there(db, PartnerMember, made.model_dump()):
        _close_run_out(db, partner_id, account_id)
        if not insert_unless_there(db, PartnerMember, made.model_dump()):
            raise Conflict("This person works for this organization already.")
    found = db.get(PartnerMember, made.id)
    assert found is not None
    _log(db, "partners.member.recorded", found, by)
    return found


def _close_run_out(db: Session, partner_id: str, account_id: str) -> None:
    db.execute(
        update(PartnerMember)
        .where(
            col(PartnerMember.partner_id) == partner_id,
            col(PartnerMember.account_id) == account_id,
            col(PartnerMember.ended_at).is_(None),
            col(PartnerMember.ends_at) <= clock.now(),
        )
        .values(ended_at=col(PartnerMember.ends_at), ended_by="system", end_reason="expired")
    )


def end(db: Session, member: PartnerMember, *, by: str, reason: str) -> bool:
    """End it once; return False when it had ended before. Raises LastAdministrator for the only one left.

    What the person was given under the organisation's delegations is the caller's to end (`wam.company`).
    """
    hold(db, member.partner_id)
    if member.administrator and by.startswith("acc_"):
        others = {m.account_id for m in in_force(db, member.partner_id, administrators=True)} - {member.account_id}
        if not others:
            raise LastAdministrator("This is the only administrator. Name another one first.")
    ended = db.execute(
        update(PartnerMember)
        .where(col(PartnerMember.id) == member.id, col(PartnerMember.ended_at).is_(None))
        .values(ended_at=clock.now(), ended_by=by, end_reason=reason)
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        return False
    db.refresh(member)
    _log(db, "partners.member.ended", member, by, reason)
    return True


def set_administrator(db: Session, member: PartnerMember, administrator: bool, *, by: str) -> bool:
    """Make a person an administrator of their organisation, or no longer one; return whether it differed."""
    hold(db, member.partner_id)
    db.refresh(member)
    if member.administrator == administrator or member.ended_at is not None:
        return False
    if not administrator and by.startswith("acc_"):
        others = {m.account_id for m in in_force(db, member.partner_id, administrators=True)} - {member.account_id}
        if not others:
            raise LastAdministrator("This is the only administrator. Name another one first.")
    member.administrator = administrator
    db.add(member)
    db.flush()
    _log(db, "partners.member.recorded", member, by)
    return True


def administers(db: Session, account_id: str, partner_id: str) -> bool:
    """Say whether a person is an administrator of an organisation now, and hold it so until this transaction ends."""
    held = select(PartnerMember.id).where(
        col(PartnerMember.account_id) == account_id,
        col(PartnerMember.partner_id) == partner_id,
        col(PartnerMember.administrator).is_(True),
        _now(),
    )
    return db.exec(held.with_for_update(read=True)).first() is not None


def rest(db: Session, account_id: str) -> None:
    """Wait for what a person is doing as an administrator, and let them begin no more until we are done."""
    rows = select(PartnerMember.id).where(col(PartnerMember.account_id) == account_id)
    db.exec(rows.order_by(col(PartnerMember.id)).with_for_update(key_share=True)).all()


def in_force(db: Session, partner_id: str, *, administrators: bool = False) -> Sequence[PartnerMember]:
    """Return who works for an organisation now, or only its administrators; longest-serving first."""
    query = select(PartnerMember).where(col(PartnerMember.partner_id) == partner_id, _now())
    if administrators:
        query = query.where(col(PartnerMember.administrator).is_(True))
    return db.exec(query.order_by(col(PartnerMember.starts_at), col(PartnerMember.id))).all()


def of_person(db: Session, account_id: str, partner_id: str) -> PartnerMember | None:
    """Return what ties a person to an organisation now, or None."""
    return db.exec(
        select(PartnerMember).where(
            col(PartnerMember.account_id) == account_id, col(PartnerMember.partner_id) == partner_id, _now()
        )
    ).first()


def administered(db: Session, account_id: str) -> list[Partner]:
    """Return the organisations a person is an administrator of now, by name."""
    return list(
        db.exec(
            select(Partner)
            .join(PartnerMember, col(PartnerMember.partner_id) == col(Partner.id))
            .where(col(PartnerMember.account_id) == account_id, col(PartnerMember.administrator).is_(True), _now())
            .order_by(col(Partner.name))
        ).all()
    )


def hold(db: Session, partner_id: str) -> None:
    """Keep other changes of who works for this organisation waiting, so that two can't pass a limit together."""
    held = select(Partner.id).where(col(Partner.id) == partner_id).with_for_update(key_share=True)
    if db.exec(held).one_or_none() is None:
        raise NotFound


def _now() -> ColumnElement[bool]:
    now = clock.now()
    return and_(
        col(PartnerMember.ended_at).is_(None),
        col(PartnerMember.starts_at) <= now,
        or_(col(PartnerMember.ends_at).is_(None), col(PartnerMember.ends_at) > now),
    )


def _log(db: Session, event: str, row: PartnerMember, by: str, reason: str | None = None) -> None:
    details = {"member": row.id, "partner": row.partner_id, "administrator": row.administrator, "by": by}
    log.record(db, Event(event, account=row.account_id, reason=reason, details=details))
