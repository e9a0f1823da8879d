"""Tell access managers that somebody has gone, whoever reported it (RU-9)."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.database import of
from idp.entitlements import appointed
from idp.entitlements.tables import Appointment
from idp.notices import outbox
from idp.providers.tables import Affiliation, Provider


def managers(db: Session, account: Account, provider_ids: Iterable[str], *, by: str) -> None:
    """Mail every access manager of these organisations, but not the one who did it nor the person."""
    for provider_id in sorted(set(provider_ids)):
        provider = db.get(Provider, provider_id)
        if provider is None:
            continue
        facts = {
            "name": account.display_name,
            "provider": provider.name,
            "when": clock.iso(clock.now()),
            "people": f"{of(db).settings.issuer}/p/{provider_id}/people",
        }
        for manager_id in sorted(managers_of(db, provider_id) - {account.id, by}):
            outbox.send(db, manager_id, "person_left", facts)


def sole(db: Session, account_id: str) -> list[Provider]:
    """Return the organisations where this person is the only access manager of a line: a successor comes first.

    Only where other people have access there (invariant 7).
    """
    now = clock.now()
    found = []
    for line, provider_id in _appointments(db, account_id):
        others = appointed.able(db, provider_id, line) - {account_id}
        if not others and _people(db, provider_id, now) - {account_id}:
            provider = db.get(Provider, provider_id)
            if provider is not None and provider not in found:
                found.append(provider)
    return found


def _appointments(db: Session, account_id: str) -> list[tuple[str, str]]:
    rows = db.exec(select(Appointment).where(appointed.in_force(), col(Appointment.account_id) == account_id)).all()
    return [(row.line, row.provider_id) for row in rows]


def managers_of(db: Session, provider_id: str, line: str | None = None) -> set[str]:
    """Return the access managers of an organisation now, of one line or of any; not who is paused."""
    here = select(Appointment).where(
        appointed.in_force(), appointed.unpaused(), col(Appointment.provider_id) == provider_id
    )
    rows = db.exec(here).all()
    return {row.account_id for row in rows if line is None or row.line == line}


def _people(db: Session, provider_id: str, now: datetime) -> set[str]:
    rows = db.exec(
        select(Affiliation.account_id).where(
            col(Affiliation.provider_id) == provider_id,
            col(Affiliation.ended_at).is_(None),
            or_(col(Affiliation.ends_at).is_(None), col(Affiliation.ends_at) > now),
        )
    ).all()
    return set(rows)
