"""A company's administrators say who else administers it, and let people go: with all they had through it (W-6)."""

from sqlmodel import Session, col, select

from idp.accounts.tables import Account
from idp.database import of
from idp.errors import Conflict, NotEntitled, NotFound
from idp.leaving import people as leaving
from idp.notices import outbox
from idp.partners import members
from idp.partners.tables import Partner, PartnerMember
from idp.providers.tables import Affiliation, Provider
from idp.wam import company

WARN_BELOW = 2
MOST = 15
"""Administrators of one company, as access managers of one practice."""


def of_company(db: Session, partner_id: str, member_id: str) -> PartnerMember:
    """Return one of the company's people; anybody else is NotFound."""
    found = db.get(PartnerMember, member_id)
    if found is None or found.partner_id != partner_id:
        raise NotFound
    return found


def practices_of(db: Session, partner_id: str, account_id: str) -> list[Provider]:
    """Return the practices one of the company's people works for through it, by name."""
    return list(
        db.exec(
            select(Provider)
            .join(Affiliation, col(Affiliation.provider_id) == col(Provider.id))
            .where(
                col(Affiliation.account_id) == account_id,
                col(Affiliation.partner_id) == partner_id,
                col(Affiliation.ended_at).is_(None),
            )
            .order_by(col(Provider.name))
        ).all()
    )


def name(db: Session, *, by: str, partner_id: str, member_id: str, administrator: bool) -> bool:
    """Make one of the people an administrator, or no longer one; all administrators are told.

    Raises NotFound, NotEntitled for making oneself one, LastAdministrator, Conflict for a 16th.
    """
    members.hold(db, partner_id)
    partner = company.must_administer(db, by, partner_id)
    found = of_company(db, partner_id, member_id)
    if administrator and found.account_id == by:
        raise NotEntitled("Nobody names themselves.", code="may_not_give")
    if administrator and len(members.in_force(db, partner_id, administrators=True)) >= MOST:
        raise Conflict(f"A company has at most {MOST} administrators.")
    changed = members.set_administrator(db, found, administrator, by=by)
    if changed:
        _tell(db, partner, found, by, " as an administrator" if administrator else ", no longer as an administrator")
    return changed


def let_go(db: Session, *, by: str, partner_id: str, member_id: str) -> bool:
    """End what ties a person to the company, and at once all they had through it; False when it had ended.

    Raises NotFound, LastAdministrator.
    """
    members.hold(db, partner_id)
    company.must_administer(db, by, partner_id)
    found = of_company(db, partner_id, member_id)
    if not members.end(db, found, by=by, reason="left"):
        return False
    for provider in practices_of(db, partner_id, found.account_id):
        leaving.leave(db, found.account_id, provider.id, reason="left", by=by)
    return True


def _tell(db: Session, partner: Partner, found: PartnerMember, by: str, role: str) -> None:
    who, giver = db.get(Account, found.account_id), db.get(Account, by)
    facts = {
        "name": who.display_name if who else "",
        "company": partner.name,
        "by": giver.display_name if giver else "the insurer",
        "role": role,
        "page": f"{of(db).settings.issuer}/company/{partner.id}/people",
    }
    told = {m.account_id for m in members.in_force(db, partner.id, administrators=True)} | {found.account_id}
    for account_id in sorted(told):
        outbox.send(db, account_id, "company_member", facts)
