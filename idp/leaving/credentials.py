"""Credentialing facts that end: warned of in time, and what rested on them ends with them (O-01, O-02, T-17).

The decision compares dates itself (gate 10); what is done here tells people, and takes back what a practitioner
was given for a licence or a credentialing of their own that nothing replaced.
"""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, CursorResult, exists, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import grants
from idp.entitlements.tables import Entitlement, Grant
from idp.leaving import telling
from idp.notices import outbox
from idp.providers.tables import Credential, Practitioner, PractitionerMembership, Provider

NEED = {"licence": "licence", "credentialing": "credentialed"}
"""Kind of fact -> what the catalogue calls it in `needs`."""
WORDS = {
    "licence": "state license",
    "credentialing": "credentialing",
    "dea": "DEA registration",
    "board": "board certification",
    "malpractice": "malpractice cover",
    "education": "education",
    "residency": "residency",
}


def warn_due(db: Session, limit: int) -> int:
    """Mail the practitioner and the practice's access managers before a fact ends; return how many facts.

    Each warning is taken by one conditional update, so ten workers send one mail; of several that are due at
    once the nearest is sent. A fact that a later one replaces is not warned of.
    """
    now, told = clock.now(), 0
    warnings = sorted(configuration.current(db).clocks.credential_warnings, reverse=True)
    for number, before in reversed(list(enumerate(warnings, 1))):
        due = db.exec(
            select(Credential)
            .where(
                col(Credential.ends_at) > now,
                col(Credential.ends_at) <= now + before,
                col(Credential.warned) < number,
                ~_replaced(col(Credential.ends_at)),
            )
            .limit(limit)
        ).all()
        for fact in due:
            if _taken(db, fact, col(Credential.warned) < number, warned=number):
                _warn(db, fact, before)
                told += 1
    return told


def lapse(db: Session, limit: int) -> int:
    """End what rested on facts that have ended and on numbers out of use; return how many of either were seen."""
    now = clock.now()
    ended = db.exec(
        select(Credential)
        .where(col(Credential.ends_at) <= now, col(Credential.lapse_handled_at).is_(None))
        .limit(limit)
    ).all()
    for fact in ended:
        open_still = col(Credential.lapse_handled_at).is_(None)
        if _taken(db, fact, open_still, lapse_handled_at=now) and not _met(db, fact.practitioner_id, fact.kind, now):
            _lapsed(db, db.get_one(Practitioner, fact.practitioner_id), {fact.kind})
    gone = db.exec(
        select(Practitioner)
        .where(
            col(Practitioner.account_id).is_not(None),
            col(Practitioner.deactivated_at) <= now,
            col(Practitioner.lapse_handled_at).is_(None),
        )
        .limit(limit)
    ).all()
    for practitioner in gone:
        taken = db.execute(
            update(Practitioner)
            .where(col(Practitioner.id) == practitioner.id, col(Practitioner.lapse_handled_at).is_(None))
            .values(lapse_handled_at=now)
        )
        assert isinstance(taken, CursorResult)
        if taken.rowcount == 1:
            _lapsed(db, practitioner, set(NEED))
    return max(len(ended), len(gone))


def _replaced(ends_at: Any) -> ColumnElement[bool]:
    """The condition that the practitioner has a fact of the same kind and state that lasts longer."""
    newer = aliased(Credential)
    return exists().where(
        col(newer.practitioner_id) == col(Credential.practitioner_id),
        col(newer.kind) == col(Credential.kind),
        col(newer.state) == col(Credential.state),
        or_(col(newer.ends_at).is_(None), col(newer.ends_at) > ends_at),
    )


def _taken(db: Session, fact: Credential, still: ColumnElement[bool], **values: Any) -> bool:
    taken = db.execute(update(Credential).where(col(Credential.id) == fact.id, still).values(**values))
    assert isinstance(taken, CursorResult)
    return taken.rowcount == 1


def _met(db: Session, practitioner_id: str, kind: str, now: datetime) -> bool:
    return (
        db.exec(
            select(Credential.id).where(
                col(Credential.practitioner_id) == practitioner_id,
                col(Credential.kind) == kind,
                col(Credential.starts_at) <= now,
                or_(col(Credential.ends_at).is_(None), col(Credential.ends_at) > now),
            )
        ).first()
        is not None
    )


def _homes(db: Session, practitioner_id: str) -> list[str]:
    now = clock.now()
    return sorted(
        set(
            db.exec(
                select(PractitionerMembership.provider_id).where(
                    col(PractitionerMembership.practitioner_id) == practitioner_id,
                    col(PractitionerMembership.starts_at) <= now,
                    or_(col(PractitionerMembership.ends_at).is_(None), col(PractitionerMembership.ends_at) > now),
                )
            )
        )
    )


def _warn(db: Session, fact: Credential, before: timedelta) -> None:
    practitioner = db.get_one(Practitioner, fact.practitioner_id)
    assert fact.ends_at is not None
    last = (fact.ends_at - timedelta(microseconds=1)).astimezone(ZoneInfo(of(db).settings.time_zone))
    words = {"fact": WORDS[fact.kind], "name": practitioner.name, "day": f"{last:%b} {last.day}, {last.year}"}
    _tell(db, practitioner, "credential_ends", words)
    _record(db, "providers.credential.warned", practitioner, {"credential": fact.id, "days": before.days})


def _lapsed(db: Session, practitioner: Practitioner, kinds: set[str]) -> None:
    needs = {NEED[kind] for kind in kinds if kind in NEED}
    ended = 0
    if practitioner.account_id is not None and needs:
        keys = [row.key for row in db.exec(select(Entitlement)) if needs & set(row.needs)]
        rested = db.exec(
            select(Grant).where(
                col(Grant.account_id) == practitioner.account_id,
                col(Grant.provider_id).in_(_homes(db, practitioner.id)),
                col(Grant.entitlement).in_(keys),
                col(Grant.effect) == "allow",
                col(Grant.ended_at).is_(None),
            )
        ).all()
        ended = sum(grants.end(db, grant, by="system", reason="credential_lapsed") for grant in rested)
    words = {"fact": " and ".join(WORDS[kind] for kind in sorted(kinds)), "name": practitioner.name}
    _tell(db, practitioner, "credential_ended", words)
    _record(db, "providers.credential.lapsed", practitioner, {"kinds": sorted(kinds), "grants": ended})


def _tell(db: Session, practitioner: Practitioner, template: str, words: dict[str, str]) -> None:
    own = {practitioner.account_id} if practitioner.account_id else set()
    for provider_id in _homes(db, practitioner.id):
        provider = db.get_one(Provider, provider_id)
        facts = {**words, "provider": provider.name, "profile": f"{of(db).settings.issuer}/p/{provider_id}/profile"}
        for account_id in sorted(telling.managers_of(db, provider_id) | own):
            outbox.send(db, account_id, template, facts)


def _record(db: Session, name: str, practitioner: Practitioner, details: dict[str, Any]) -> None:
    told = details | {"practitioner": practitioner.id}
    homes: list[str | None] = [*_homes(db, practitioner.id)]
    for provider_id in homes or [None]:
        log.record(db, Event(name, account=practitioner.account_id, provider=provider_id, details=told))
