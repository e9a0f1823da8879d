"""Good standing: asked at every use of a partner's login, app or delegation (invariant 11)."""

from sqlmodel import Session

from idp.partners.tables import Partner

GOOD = frozenset({"active", "review_overdue"})
"""Statuses in which an outside organisation may be relied on (decisions.md 12, gate 9)."""


GOOD_SQL = ", ".join(f"'{status}'" for status in sorted(GOOD))
"""The same for a statement that asks `status IN (...)`."""


def is_good(status: str | None) -> bool:
    """Say whether a partner's status is good standing; an unknown partner's is not."""
    return status in GOOD


def in_good_standing(db: Session, partner_id: str | None) -> bool:
    """Say whether a partner is in good standing now; nobody's partner (None) needs none."""
    if partner_id is None:
        return True
    partner = db.get(Partner, partner_id)
    return partner is not None and is_good(partner.status)
