"""The organisation gate: functions the insurer keeps from one practice, whatever its managers give (gate 6).

A withholding may begin on a day to come: decisions compare its dates themselves, a job tells the apps on the day.
"""

from datetime import datetime

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.catalogue import decided
from idp.catalogue.impact import Affected, Impact, places
from idp.entitlements import appointed
from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.duty_tables import WithheldFunction
from idp.entitlements.tables import Entitlement
from idp.errors import Conflict, Invalid, NotFound
from idp.providers.tables import LINES, Provider
from idp.signals import epochs, revocations

BATCH = 50


def withheld(db: Session, provider_id: str) -> list[WithheldFunction]:
    """Return what is kept from an organisation now or from a day to come, by line and function."""
    rows = db.exec(
        select(WithheldFunction).where(
            col(WithheldFunction.provider_id) == provider_id, col(WithheldFunction.ended_at).is_(None)
        )
    ).all()
    return sorted(rows, key=lambda r: (r.line, r.entitlement))


def impact(db: Session, provider_id: str, line: str, keys: list[str]) -> Impact:
    """Return who loses what if these functions were withheld now, by the whole decision."""
    lost: dict[str, set[str]] = {}
    for key in keys:
        for account_id, _, _ in places(db, key, provider_id=provider_id, line=line):
            lost.setdefault(account_id, set()).add(key)
    losing = [Affected(a, provider_id, line, loses=tuple(sorted(k))) for a, k in sorted(lost.items())]
    return Impact(tuple(decided.by_withholding(db, losing)))


def withhold(
    db: Session, provider_id: str, line: str, key: str, *, by: str, reason: str, starts_at: datetime | None = None
) -> WithheldFunction:
    """Keep a function from an organisation, from the next decision or a moment on; grants stay as they are.

    Raises NotFound for an unknown organisation, Invalid for a line or function there is none of or no reason,
    Conflict when it is withheld already.
    """
    check(db, provider_id, line, key, reason)
    if any(row.line == line and row.entitlement == key for row in withheld(db, provider_id)):
        raise Conflict("This function is withheld already.")
    if key in AUTHORITY:
        appointed.hold(db, provider_id=provider_id, line=line)
    made = WithheldFunction(
        provider_id=provider_id,
        line=line,
        entitlement=key,
        reason=reason.strip(),
        withheld_by=by,
        starts_at=starts_at or clock.now(),
    )
    db.add(made)
    db.flush()
    epochs.changed_policy(db)
    if made.starts_at <= clock.now():
        _announce(db, made)
    _log(db, "providers.function.withheld", made, by)
    return made


def announce_due(db: Session) -> int:
    """Tell the apps of withholdings whose day has come, each once; return how many."""
    due = db.exec(
        select(WithheldFunction)
        .where(
            col(WithheldFunction.announced_at).is_(None),
            col(WithheldFunction.ended_at).is_(None),
            col(WithheldFunction.starts_at) <= clock.now(),
        )
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for row in due:
        epochs.changed_policy(db)
        _announce(db, row)
    return len(due)


def _announce(db: Session, row: WithheldFunction) -> None:
    row.announced_at = clock.now()
    db.add(row)
    db.flush()
    revocations.announce(db, "portal_closed", reason="organisation_not_granted", provider_id=row.provider_id)


def give_back(db: Session, row: WithheldFunction, *, by: str) -> None:
    """Open a withheld function again, once; raise Conflict when somebody did."""
    ended = db.execute(
        update(WithheldFunction)
        .where(col(WithheldFunction.id) == row.id, col(WithheldFunction.ended_at).is_(None))
        .values(ended_at=clock.now(), ended_by=by)
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        raise Conflict("This function was opened again already.")
    epochs.changed_policy(db)
    _log(db, "providers.function.opened", row, by)


def find(db: Session, provider_id: str, row_id: str) -> WithheldFunction:
    """Return one row of an organisation, or raise NotFound."""
    found = db.get(WithheldFunction, row_id)
    if found is None or found.provider_id != provider_id:
        raise NotFound
    return found


def check(db: Session, provider_id: str, line: str, key: str, reason: str) -> None:
    """Raise as `withhold` for what can't be withheld."""
    if db.get(Provider, provider_id) is None:
        raise NotFound
    fields = {}
    if line not in LINES:
        fields["line"] = "Choose a line of business."
    if db.get(Entitlement, key) is None:
        fields["function"] = "Choose a function."
    if not reason.strip() or len(reason) > 200:
        fields["reason"] = "Say why, in at most 200 characters."
    if fields:
        raise Invalid(fields=fields)


def _log(db: Session, event: str, row: WithheldFunction, by: str) -> None:
    details = {"id": row.id, "line": row.line, "from": clock.iso(row.starts_at), "by": by}
    log.record(
        db,
        Event(event, provider=row.provider_id, entitlement=row.entitlement, reason=row.reason, details=details),
    )
