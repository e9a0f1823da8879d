"""Give, change and end access: with `pauses` the only writers of grants (invariant 6).

A grant is never edited. A change ends one and starts another; a pause is a second row that denies.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements import grant_rows, pauses, rules
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Assignment, Grant
from idp.errors import Conflict
from idp.signals import epochs


def grant(
    db: Session,
    *,
    account_id: str,
    provider_id: str,
    line: str,
    entitlement: str,
    by: str,
    reason: str,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    assignment_id: str | None = None,
    delegation_id: str | None = None,
    grant_id: str | None = None,
    confirmed_by: str | None = None,
) -> Grant:
    """Give one function to a person for an organisation, a line and a time.

    `by` is the giving account, or `operator` or `system`; `confirmed_by` the second one,
    where two are needed. Raises Invalid when the function, line or
    interval is wrong, NotEntitled when this giver may not give this (rules.py).
    """
    place = Place(account_id, provider_id, line)
    given = grant_rows.checked(db, place, entitlement, not_before, expires_at)
    rules.check(
        db,
        given,
        account_id=account_id,
        provider_id=provider_id,
        line=line,
        by=by,
        confirmed_by=confirmed_by,
        expires_at=expires_at,
    )
    made = grant_rows.row_of(
        place,
        entitlement,
        "allow",
        by=by,
        reason=reason,
        not_before=not_before,
        expires_at=expires_at,
        grant_id=grant_id,
    )
    made.assignment_id, made.delegation_id = assignment_id, delegation_id
    db.add(made)
    db.flush()
    epochs.changed_account(db, account_id)
    more = {"confirmed_by": confirmed_by} if confirmed_by else {}
    grant_rows.record(db, "entitlements.grant.added", made, by, reason, **more)
    pauses.rest_with_others(db, place, entitlement)
    return made


def replace(
    db: Session,
    old: Grant,
    *,
    by: str,
    reason: str,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    assignment_id: str | None = None,
) -> Grant:
    """End one grant and start another for the same function; raise Conflict when it had ended meanwhile.

    Nothing is taken away when the new one holds from now on: tokens and sessions go on (decisions.md 3).
    `assignment_id` names the job it goes with from now on; without it the new one goes with what the old one did.
    """
    place, starts = may_replace(db, old, by=by, not_before=not_before, expires_at=expires_at)
    now = clock.now()
    if not grant_rows.end_row(db, old, by, "replaced"):
        raise Conflict("This access was changed by somebody else meanwhile.")
    job = db.get(Assignment, old.assignment_id) if old.assignment_id else None
    if job is not None and job.ends_at != expires_at:
        _end_job(db, old)
    made = grant_rows.row_of(
        place, old.entitlement, old.effect, by=by, reason=reason, not_before=starts, expires_at=expires_at
    )
    made.assignment_id, made.delegation_id = assignment_id or old.assignment_id, old.delegation_id
    db.add(made)
    db.flush()
    was_live = old.not_before <= now and (old.expires_at is None or now < old.expires_at)
    if old.effect == "allow" and was_live and starts > now:
        grant_rows.taken_away(db, place, "grant_ended", reason)
    else:
        epochs.changed_account(db, place.account_id)
    grant_rows.record(db, "entitlements.grant.replaced", made, by, reason, replaces=old.id)
    return made


def may_replace(
    db: Session,
    old: Grant,
    *,
    by: str,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    taken: frozenset[str] = frozenset(),
) -> tuple[Place, datetime]:
    """Return where and from when a grant could start in the place of another; raise as `replace` does.

    `taken` are functions that end in this line before.
    """
    starts = not_before or max(clock.now(), old.not_before)
    place = Place(old.account_id, old.provider_id, old.line_of_business)
    given = grant_rows.checked(db, place, old.entitlement, starts, expires_at)
    no_longer = old.expires_at is None or (expires_at is not None and expires_at <= old.expires_at)
    rules.check(
        db,
        given,
        account_id=place.account_id,
        provider_id=place.provider_id,
        line=place.line,
        by=by,
        confirmed_by="system" if starts >= old.not_before and no_longer else None,  # no more: no second manager
        expires_at=expires_at,
        taken=taken,
    )
    return place, starts


def end_by(db: Session, rows: Iterable[Grant], ends_at: datetime, *, by: str, reason: str) -> None:
    """Let none of these last longer than a moment (accounts made one have several rows of one function)."""
    for row in rows:
        if row.expires_at is not None and row.expires_at <= ends_at:
            continue
        if row.not_before < ends_at:
            replace(db, row, by=by, reason=reason, expires_at=ends_at)
        else:
            end(db, row, by=by, reason=reason)


def _end_job(db: Session, row: Grant) -> None:
    if row.assignment_id is not None:
        db.execute(
            update(Assignment)
            .where(col(Assignment.id) == row.assignment_id, col(Assignment.ended_at).is_(None))
            .values(ended_at=clock.now())
        )


def end(db: Session, ended: Grant, *, by: str, reason: str, of_job: bool = False) -> bool:
    """End a grant once; return False when it had ended before. The very next decision says no.

    Ending a pause gives access back and takes nothing away. Where the grant came of a job, the job ends with it
    (unless the job itself wants it, `of_job`): what is left stands by itself, and no later version of the job, no
    applied file and no merge gives back what was taken.
    """
    if not grant_rows.end_row(db, ended, by, reason):
        return False
    if ended.effect == "allow" and not of_job:
        _end_job(db, ended)
    place = Place(ended.account_id, ended.provider_id, ended.line_of_business)
    if ended.effect == "deny":
        epochs.changed_account(db, place.account_id)
    else:
        grant_rows.taken_away(db, place, "grant_ended", reason)
    grant_rows.record(db, "entitlements.grant.ended", ended, by, reason)
    return True


def carry(db: Session, old: Grant, *, account_id: str, assignment_id: str | None, by: str, reason: str) -> Grant:
    """End a grant or a pause and begin the same one for another account of the same person (merging).

    Who gave it and until when stay; raise Conflict when it ended meanwhile.
    """
    if not grant_rows.end_row(db, old, by, reason):
        raise Conflict("This access was changed by somebody else meanwhile.")
    place = Place(account_id, old.provider_id, old.line_of_business)
    starts = max(clock.now(), old.not_before)
    made = grant_rows.row_of(
        place,
        old.entitlement,
        old.effect,
        by=old.granted_by,
        reason=old.reason,
        not_before=starts,
        expires_at=old.expires_at,
        grant_id=pauses.new_id(old.reason) if old.effect == "deny" else None,
    )
    made.assignment_id, made.delegation_id = assignment_id, old.delegation_id
    db.add(made)
    db.flush()
    if old.effect == "allow":
        grant_rows.taken_away(db, Place(old.account_id, old.provider_id, old.line_of_business), "grant_ended", reason)
    epochs.changed_account(db, account_id)
    grant_rows.record(db, "entitlements.grant.replaced", made, by, reason, replaces=old.id, carried_from=old.account_id)
    return made


def end_all_at(db: Session, account_id: str, provider_id: str, *, by: str, reason: str) -> int:
    """End everything a person was given at an organisation; return how many grants ended.

    A pause of the security desk outlives it: who leaves and comes back is still paused.
    """
    rows = grant_rows.not_ended(db, account_id, provider_id)
    return sum(end(db, row, by=by, reason=reason) for row in rows if not pauses.is_desk_pause(row))


def end_all(db: Session, account_id: str, *, by: str, reason: str) -> int:
    """End everything a person was given anywhere; return how many grants ended."""
    return sum(end(db, row, by=by, reason=reason) for row in grant_rows.not_ended(db, account_id, None))


def live(db: Session, account_id: str, provider_id: str, at: datetime) -> list[Grant]:
    """Return the grants and pauses of a person at an organisation in force at a moment."""
    found = db.exec(
        select(Grant)
        .where(
            col(Grant.account_id) == account_id,
            col(Grant.provider_id) == provider_id,
            col(Grant.not_before) <= at,
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > at),
            or_(col(Grant.ended_at).is_(None), col(Grant.ended_at) > at),
        )
        .order_by(col(Grant.entitlement), col(Grant.not_before), col(Grant.id))
    )
    return list(found)


def count_live(db: Session, account_id: str) -> int:
    """Return how many grants a person has that nobody ended."""
    return sum(1 for row in grant_rows.not_ended(db, account_id, None) if row.effect == "allow")
