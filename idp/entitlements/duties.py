"""Separation of duties: which functions one person must not hold together, and who may until when (domain.md 6).

Rules are rows. An exception lets a person hold a pair at one place, and only for access that ends no later than it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements.duty_tables import DutyConflict, DutyException


@dataclass(frozen=True, slots=True)
class Clash:
    """A pair one person would hold, and the exception that would allow it, if there is one."""

    first: str
    second: str
    why: str
    exception: DutyException | None = None

    def allowed(self, ends_at: datetime | None) -> bool:
        """Say whether access that ends then is within the exception."""
        return self.exception is not None and ends_at is not None and ends_at <= self.exception.ends_at


def pairs(db: Session) -> list[DutyConflict]:
    """Return the pairs in force, by their keys."""
    rows = db.exec(select(DutyConflict).where(col(DutyConflict.ended_at).is_(None))).all()
    return sorted(rows, key=lambda r: (r.first, r.second))


def clashes(
    db: Session, keys: Collection[str], *, account_id: str | None = None, provider_id: str = "", line: str = ""
) -> list[Clash]:
    """Return the pairs among these functions; with an account, each with the exception in force for it."""
    found = [row for row in pairs(db) if row.first in keys and row.second in keys]
    if not found:
        return []
    excused = in_force(db, account_id, provider_id, line) if account_id else {}
    return [Clash(row.first, row.second, row.why, excused.get(row.id)) for row in found]


def in_force(db: Session, account_id: str, provider_id: str, line: str) -> dict[str, DutyException]:
    """Return the confirmed exceptions of a person at a place, by conflict; of several the one that lasts longest."""
    rows = db.exec(
        select(DutyException)
        .where(
            col(DutyException.account_id) == account_id,
            col(DutyException.provider_id) == provider_id,
            col(DutyException.line) == line,
            col(DutyException.confirmed_at).is_not(None),
            col(DutyException.ended_at).is_(None),
            col(DutyException.ends_at) > clock.now(),
        )
        .order_by(col(DutyException.ends_at))
    ).all()
    return {row.conflict_id: row for row in rows}
