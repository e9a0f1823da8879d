"""Bundles as a WAM sees them: "biller" for a person, expanded into grants when assigned (domain.md 6)."""

from datetime import datetime

from sqlalchemy import CursorResult, func, or_, update
from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements import grants, held, rules
from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.tables import Assignment, Bundle, BundleItem, Delegation, Grant
from idp.errors import Invalid
from idp.providers.tables import Provider


def current(db: Session) -> list[Bundle]:
    """Return the newest version in effect of every bundle that is not retired, by name."""
    newest = (
        select(Bundle.key, func.max(col(Bundle.version)).label("version"))
        .where(
            col(Bundle.withdrawn_at).is_(None),
            or_(col(Bundle.effective_at).is_(None), col(Bundle.effective_at) <= clock.now()),
        )
        .group_by(col(Bundle.key))
        .subquery()
    )
    found = db.exec(
        select(Bundle).join(newest, (col(Bundle.key) == newest.c.key) & (col(Bundle.version) == newest.c.version))
    ).all()
    return sorted((b for b in found if b.retired_at is None), key=lambda b: b.name)


def find(db: Session, key: str) -> Bundle:
    """Return the newest version of a bundle; raise Invalid for an unknown or retired one."""
    for bundle in current(db):
        if bundle.key == key:
            return bundle
    raise Invalid(fields={"bundle": f"There is no bundle called {key}."})


def items_of(db: Session, key: str, version: int) -> frozenset[str]:
    """Return the functions of one version of a bundle."""
    item = (col(BundleItem.bundle) == key, col(BundleItem.version) == version)
    return frozenset(db.exec(select(BundleItem.entitlement).where(*item)).all())


def items(db: Session, bundle: Bundle) -> list[str]:
    """Return the functions of a bundle version, sorted."""
    return sorted(items_of(db, bundle.key, bundle.version))


def assign(
    db: Session,
    *,
    account_id: str,
    provider_id: str,
    line: str,
    bundle: str,
    by: str,
    reason: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    delegation_id: str | None = None,
    fitting: bool = False,
) -> tuple[Assignment, list[Grant]]:
    """Give a bundle to a person: one assignment and one grant for each function.

    `fitting` leaves out what the organisation does not hold, or the person may not have, when it is given.

    Raises Invalid for an unknown bundle, for `wam` (authority comes from an appointment) and for an
    outside company's staff without delegation or end date.
    """
    chosen = find(db, bundle)
    keys = items(db, chosen)
    if AUTHORITY & set(keys):
        raise Invalid(fields={"bundle": "Access managers are appointed; this bundle can't be assigned."})
    if bundle == "delegated_vendor":
        keys = _within_delegation(db, keys, delegation_id, provider_id, ends_at)
    if fitting:
        keys = _fitting(db, keys, (account_id, provider_id, line), by=by, ends_at=ends_at)
    assignment = Assignment(
        account_id=account_id,
        provider_id=provider_id,
        line=line,
        bundle=chosen.key,
        version=chosen.version,
        assigned_by=by,
        starts_at=starts_at or clock.now(),
        ends_at=ends_at,
    )
    db.add(assignment)
    made = [
        grants.grant(
            db,
            account_id=account_id,
            provider_id=provider_id,
            line=line,
            entitlement=key,
            by=by,
            reason=reason,
            not_before=assignment.starts_at,
            expires_at=ends_at,
            assignment_id=assignment.id,
            delegation_id=delegation_id,
        )
        for key in keys
    ]
    return assignment, made


def end_assignment(db: Session, assignment: Assignment, *, by: str, reason: str) -> int:
    """End an assignment and every grant that came of it; return how many grants ended."""
    result = db.execute(
        update(Assignment)
        .where(col(Assignment.id) == assignment.id, col(Assignment.ended_at).is_(None))
        .values(ended_at=clock.now())
    )
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        return 0
    rows = db.exec(select(Grant).where(col(Grant.assignment_id) == assignment.id)).all()
    return sum(grants.end(db, row, by=by, reason=reason, of_job=True) for row in rows)


def assigned(db: Session, account_id: str, provider_id: str) -> list[Assignment]:
    """Return the assignments of a person at an organisation that nobody has ended."""
    found = db.exec(
        select(Assignment).where(
            col(Assignment.account_id) == account_id,
            col(Assignment.provider_id) == provider_id,
            col(Assignment.ended_at).is_(None),
        )
    )
    return list(found)


def _fitting(
    db: Session, keys: list[str], place: tuple[str, str, str], *, by: str, ends_at: datetime | None
) -> list[str]:
    account_id, provider_id, line = place
    provider = db.get(Provider, provider_id)
    has = held.functions(db, provider, line) if provider is not None else {}
    found = []
    for key in [key for key in keys if key in has]:
        try:
            rules.check(
                db, has[key], account_id=account_id, provider_id=provider_id, line=line, by=by, expires_at=ends_at
            )
        except rules.MayNotGive:
            continue
        found.append(key)
    return found


def _within_delegation(
    db: Session, keys: list[str], delegation_id: str | None, provider_id: str, ends_at: datetime | None
) -> list[str]:
    delegation = db.get(Delegation, delegation_id) if delegation_id else None
    if delegation is None or delegation.provider_id != provider_id:
        raise Invalid(fields={"delegation": "Name the delegation this person works under."})
    if ends_at is None:
        raise Invalid(fields={"ends_at": "Access of an outside company's staff needs an end date."})
    return [key for key in keys if key in delegation.entitlements]
