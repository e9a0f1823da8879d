"""A partner is paused, ended or taken back: what was born of its logins ends in the same transaction (invariant 11).

Links stay, for history and for the partner's return; who would be left without a way in is told before and after.
"""

from dataclasses import dataclass

from sqlalchemy import CursorResult, text, update
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts import sessions
from idp.accounts.tables import Session as BrowserSession
from idp.accounts.tables import TokenFamily
from idp.leaving import delegations
from idp.partners import register
from idp.partners.standing import is_good
from idp.signals import epochs, revocations

_CLIENTS = text("SELECT client_id FROM client WHERE partner_id = :p AND status = 'active' ORDER BY client_id")


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
    delegations.sign_off(db, partner_id)
    revocations.announce(db, "partner_suspended", reason=because)
    for client_id in db.execute(_CLIENTS, {"p": partner_id}).scalars():
        revocations.announce(db, "client_suspended", reason="partner_suspended", client_id=client_id)
    return True


def reinstate(db: Session, partner_id: str, *, because: str, status: str = "active") -> bool:
    """Give a partner its good standing back; return False when it had it. Its people's links hold again.

    Sessions do not come back: one that was opened while the standing was being taken away ends now.
    """
    partner = register.find(db, partner_id)
    if is_good(partner.status) or not is_good(status):
        return False
    sessions.end_all_of_partner(db, partner_id, because="partner_suspended")
    return register.change_status(db, partner, status, because=because)


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom the end of a partner's standing meets: numbers for the preview, ids for those left outside."""

    logins: int
    people: int
    sessions: int
    clients: int
    delegations: int
    left_outside: tuple[str, ...]
    """Accounts with no other usable login: they come back through their access manager, with proof."""


_COUNTS = text(
    "SELECT (SELECT count(*) FROM login l JOIN upstream u ON u.id = l.upstream_id "
    "WHERE u.partner_id = :p AND l.ended_at IS NULL), "
    "(SELECT count(DISTINCT l.account_id) FROM login l JOIN upstream u ON u.id = l.upstream_id "
    "WHERE u.partner_id = :p AND l.ended_at IS NULL), "
    "(SELECT count(*) FROM session WHERE partner_id = :p AND ended_at IS NULL), "
    "(SELECT count(*) FROM client WHERE partner_id = :p AND status = 'active'), "
    "(SELECT count(*) FROM delegation WHERE partner_id = :p AND ended_at IS NULL)"
)
_OUTSIDE = text(
    "SELECT DISTINCT l.account_id FROM login l JOIN upstream u ON u.id = l.upstream_id "
    "WHERE u.partner_id = :p AND l.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM login o "
    "LEFT JOIN upstream ou ON ou.id = o.upstream_id LEFT JOIN partner op ON op.id = ou.partner_id "
    "WHERE o.account_id = l.account_id AND o.ended_at IS NULL AND o.held_at IS NULL AND (o.upstream_id IS NULL OR "
    "(ou.partner_id <> :p AND ou.status = 'active' AND op.status IN ('active', 'review_overdue')))) "
    "ORDER BY l.account_id"
)


def affected(db: Session, partner_id: str) -> Affected:
    """Return whom a partner's suspension meets, before or after it; raise NotFound."""
    register.find(db, partner_id)
    row = db.execute(_COUNTS, {"p": partner_id}).one()
    outside = tuple(str(one[0]) for one in db.execute(_OUTSIDE, {"p": partner_id}))
    logins, people, opened, clients, delegations = (int(value) for value in row)
    return Affected(logins, people, opened, clients, delegations, outside)
