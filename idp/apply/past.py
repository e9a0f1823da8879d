"""A test world's history: things that ended, were accepted or attested at a moment of the file's choosing.

Development only (the schema and `Work.dated` see to it). The rows are the ones the domain just made in this same
transaction, so there are no sessions, tokens or apps yet that would have to hear of the end.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import CursorResult, delete, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.attestations import years_later
from idp.accounts.tables import Account, Attestation, TermsAcceptance
from idp.audit import log
from idp.audit.events import Event
from idp.configuration import current
from idp.database.history import StatusChange, text_of
from idp.providers import practitioners
from idp.providers.tables import Practitioner
from idp.signals import epochs

_EVENTS = {
    "grant": "entitlements.grant.ended",
    "affiliation": "providers.affiliation.ended",
    "appointment": "wam.appointment.ended",
    "portal_access": "providers.portal.closed",
    "assignment": None,
    "delegation": "providers.provider.changed",
    "withheld_function": "providers.function.opened",
}


class _Says(Protocol):
    """An entry with a history: the lines say what it was from when on."""

    @property
    def history(self) -> Any: ...

    @property
    def model_fields_set(self) -> set[str]: ...


def now(entry: _Says, what: str, at: datetime) -> Any:
    """Return what an entry is now: as it says, else as its history says."""
    lines = [line for line in _lines(entry, what) if line.starts <= at] or _lines(entry, what)[:1]
    if what in entry.model_fields_set or not lines:
        return getattr(entry, what)
    return getattr(lines[-1], what)


def _lines(entry: _Says, what: str) -> list[Any]:
    said = [line for line in entry.history if getattr(line, what, None) is not None]
    return sorted(said, key=lambda line: line.starts)


def was(db: Db, row: Any, entry: _Says, *what: str, new: bool) -> bool:
    """State what a subject was from when on; return whether anything was new. Before the first: the first."""
    if not entry.history:
        return False
    db.flush()
    stated = {(name, text_of(getattr(line, name)), line.starts) for name in what for line in _lines(entry, name)}
    if new:  # what inserting it noted, with the moment of applying
        forget(db, row.id, *{name for name, _, _ in stated})
    fresh = _state(db, row.id, stated)
    statuses = _lines(entry, "status") if isinstance(row, Account) else []
    if new and statuses and row.status == "ceased" and statuses[0].status != "ceased":
        row.ceased_at = next(line.starts for line in statuses if line.status == "ceased")
        db.add(row)
    if fresh:
        db.flush()
        if isinstance(row, Account):
            epochs.changed_account(db, row.id, takes_away=True)
        else:
            epochs.changed_policy(db)
    return fresh


def forget(db: Db, subject: str, *what: str) -> None:
    """Forget what a subject was: it was always what it is, or what is then stated."""
    db.flush()
    db.execute(delete(StatusChange).where(col(StatusChange.subject_id) == subject, col(StatusChange.what).in_(what)))


def _state(db: Db, subject: str, stated: set[tuple[str, str, datetime]]) -> bool:
    known = {
        (change.what, change.status, change.at)
        for change in db.exec(select(StatusChange).where(col(StatusChange.subject_id) == subject))
    }
    fresh = sorted(stated - known, key=lambda change: change[2])
    for name, value, at in fresh:
        db.add(StatusChange(subject_id=subject, what=name, status=value, at=at))
    return bool(fresh)


def were(db: Db, subject: str, what: str, rows: Sequence[tuple[datetime, str]]) -> bool:
    """State a whole row's history, and nothing besides; return whether that was new."""
    db.flush()
    stated = {(what, value, at) for at, value in rows}
    of_it = (col(StatusChange.subject_id) == subject, col(StatusChange.what) == what)
    others = [one for one in db.exec(select(StatusChange).where(*of_it)) if (what, one.status, one.at) not in stated]
    for one in others:
        db.delete(one)
    fresh = _state(db, subject, stated)
    if fresh or others:
        db.flush()
        epochs.changed_policy(db)
    return fresh or bool(others)


def out_of_use(db: Db, row: Practitioner, spans: Sequence[tuple[datetime, datetime | None]]) -> bool:
    """State when an NPI was out of use; without an end: since then. Return whether anything was new."""
    last = next((starts for starts, ends in spans if ends is None), None)
    changed = practitioners.deactivate(db, row, last, by="operator")
    stated = sorted((ends, starts) for starts, ends in spans if ends is not None)
    of_it = (col(StatusChange.subject_id) == row.id, col(StatusChange.what) == "deactivated_at")
    db.flush()
    known = sorted((one.at, one.before) for one in db.exec(select(StatusChange).where(*of_it)))
    if known == [(ends, text_of(starts)) for ends, starts in stated]:
        return changed
    forget(db, row.id, "deactivated_at")
    for ends, starts in stated:
        back = StatusChange(subject_id=row.id, what="deactivated_at", status="null", before=text_of(starts), at=ends)
        db.add(back)
    db.flush()
    epochs.changed_policy(db)
    return True


def laid_over(base: dict[str, Any], lines: Sequence[tuple[datetime, dict[str, Any]]], at: datetime) -> dict[str, Any]:
    """Return the fields of a row at a moment: each as its newest line by then says, before the first as the first."""
    found = dict(base)
    for name in {name for _, said in lines for name in said}:
        of_it = [(starts, said[name]) for starts, said in sorted(lines, key=lambda line: line[0]) if name in said]
        found[name] = ([value for starts, value in of_it if starts <= at] or [of_it[0][1]])[-1]
    return found


def ended(db: Db, row: Any, at: datetime, *, by: str, reason: str) -> None:
    """State that a row just made ended at a moment, past or future, whatever its own end date is."""
    table = type(row)
    values: dict[str, Any] = {"ended_at": at}
    values |= {name: value for name, value in {"ended_by": by, "end_reason": reason}.items() if hasattr(row, name)}
    if table.__tablename__ == "delegation" and at <= clock.now():
        values["status"] = "ended"
    result = db.execute(update(table).where(col(table.id) == row.id).values(**values))
    assert isinstance(result, CursorResult)
    assert result.rowcount == 1
    account_id = getattr(row, "account_id", None)
    event = _EVENTS[table.__tablename__]
    if event:
        details = {"id": row.id, "ended_at": clock.iso(at), "by": by, "stated": True}
        log.record(db, Event(event, account=account_id, provider=row.provider_id, reason=reason, details=details))
    if account_id:
        epochs.changed_account(db, account_id, takes_away=True)
    else:
        epochs.changed_policy(db)


def accepted(db: Db, account_id: str, document_id: str, at: datetime) -> None:
    """State when a document was accepted."""
    db.execute(
        update(TermsAcceptance)
        .where(col(TermsAcceptance.account_id) == account_id, col(TermsAcceptance.document_id) == document_id)
        .values(accepted_at=at)
    )


def attested(db: Db, row: Attestation, at: datetime, until: datetime | None) -> None:
    """State when a person attested; it holds from then for its years, or until it was withdrawn."""
    row.attested_at = at
    row.expires_at = until or years_later(at, current(db).clocks.attestation_years)
    db.add(row)
    db.flush()
