"""Remind people of what ends: the yearly attestation (T-14)."""

from zoneinfo import ZoneInfo

from sqlalchemy import CursorResult, func, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts.tables import Account, Attestation
from idp.database import of
from idp.notices import outbox


def attestations_due(db: Db, limit: int) -> int:
    """Mail those whose attestation ends soon and who have made no newer one; return how many.

    Each reminder is taken by one conditional update, so ten workers send one mail.
    """
    now, told = clock.now(), 0
    for number, before in enumerate(configuration.current(db).clocks.attestation_reminders, 1):
        newest = (
            select(col(Attestation.account_id), func.max(col(Attestation.expires_at)).label("until"))
            .group_by(col(Attestation.account_id))
            .subquery()
        )
        due = db.exec(
            select(Attestation)
            .join(Account, col(Account.id) == col(Attestation.account_id))
            .join(
                newest,
                (newest.c.account_id == col(Attestation.account_id)) & (newest.c.until == col(Attestation.expires_at)),
            )
            .where(
                col(Account.status) == "active",
                col(Attestation.reminded) < number,
                col(Attestation.expires_at) > now,
                col(Attestation.expires_at) <= now + before,
            )
            .limit(limit)
        ).all()
        told += sum(_remind(db, one, number) for one in due)
    return told


def _remind(db: Db, attestation: Attestation, number: int) -> bool:
    taken = db.execute(
        update(Attestation)
        .where(col(Attestation.id) == attestation.id, col(Attestation.reminded) < number)
        .values(reminded=number)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount != 1:
        return False
    day = attestation.expires_at.astimezone(ZoneInfo(of(db).settings.time_zone))
    outbox.send(db, attestation.account_id, "attestation_due", {"day": f"{day:%b} {day.day}, {day.year}"})
    return True
