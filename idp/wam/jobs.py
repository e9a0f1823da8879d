"""The job a change gives: its assignment, and what goes with it from then on (W-4)."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import update
from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements import grants, rules
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Assignment
from idp.wam import authority, holdings
from idp.wam.difference import Difference, Line, Wish


def give(db: Session, by: str, place: Place, wish: Wish) -> Assignment:
    """Return the person's assignment of this bundle: the one they have, with the new end, or a new one."""
    bundle = next(
        j.bundle
        for j in holdings.jobs(db, holdings.functions(db, authority.provider(db, place.provider_id), place.line))
        if j.bundle.key == wish.bundle
    )
    found = assigned(db, place, bundle.key)
    made = (
        found[0]
        if found
        else Assignment(
            account_id=place.account_id,
            provider_id=place.provider_id,
            line=place.line,
            bundle=bundle.key,
            version=bundle.version,
            assigned_by=by,
            starts_at=wish.starts_at or clock.now(),
        )
    )
    made.version, made.ends_at = bundle.version, wish.ends_at
    db.add(made)
    db.flush()
    return made


def assigned(db: Session, place: Place, bundle: str | None) -> Sequence[Assignment]:
    """Return the assignments of a job that nobody ended; none where no job is chosen."""
    return db.exec(
        select(Assignment).where(
            col(Assignment.account_id) == place.account_id,
            col(Assignment.provider_id) == place.provider_id,
            col(Assignment.line) == place.line,
            col(Assignment.bundle) == bundle,
            col(Assignment.ended_at).is_(None),
        )
    ).all()


def that_join(db: Session, made: Difference, by: str) -> Difference:
    """Return the difference with what may not be given to this person anew among what stays: it joins no job."""
    taken, refused = frozenset(entry.key for entry in made.removed), []
    for entry in made.joined:
        assert entry.grant is not None
        try:
            grants.may_replace(db, entry.grant, by=by, expires_at=entry.grant.expires_at, taken=taken)
        except rules.MayNotGive:
            refused.append(entry)
    stay = sorted((*made.stay, *refused), key=lambda entry: entry.key)
    return replace(made, stay=tuple(stay), joined=tuple(entry for entry in made.joined if entry not in refused))


def join(db: Session, entry: Line, job: Assignment, by: str, reason: str) -> None:
    """Have a function that is held on its own go with the job."""
    assert entry.grant is not None
    grants.replace(db, entry.grant, by=by, reason=reason, expires_at=entry.grant.expires_at, assignment_id=job.id)


def end_others(db: Session, chosen: Assignment) -> None:
    """Who has another job now has the one before no longer: its later versions are not for them."""
    same = (
        col(Assignment.account_id) == chosen.account_id,
        col(Assignment.provider_id) == chosen.provider_id,
        col(Assignment.line) == chosen.line,
    )
    other = (col(Assignment.id) != chosen.id, col(Assignment.ended_at).is_(None))
    db.execute(update(Assignment).where(*same, *other).values(ended_at=clock.now()))
