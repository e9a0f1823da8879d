"""Whom a change of the catalogue touches, read before it takes effect: who gains, who loses, at which practices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.entitlements import appointed
from idp.entitlements.defaults import FROM_APPOINTMENT
from idp.entitlements.tables import Appointment, Grant
from idp.providers.tables import Provider

SHOWN = 200
"""People a page lists; the counts are of all."""


@dataclass(frozen=True, slots=True)
class Affected:
    """One person at one practice and line, and what changes for them."""

    account_id: str
    provider_id: str
    line: str
    gains: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    stays_out: tuple[str, ...] = ()
    """What the change would add and something else forbids."""
    note: str = ""
    keeps: tuple[str, ...] = ()
    """What the change would take, and another grant still gives."""
    idle: tuple[str, ...] = ()
    """What the change would take, and the person could not use anyway: paused, or closed to the practice."""
    misses: tuple[str, ...] = ()
    """What the change adds to the job, and who has parts of it on their own does not get."""
    apart: bool = False
    """Has parts of the job on their own: not moved, only told (`apart`)."""


@dataclass(frozen=True, slots=True)
class Named:
    """An affected person with the names a page shows."""

    who: Affected
    name: str
    practice: str


@dataclass(frozen=True, slots=True)
class Impact:
    """Everybody a change touches."""

    affected: tuple[Affected, ...]

    @property
    def gain(self) -> int:
        """People who get something."""
        return len({a.account_id for a in self.affected if a.gains})

    @property
    def lose(self) -> int:
        """People who lose something."""
        return len({a.account_id for a in self.affected if a.loses})

    @property
    def keep(self) -> int:
        """People who keep by another grant something the change takes."""
        return len({a.account_id for a in self.affected if a.keeps and not a.apart})

    @property
    def apart(self) -> int:
        """People the change does not move, because they have parts of the job on their own."""
        return len({a.account_id for a in self.affected if a.apart})

    @property
    def practices(self) -> int:
        """Practices where anything changes."""
        return len({a.provider_id for a in self.affected})


def holders(db: Session, key: str, *, provider_id: str | None = None, line: str | None = None) -> list[Grant]:
    """Return the grants of a function that nobody ended and that have not run out."""
    query = select(Grant).where(
        col(Grant.entitlement) == key,
        col(Grant.effect) == "allow",
        col(Grant.ended_at).is_(None),
        or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > clock.now()),
    )
    if provider_id is not None:
        query = query.where(col(Grant.provider_id) == provider_id)
    if line is not None:
        query = query.where(col(Grant.line_of_business) == line)
    return list(db.exec(query.order_by(col(Grant.provider_id), col(Grant.account_id), col(Grant.id))).all())


def places(
    db: Session, key: str, *, provider_id: str | None = None, line: str | None = None
) -> list[tuple[str, str, str]]:
    """Return (person, practice, line) of everybody who has a function, by a grant or by an appointment."""
    found = {
        (row.account_id, row.provider_id, row.line_of_business)
        for row in holders(db, key, provider_id=provider_id, line=line)
    }
    if key in FROM_APPOINTMENT:
        managers = select(Appointment.account_id, Appointment.provider_id, Appointment.line)
        if provider_id is not None:
            managers = managers.where(col(Appointment.provider_id) == provider_id)
        if line is not None:
            managers = managers.where(col(Appointment.line) == line)
        found |= {(a, p, x) for a, p, x in db.exec(managers.where(appointed.in_force())).all()}
    return sorted(found, key=lambda one: (one[1], one[0], one[2]))


def named(db: Session, affected: Sequence[Affected]) -> list[Named]:
    """Return the first people of an impact with their names, by practice and name."""
    some = list(affected)[:SHOWN]
    people = _names(db, Account.id, Account.display_name, {a.account_id for a in some})
    practices = _names(db, Provider.id, Provider.name, {a.provider_id for a in some})
    rows = [Named(a, people.get(a.account_id, ""), practices.get(a.provider_id, "")) for a in some]
    return sorted(rows, key=lambda r: (r.practice.lower(), r.name.lower(), r.who.line))


def _names(db: Session, key: object, value: object, ids: Iterable[str]) -> dict[str, str]:
    rows = db.exec(select(key, value).where(col(key).in_(list(ids)))).all()  # type: ignore[call-overload]
    return {row[0]: row[1] for row in rows}
