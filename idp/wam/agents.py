"""An outside company's person acts for a practice as its agent, at some of its places or at all (T-10, W-6)."""

from sqlalchemy import or_
from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements.tables import Delegation, Grant
from idp.errors import Conflict
from idp.providers import affiliations


def tie(db: Session, found: Delegation, account_id: str, *, by: str, locations: list[str] | None) -> None:
    """See to it that the person acts for the practice as this company's agent, at these places (T-10)."""
    known = affiliations.current(db, account_id, found.provider_id)
    if known is not None:
        if known.partner_id != found.partner_id:
            raise Conflict("This person works for the practice another way already, so not through your company.")
        if known.locations != locations and _by_others(db, found, account_id):
            raise Conflict(
                "This person works for the practice by another permission too, and one person works at the same places "
                "by all of them. Choose the same places, or take the other one from them first."
            )
        affiliations.set_places(db, known, locations, by=by)
        return
    affiliations.approve(
        db,
        account_id=account_id,
        provider_id=found.provider_id,
        capacity="agent",
        by=by,
        partner_id=found.partner_id,
        locations=locations,
    )


def _by_others(db: Session, found: Delegation, account_id: str) -> bool:
    """Say whether the person works there by another delegation too: places are kept with the person (T-10)."""
    other = select(Grant.id).where(
        col(Grant.account_id) == account_id,
        col(Grant.provider_id) == found.provider_id,
        col(Grant.delegation_id).is_not(None),
        col(Grant.delegation_id) != found.id,
        col(Grant.ended_at).is_(None),
        col(Grant.effect) == "allow",
        or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > clock.now()),
    )
    return db.exec(other).first() is not None
