"""What people allowed apps that are not ours; they can list and end it (security.md 48)."""

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import TokenFamily
from idp.audit import log
from idp.audit.events import Event
from idp.oauth.tables import Consent
from idp.signals import revocations


def give(db: Db, account_id: str, client_id: str, scope: str) -> Consent:
    """Record that a person allowed an app these scopes, beside those allowed before."""
    known = db.get(Consent, (account_id, client_id))
    before = set(known.scopes) if known is not None and known.ended_at is None else set()
    row = known or Consent(account_id=account_id, client_id=client_id, scopes=[])
    row.scopes, row.ended_at = sorted(before | set(scope.split())), None
    db.add(row)
    log.record(db, Event("oauth.consent.given", account=account_id, client=client_id, details={"scopes": row.scopes}))
    db.flush()
    return row


def of_person(db: Db, account_id: str) -> list[Consent]:
    """Return the consents in force of a person."""
    return list(db.exec(select(Consent).where(col(Consent.account_id) == account_id, col(Consent.ended_at).is_(None))))


def end(db: Db, account_id: str, client_id: str) -> bool:
    """End a consent and the tokens that rest on it; return False when there was none."""
    result = db.execute(
        update(Consent)
        .where(
            col(Consent.account_id) == account_id, col(Consent.client_id) == client_id, col(Consent.ended_at).is_(None)
        )
        .values(ended_at=clock.now())
    )
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        return False
    families = db.execute(
        update(TokenFamily)
        .where(
            col(TokenFamily.account_id) == account_id,
            col(TokenFamily.client_id) == client_id,
            col(TokenFamily.ended_at).is_(None),
        )
        .values(ended_at=clock.now(), end_reason="consent_ended")
        .returning(col(TokenFamily.id), col(TokenFamily.session_id))
    ).all()
    log.record(db, Event("oauth.consent.ended", account=account_id, client=client_id))
    for family_id, session_id in families:
        revocations.announce(
            db,
            "family_ended",
            reason="consent_ended",
            account_id=account_id,
            session_id=session_id,
            family_id=family_id,
        )
    return True
