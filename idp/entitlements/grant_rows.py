"""Rows of grants and pauses: made, ended once, told and recorded alike whoever gives, pauses or ends (T-09)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.accounts import families
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements.tables import Entitlement, Grant
from idp.errors import Invalid
from idp.providers.tables import LINES
from idp.signals import epochs, revocations


@dataclass(frozen=True, slots=True)
class Place:
    """Whose access it is, for which organisation and line of business."""

    account_id: str
    provider_id: str
    line: str


def not_ended(db: Session, account_id: str, provider_id: str | None) -> Sequence[Grant]:
    """Return the grants and pauses of a person, at one organisation or anywhere, that nobody has ended."""
    query = select(Grant).where(col(Grant.account_id) == account_id, col(Grant.ended_at).is_(None))
    if provider_id is not None:
        query = query.where(col(Grant.provider_id) == provider_id)
    return db.exec(query.order_by(col(Grant.id))).all()


def checked(
    db: Session, place: Place, key: str, not_before: datetime | None, expires_at: datetime | None
) -> Entitlement:
    """Return the function a row is about; raise Invalid where there is none, or line or interval is wrong."""
    given = db.get(Entitlement, key)
    if given is None:
        raise Invalid(fields={"entitlement": f"There is no function called {key}."})
    if place.line not in LINES:
        raise Invalid(fields={"line": f"Choose one of {', '.join(LINES)}."})
    if expires_at is not None and expires_at <= (not_before or clock.now()):
        raise Invalid(fields={"expires_at": "The end must be after the start."})
    return given


def row_of(
    place: Place,
    key: str,
    effect: str,
    *,
    by: str,
    reason: str,
    not_before: datetime | None,
    expires_at: datetime | None,
    grant_id: str | None = None,
) -> Grant:
    """Return a new row; nothing is written yet."""
    return Grant(
        id=grant_id or entropy.new_id("grt"),
        account_id=place.account_id,
        provider_id=place.provider_id,
        line_of_business=place.line,
        entitlement=key,
        effect=effect,
        not_before=not_before or clock.now(),
        expires_at=expires_at,
        granted_by=by,
        reason=reason,
    )


def end_row(db: Session, row: Grant, by: str, reason: str) -> bool:
    """Write a row's end, once; return False when it had ended before."""
    now = clock.now()
    result = db.execute(
        update(Grant)
        .where(col(Grant.id) == row.id, col(Grant.ended_at).is_(None))
        .values(ended_at=now, ended_by=by, end_reason=reason)
    )
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def taken_away(db: Session, place: Place, kind: str, reason: str) -> None:
    """Make it known everywhere that somebody may do less from now on (decisions.md 3)."""
    epochs.changed_account(db, place.account_id, takes_away=True)
    families.end_of_person_at(db, place.account_id, place.provider_id, because=kind)
    revocations.announce(db, kind, reason=reason, account_id=place.account_id, provider_id=place.provider_id)


def record(db: Session, event: str, row: Grant, by: str, reason: str, **more: str) -> None:
    """Record what happened to a row."""
    log.record(
        db,
        Event(
            event,
            account=row.account_id,
            provider=row.provider_id,
            entitlement=row.entitlement,
            reason=reason,
            details={
                "grant": row.id,
                "line": row.line_of_business,
                "effect": row.effect,
                "from": clock.iso(row.not_before),
                "to": clock.iso(row.expires_at) if row.expires_at else None,
                "by": by,
                **more,
            },
        ),
    )
