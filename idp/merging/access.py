"""What a person holds, carried from one account to another: ended there, begun here, never edited.

Who gave it, why and until when stay as they were; the new rows name the old ones in the log.
"""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.accounts import humans
from idp.entitlements import appointed, duties, grants, pauses
from idp.entitlements.tables import Appointment, Assignment, Grant
from idp.errors import Conflict
from idp.merging import under_way
from idp.providers import affiliations
from idp.providers.tables import Affiliation
from idp.wam import appointments


class CannotBecomeOne(Conflict):
    """The two accounts must stay apart as they are; the sentence says what to change first."""

    code = "not_mergeable"
    title = "These accounts can't become one yet"
    advice = ""


def refuse_conflicts(db: Db, *, kept: str, closed: str) -> None:
    """Raise CannotBecomeOne where the two accounts together hold what one person must not (domain.md 6).

    Nor may one have given the other what it would then hold itself: nobody gives themselves access (security.md 64).
    """
    own = humans.same(db, kept) | humans.same(db, closed)
    given = [row.granted_by for row in (*_live(db, kept), *_live(db, closed)) if row.effect == "allow"]
    given += db.exec(
        select(Assignment.assigned_by).where(
            col(Assignment.account_id).in_((kept, closed)), col(Assignment.ended_at).is_(None)
        )
    ).all()
    if own.intersection(given):
        raise CannotBecomeOne(
            "One of the two accounts gave the other access. Nobody gives themselves access. "
            "Ask another access manager to take it away first."
        )
    together: dict[str, set[str]] = {}
    for row in (*_live(db, kept), *_live(db, closed)):
        if row.effect == "allow":
            together.setdefault(row.provider_id, set()).add(row.entitlement)
    managed = select(Appointment.provider_id).where(
        col(Appointment.account_id).in_((kept, closed)), col(Appointment.ended_at).is_(None)
    )
    for provider_id in db.exec(managed).all():
        together.setdefault(provider_id, set()).add("access.manage")
    for held in together.values():
        if duties.clashes(db, held):
            raise CannotBecomeOne(
                "Together the two accounts hold functions that one person may not have. "
                "Ask an access manager to take one of them away first."
            )


def refuse_to_leave_bare(db: Db, *, kept: str, closed: str) -> None:
    """Raise CannotBecomeOne where a pause that comes along would leave a practice without an access manager."""
    places = {row.provider_id for row in pauses.desk_pauses(db, closed)}
    managed = select(Appointment).where(
        col(Appointment.account_id) == kept, col(Appointment.provider_id).in_(places), appointed.in_force()
    )
    for row in db.exec(managed).all():
        if appointments.is_last(db, kept, row.provider_id, row.line):
            raise CannotBecomeOne(
                "What our security desk paused would rest for both, and you are the only access manager there. "
                "Appoint another one first, or call us."
            )


def move(db: Db, *, source: str, target: str, by: str, reason: str) -> dict[str, Any]:
    """Carry affiliations, jobs, grants, pauses and what is under way over; return old id -> new id of each kind."""
    moved: dict[str, Any] = {"affiliations": {}, "assignments": {}, "grants": {}}
    own = humans.same(db, source) | humans.same(db, target)
    under_way.end(db, source, by=by)
    for job in db.exec(
        select(Assignment).where(col(Assignment.account_id) == source, col(Assignment.ended_at).is_(None))
    ).all():
        made = Assignment(**job.model_dump(exclude={"id", "account_id", "created_at"}), account_id=target)
        made.id = entropy.new_id("asg")
        job.ended_at = clock.now()
        db.add_all([job, made])
        moved["assignments"][job.id] = made.id
    for row in db.exec(
        select(Affiliation).where(col(Affiliation.account_id) == source, col(Affiliation.ended_at).is_(None))
    ).all():
        # Where one of the two approved the other, the word was the person's own.
        moved["affiliations"][row.id] = None if row.approved_by in own else _affiliate(db, row, target)
        affiliations.end(db, row, by=by, reason=reason)
    for grant in _live(db, source):
        carried = grants.carry(
            db,
            grant,
            account_id=target,
            assignment_id=moved["assignments"].get(grant.assignment_id),
            by=by,
            reason=reason,
        )
        moved["grants"][grant.id] = carried.id
    return moved | under_way.move(db, source=source, target=target, by=by)


def _affiliate(db: Db, row: Affiliation, target: str) -> str | None:
    """Approve the target for the same organisation on the same word; None where it acts for it, or that has run out."""
    over = row.ends_at is not None and row.ends_at <= clock.now()
    if over or affiliations.current(db, target, row.provider_id) is not None:
        return None
    made = affiliations.approve(
        db,
        account_id=target,
        provider_id=row.provider_id,
        capacity=row.capacity,
        by=row.approved_by,
        partner_id=row.partner_id,
        locations=row.locations,
        starts_at=max(row.starts_at, clock.now()),
        ends_at=row.ends_at,
    )
    return made.id


def _live(db: Db, account_id: str) -> list[Grant]:
    now = clock.now()
    found = db.exec(
        select(Grant)
        .where(col(Grant.account_id) == account_id, col(Grant.ended_at).is_(None))
        .order_by(col(Grant.not_before), col(Grant.id))
    ).all()
    return [row for row in found if row.expires_at is None or row.expires_at > now]


def move_back(db: Db, moved: dict[str, Any], *, source: str, target: str, by: str, reason: str) -> None:
    """Carry back what a merge carried over and is still in force; what was changed since stays where it is."""
    jobs: dict[str, str] = {}
    for new_id in moved.get("assignments", {}).values():
        job = db.get(Assignment, new_id)
        if job is None or job.ended_at is not None:
            continue
        again = Assignment(**job.model_dump(exclude={"id", "account_id", "created_at"}), account_id=target)
        again.id = entropy.new_id("asg")
        job.ended_at = clock.now()
        db.add_all([job, again])
        jobs[job.id] = again.id
    for old_id, new_id in moved.get("affiliations", {}).items():
        now = db.get(Affiliation, new_id) if new_id else None
        if now is not None and now.ended_at is not None:
            continue  # it ended since: that was meant for the person who had it
        _affiliate(db, db.get_one(Affiliation, old_id), target)
        if now is not None:
            affiliations.end(db, now, by=by, reason=reason)
    for new_id in moved.get("grants", {}).values():
        row = db.get(Grant, new_id)
        if row is not None and row.ended_at is None and row.account_id == source:
            job_id = jobs.get(row.assignment_id or "")
            grants.carry(db, row, account_id=target, assignment_id=job_id, by=by, reason=reason)
    under_way.move_back(db, moved, source=source, target=target, by=by)
