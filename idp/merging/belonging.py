"""What ties a person to others besides access: a company they work for, their number as a clinician.

Carried from one account to another when two become one, and back when that is undone. Authority over a company's
people never moves (merge.py refuses it).
"""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.partners import members
from idp.partners.tables import PartnerMember
from idp.providers.tables import Practitioner


def move(db: Db, *, source: str, target: str, by: str, reason: str) -> dict[str, Any]:
    """Carry them over; return the ids for the undoing."""
    moved: dict[str, Any] = {"practitioners": [], "members": {}}
    for number in db.exec(select(Practitioner).where(col(Practitioner.account_id) == source)).all():
        number.account_id = target
        db.add(number)
        moved["practitioners"].append(number.id)
    for row in db.exec(
        select(PartnerMember).where(col(PartnerMember.account_id) == source, col(PartnerMember.ended_at).is_(None))
    ).all():
        moved["members"][row.id] = _join(db, row, target)
        members.end(db, row, by=by, reason=reason)
    db.flush()
    return moved


def move_back(db: Db, moved: dict[str, Any], *, source: str, target: str, by: str, reason: str) -> None:
    """Carry back what is still there."""
    mine = (col(Practitioner.id).in_(moved.get("practitioners", [])), col(Practitioner.account_id) == source)
    for number in db.exec(select(Practitioner).where(*mine)).all():
        number.account_id = target
        db.add(number)
    for old_id, new_id in moved.get("members", {}).items():
        now = db.get(PartnerMember, new_id) if new_id else None
        if new_id is not None and (now is None or now.ended_at is not None):
            continue  # it ended since: that was meant for the person who had it
        _join(db, db.get_one(PartnerMember, old_id), target)
        if now is not None:
            members.end(db, now, by=by, reason=reason)
    db.flush()


def _join(db: Db, row: PartnerMember, account_id: str) -> str | None:
    """Record the same for another account, on the same word; None where it has it already, or it has run out."""
    over = row.ends_at is not None and row.ends_at <= clock.now()
    if over or members.of_person(db, account_id, row.partner_id) is not None:
        return None
    made = members.record(db, partner_id=row.partner_id, account_id=account_id, by=row.named_by, ends_at=row.ends_at)
    return made.id
