"""A person is away for a time: what they were given rests and goes on afterwards, never edited (domain.md 7)."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.database import of
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.entitlements.pauses import AWAY
from idp.entitlements.tables import Absence, Grant
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.notices import outbox, saying
from idp.providers.tables import Provider
from idp.wam import authority


def of_person(db: Session, account_id: str, provider_id: str) -> list[Absence]:
    """Return a person's absences from a practice that are not over, earliest first."""
    now = clock.now()
    rows = pauses.open_absences(db, account_id, provider_id)
    return [row for row in rows if row.ends_at is None or row.ends_at > now]


def begin(
    db: Session,
    *,
    by: str,
    provider_id: str,
    account_id: str,
    lines: Sequence[str],
    starts_at: datetime | None,
    ends_at: datetime | None,
) -> list[Absence]:
    """Let a person's access rest from a moment (now, where none is given) until another, in these lines.

    Raises NotYourLine, NotFound, NotEntitled for oneself, Conflict for a person who is away then already or works
    here no longer, Invalid for an end that is not after the start.
    """
    now = clock.now()
    starts = max(starts_at or now, now)
    if ends_at is not None and ends_at <= starts:
        raise Invalid(fields={"until": "Enter a last day that is not before the first."})
    for line in lines:
        authority.must_manage(db, by, provider_id, line)
    person = authority.person(db, provider_id, account_id, lock=True)
    if account_id == by:
        raise NotEntitled("Another access manager records that you are away.", code="may_not_give")
    if person.affiliation is None:
        raise Conflict("This person no longer works for this practice.")
    for known in of_person(db, account_id, provider_id):
        meets = (ends_at is None or known.starts_at < ends_at) and (known.ends_at is None or starts < known.ends_at)
        if known.line in lines and meets:
            raise Conflict("This person is recorded as away at that time already. End that first.")
    made = []
    for line in lines:
        row = Absence(
            account_id=account_id, provider_id=provider_id, line=line, starts_at=starts, ends_at=ends_at, set_by=by
        )
        db.add(row)
        db.flush()
        held = {g.entitlement for g in authority.not_ended(db, provider_id, account_id, line) if g.effect == "allow"}
        place = Place(account_id, provider_id, line)
        pauses.suspend(db, place, sorted(held), by=by, reason=AWAY, starts_at=starts, until=ends_at)
        pauses.record_absence(db, "wam.absence.set", row, by)
        made.append(row)
    _tell(db, "leave_set", made[0], by)
    return made


def back(db: Session, *, by: str, provider_id: str, account_id: str) -> int:
    """The person is back, or will not go: end the absences this manager may end; return how many.

    Their access goes on at the next question. Raises NotFound when there is none.
    """
    managed = authority.lines_of(db, by, provider_id)
    person = authority.person(db, provider_id, account_id, lock=True)
    if account_id == by:
        raise NotEntitled("Another access manager records that you are back.", code="may_not_give")
    rows = [row for row in of_person(db, account_id, provider_id) if row.line in managed]
    if not rows:
        raise NotFound
    for row in rows:
        authority.must_manage(db, by, provider_id, row.line)
        row.ended_at, row.ended_by = clock.now(), by
        db.add(row)
        for pause in _pauses(db, row):
            grants.end(db, pause, by=by, reason="back")
        pauses.record_absence(db, "wam.absence.ended", row, by)
    db.flush()
    if person.affiliation is not None:
        _tell(db, "leave_over", rows[0], by)
    return len(rows)


def close_run_out(db: Session, limit: int) -> int:
    """Mark absences that reached their last day as over; the pauses end by their own date. Return how many."""
    due = db.exec(
        select(Absence).where(col(Absence.ended_at).is_(None), col(Absence.ends_at) <= clock.now()).limit(limit)
    ).all()
    for row in due:
        row.ended_at, row.ended_by = row.ends_at, "system"
        db.add(row)
        pauses.record_absence(db, "wam.absence.ended", row, "system")
    db.flush()
    return len(due)


def _pauses(db: Session, row: Absence) -> list[Grant]:
    rows = authority.not_ended(db, row.provider_id, row.account_id, row.line)
    same = [g for g in rows if g.effect == "deny" and g.reason == AWAY]
    return [g for g in same if g.not_before >= row.starts_at and g.expires_at == row.ends_at]


def _tell(db: Session, template: str, row: Absence, by: str) -> None:
    provider, who = db.get(Provider, row.provider_id), db.get(Account, by)
    zone = of(db).settings.time_zone
    facts = {
        "provider": provider.name if provider else "",
        "by": who.display_name if who else "",
        "from": saying.moment(row.starts_at, zone),
        "until": saying.moment(row.ends_at, zone) if row.ends_at else "you are back",
    }
    outbox.send(db, row.account_id, template, facts)
