"""A test world's history: things that ended, were accepted or attested at a moment of the file's choosing.

Development only (the schema and `Work.dated` see to it). The rows are the ones the domain just made in this same
transaction, so there are no sessions, tokens or apps yet that would have to hear of the end.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col

from idp import clock
from idp.accounts.attestations import years_later
from idp.accounts.tables import Attestation, TermsAcceptance
from idp.audit import log
from idp.audit.events import Event
from idp.configuration import current
from idp.signals import epochs

_EVENTS = {
    "grant": "entitlements.grant.ended",
    "affiliation": "providers.affiliation.ended",
    "appointment": "wam.appointment.ended",
    "portal_access": "providers.portal.closed",
    "assignment": None,
}


def ended(db: Db, row: Any, at: datetime, *, by: str, reason: str) -> None:
    """State that a row just made ended at a moment, past or future; once."""
    table = type(row)
    values: dict[str, Any] = {"ended_at": at}
    values |= {name: value for name, value in {"ended_by": by, "end_reason": reason}.items() if hasattr(row, name)}
    result = db.execute(update(table).where(col(table.id) == row.id, col(table.ended_at).is_(None)).values(**values))
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


def attested(db: Db, row: Attestation, at: datetime) -> None:
    """State when a person attested; it holds from then for its years."""
    row.attested_at = at
    row.expires_at = years_later(at, current(db).clocks.attestation_years)
    db.add(row)
    db.flush()
