"""Who has functions of a job on their own, because it ended for them while these went on: no version moves them.

A function was taken from them, or they changed jobs: an access manager decided for this one person. A version does not
decide against that; it says whom it leaves apart, what they keep of what it drops and miss of what it adds (W-3, T-09).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from idp import clock
from idp.catalogue.impact import Affected
from idp.entitlements import bundles
from idp.entitlements.tables import Assignment, Bundle, Grant


@dataclass(frozen=True, slots=True)
class Since:
    """A job that changed since somebody has a part of it on their own."""

    line: str
    bundle: Bundle
    keeps: tuple[str, ...]
    misses: tuple[str, ...]


@dataclass(slots=True)
class _Part:
    """What one person has of an ended job, and by which version of it."""

    job: Assignment
    own: set[str]


def affected(db: Session, key: str, wanted: Iterable[str], *, provider_id: str | None = None) -> list[Affected]:
    """Return whom a version of a job does not move and what they keep and miss; nobody who keeps and misses nothing."""
    asked, found = frozenset(wanted), []
    for part in _parts(db, col(Assignment.bundle) == key, *_at(provider_id)):
        keeps, misses = _differs(db, part, asked)
        if keeps or misses:
            job = part.job
            found.append(Affected(job.account_id, job.provider_id, job.line, keeps=keeps, misses=misses, apart=True))
    return found


def places(db: Session, key: str) -> set[tuple[str, str]]:
    """Return the (practice, line) where somebody has functions of a job on their own."""
    return {(part.job.provider_id, part.job.line) for part in _parts(db, col(Assignment.bundle) == key)}


def since(db: Session, account_id: str, provider_id: str) -> list[Since]:
    """Return the jobs that changed since this person has parts of them on their own, with what differs."""
    found = []
    now = {one.key: one for one in bundles.current(db)}
    for part in _parts(db, col(Assignment.account_id) == account_id, *_at(provider_id)):
        bundle = now.get(part.job.bundle)
        if bundle is None or bundle.version <= part.job.version:
            continue
        keeps, misses = _differs(db, part, bundles.items_of(db, bundle.key, bundle.version))
        if keeps or misses:
            found.append(Since(part.job.line, bundle, keeps, misses))
    return found


def _at(provider_id: str | None) -> Sequence[object]:
    return () if provider_id is None else (col(Assignment.provider_id) == provider_id,)


def _parts(db: Session, *which: object) -> list[_Part]:
    """Return what people have of ended jobs; not of one they have as a whole again."""
    now = clock.now()
    rows = db.execute(
        sql_select(Assignment, col(Grant.entitlement))
        .join(Grant, col(Grant.assignment_id) == col(Assignment.id))
        .where(
            *which,  # type: ignore[arg-type]
            col(Assignment.ended_at).is_not(None),
            col(Grant.effect) == "allow",
            col(Grant.ended_at).is_(None),
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > now),
        )
        .order_by(col(Assignment.provider_id), col(Assignment.account_id), col(Assignment.ended_at))
    ).all()
    parts: dict[tuple[str, str, str, str], _Part] = {}
    for job, entitlement in rows:
        place = (job.account_id, job.provider_id, job.line, job.bundle)
        part = parts.setdefault(place, _Part(job, set()))
        part.job = job  # of several, the one that ended last
        part.own.add(entitlement)
    return [part for place, part in parts.items() if place[3] not in _jobs(db, part.job)]


def _differs(db: Session, part: _Part, wanted: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the person keeps of what a version drops and misses of what it adds (not who has another job)."""
    job = part.job
    keeps = tuple(sorted(part.own - wanted))
    if _jobs(db, job):
        return keeps, ()
    held = select(Grant.entitlement).where(
        col(Grant.account_id) == job.account_id,
        col(Grant.provider_id) == job.provider_id,
        col(Grant.line_of_business) == job.line,
        col(Grant.effect) == "allow",
        col(Grant.ended_at).is_(None),
        or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > clock.now()),
    )
    before = bundles.items_of(db, job.bundle, job.version)
    return keeps, tuple(sorted(wanted - before - set(db.exec(held).all())))


def _jobs(db: Session, job: Assignment) -> set[str]:
    """Return the jobs this person has in the line now."""
    now = clock.now()
    query = select(Assignment.bundle).where(
        col(Assignment.account_id) == job.account_id,
        col(Assignment.provider_id) == job.provider_id,
        col(Assignment.line) == job.line,
        col(Assignment.ended_at).is_(None),
        or_(col(Assignment.ends_at).is_(None), col(Assignment.ends_at) > now),
    )
    return set(db.exec(query).all())
