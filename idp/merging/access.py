"""What a person holds, carried from one account to another: ended there, begun here, never edited.

Who gave it, why and until when stay as they were; the new rows name the old ones in the log.
"""

from collections.abc import Collection
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.accounts import humans
from idp.entitlements import duties, grants, pauses
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Appointment, Assignment, Grant
from idp.errors import Conflict
from idp.providers import affiliations
from idp.providers.tables import Affiliation


class CannotBecomeOne(Conflict):
    """The two accounts must stay apart as they are; the sentence says what to change first."""

    code = "not_mergeable"
    title = "These accounts can't become one yet"
    advice = ""


def refuse_conflicts(db: Db, *, kept: str, closed: str) -> None:
    """Raise CannotBecomeOne where the two accounts together hold what one person must not (domain.md 6)."""
    together: dict[tuple[str, str], set[str]] = {}
    for row in (*_live(db, kept), *_live(db, closed)):
        if row.effect == "allow":
            together.setdefault((row.provider_id, row.line_of_business), set()).add(row.entitlement)
    managed = select(Appointment.provider_id, Appointment.line).where(
        col(Appointment.account_id).in_((kept, closed)), col(Appointment.ended_at).is_(None)
    )
    for place in db.exec(managed).all():
        together.setdefault(place, set()).add("access.manage")
    for held in together.values():
        if duties.clashes(db, held):
            raise CannotBecomeOne(
                "Together the two accounts hold functions that one person may not have. "
                "Ask an access manager to take one of them away first."
            )


def move(db: Db, *, source: str, target: str, by: str, reason: str) -> dict[str, Any]:
    """Carry affiliations, jobs, grants and pauses over; return old id -> new id of each kind, None for what ends.

    What one of the two accounts gave the other ends: nobody gives themselves access (security.md 64). What the security
    desk paused rests in all that is held at that organisation afterwards.
    """
    moved: dict[str, Any] = {"affiliations": {}, "assignments": {}, "grants": {}}
    own = humans.same(db, source) | humans.same(db, target)
    for job in db.exec(
        select(Assignment).where(col(Assignment.account_id) == source, col(Assignment.ended_at).is_(None))
    ).all():
        job.ended_at = clock.now()
        db.add(job)
        moved["assignments"][job.id] = None if job.assigned_by in own else _again(db, job, target).id
    for row in db.exec(
        select(Affiliation).where(col(Affiliation.account_id) == source, col(Affiliation.ended_at).is_(None))
    ).all():
        moved["affiliations"][row.id] = None if row.approved_by in own else _affiliate(db, row, target)
        affiliations.end(db, row, by=by, reason=reason)
    given = []
    for grant in _live(db, source):
        if grant.effect == "allow" and grant.granted_by in own:
            grants.end(db, grant, by=by, reason=reason, of_job=True)
            moved["grants"][grant.id] = None
            continue
        carried = grants.carry(
            db,
            grant,
            account_id=target,
            assignment_id=moved["assignments"].get(grant.assignment_id),
            by=by,
            reason=reason,
        )
        moved["grants"][grant.id] = carried.id
        given.append(carried)
    moved["rested"] = _rest(db, target, {one.id for one in given})
    return moved


def _again(db: Db, job: Assignment, account_id: str) -> Assignment:
    made = Assignment(**job.model_dump(exclude={"id", "account_id", "created_at", "ended_at"}), account_id=account_id)
    made.id = entropy.new_id("asg")
    db.add(made)
    return made


def _rest(db: Db, account_id: str, carried: Collection[str]) -> list[str]:
    """Let what the person holds now rest where one of the accounts was paused or away; return the new pauses' ids."""
    held = [one for one in _live(db, account_id) if one.effect == "allow"]
    made: list[Grant] = []
    for one in held:
        place = Place(account_id, one.provider_id, one.line_of_business)
        made += pauses.rest_with_others(db, place, one.entitlement, away=one.id in carried)
    return [one.id for one in made]


def _affiliate(db: Db, row: Affiliation, target: str) -> str | None:
    """Approve the target for the same organisation on the same word; None where it acts for it already."""
    if affiliations.live(db, target, row.provider_id) is not None:
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
    for old_id, new_id in moved.get("assignments", {}).items():
        if new_id is None:  # it ended with the merge: two people after all, so one did give it to the other
            jobs[old_id] = _again(db, db.get_one(Assignment, old_id), target).id
            continue
        job = db.get(Assignment, new_id)
        if job is None or job.ended_at is not None:
            continue
        job.ended_at = clock.now()
        db.add(job)
        jobs[job.id] = _again(db, job, target).id
    for old_id, new_id in moved.get("affiliations", {}).items():
        before = db.get(Affiliation, old_id)
        if before is not None and affiliations.live(db, target, before.provider_id) is None:
            _affiliate(db, before, target)
        now = db.get(Affiliation, new_id) if new_id else None
        if now is not None and now.ended_at is None:
            affiliations.end(db, now, by=by, reason=reason)
    for rested in moved.get("rested", []):
        pause = db.get(Grant, rested)
        if pause is not None and pause.ended_at is None:
            grants.end(db, pause, by=by, reason=reason)
    for old_id, new_id in moved.get("grants", {}).items():
        if new_id is None:
            before_merge = db.get_one(Grant, old_id)
            job_id = jobs.get(before_merge.assignment_id or "")
            grants.again(db, before_merge, account_id=target, assignment_id=job_id, by=by, reason=reason)
            continue
        row = db.get(Grant, new_id)
        if row is not None and row.ended_at is None and row.account_id == source:
            job_id = jobs.get(row.assignment_id or "")
            grants.carry(db, row, account_id=target, assignment_id=job_id, by=by, reason=reason)
