"""A partner is paused or ended: what was born of its logins ends in the same transaction (invariant 11)."""

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts import sessions
from idp.accounts.tables import Session as BrowserSession
from idp.accounts.tables import TokenFamily
from idp.partners import register
from idp.partners.standing import is_good
from idp.signals import epochs, revocations


def suspend(db: Session, partner_id: str, *, because: str, status: str = "suspended") -> bool:
    """Take a partner's good standing away; return False when it had none.

    Sessions and token families born of its logins end; its people's versions and the policy epoch rise,
    so the very next decision, introspection and refresh of each says no.
    """
    partner = register.find(db, partner_id)
    if not is_good(partner.status) or is_good(status):
        return False
    register.change_status(db, partner, status, because=because)
    born = db.exec(
        select(BrowserSession.id, BrowserSession.account_id).where(
            col(BrowserSession.partner_id) == partner_id, col(BrowserSession.ended_at).is_(None)
        )
    ).all()
    sessions.end_all_of_partner(db, partner_id, because="partner_suspended")
    ending = (
        update(TokenFamily)
        .where(
            col(TokenFamily.session_id).in_(
                select(BrowserSession.id).where(col(BrowserSession.partner_id) == partner_id)
            ),
            col(TokenFamily.ended_at).is_(None),
        )
        .values(ended_at=clock.now(), end_reason="partner_suspended")
    )
    assert isinstance(db.execute(ending), CursorResult)
    for account_id in sorted({account_id for _, account_id in born}):
        epochs.changed_account(db, account_id, takes_away=True)
    revocations.announce(db, "partner_suspended", reason=because)
    return True
