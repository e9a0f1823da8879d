"""End token families: everything that came from one code exchange ends as one (decisions.md 3)."""

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col

from idp import clock
from idp.accounts.tables import TokenFamily
from idp.audit import log
from idp.audit.events import Event


def end_of_person_at(db: Db, account_id: str, provider_id: str, *, because: str) -> int:
    """End the families of a person acting for an organisation; return how many ended."""
    result = db.execute(
        update(TokenFamily)
        .where(
            col(TokenFamily.account_id) == account_id,
            col(TokenFamily.provider_id) == provider_id,
            col(TokenFamily.ended_at).is_(None),
        )
        .values(ended_at=clock.now(), end_reason=because)
    )
    assert isinstance(result, CursorResult)
    if result.rowcount:
        event = Event("oauth.family.ended", account=account_id, provider=provider_id, reason=because)
        log.record(db, event)
    return result.rowcount
