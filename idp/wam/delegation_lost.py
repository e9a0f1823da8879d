"""Who lost what when a delegation ended: kept with the end's receipt, or told from the access that ended with it."""

from typing import Any

from sqlmodel import Session, col, or_, select

from idp.accounts.tables import Account
from idp.entitlements import chains
from idp.entitlements.tables import Delegation, Entitlement, Grant
from idp.leaving.delegations import Loss, losses
from idp.partners.tables import Partner
from idp.wam import receipts


def kept(db: Session, found: Delegation) -> list[dict[str, Any]]:
    """Return who is about to lose what, for the receipt of the end; holds the delegation until the end is done."""
    db.exec(select(Delegation.id).where(col(Delegation.id) == found.id).with_for_update()).one()
    return [
        {"account": one.account.id, "company": one.company, "functions": list(one.functions), "leaves": one.leaves}
        for one in losses(db, found)
    ]


def told(db: Session, found: Delegation) -> list[Loss]:
    """Return who lost what by its end, by company and name; nobody while it has not ended."""
    if found.ended_at is None:
        return []
    receipt = receipts.about(db, found.provider_id, "delegation_end", "delegation", found.id)
    if receipt is None or "lost" not in receipt.facts:
        return _by_dates(db, found)
    rows = receipt.facts["lost"]
    people = _people(db, {row["account"] for row in rows})
    return [
        Loss(people[row["account"]], row["company"], tuple(row["functions"]), row["leaves"])
        for row in rows
        if row["account"] in people
    ]


def _by_dates(db: Session, found: Delegation) -> list[Loss]:
    """Return whose access through it, or what hung on it, was in force until it ended."""
    below = {row.id: row.partner_id for row in chains.below(db, found)}
    last = min(found.ended_at, found.ends_at) if found.ended_at and found.ends_at else found.ended_at
    rows = db.exec(
        select(Grant).where(
            col(Grant.delegation_id).in_(below),
            col(Grant.effect) == "allow",
            col(Grant.not_before) < found.ended_at,
            or_(col(Grant.ended_at).is_(None), col(Grant.ended_at) >= last),
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) >= last),
        )
    ).all()
    names = {e.key: e.name for e in db.exec(select(Entitlement)).all()}
    people = _people(db, {row.account_id for row in rows})
    companies = {p.id: p.name for p in db.exec(select(Partner).where(col(Partner.id).in_(below.values()))).all()}
    lost: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        company = companies.get(below[str(row.delegation_id)], "")
        lost.setdefault((company, row.account_id), set()).add(names.get(row.entitlement, row.entitlement))
    made = [
        Loss(people[account], company, tuple(sorted(functions)), leaves=False)
        for (company, account), functions in lost.items()
        if account in people
    ]
    return sorted(made, key=lambda one: (one.company, one.account.display_name, one.account.id))


def _people(db: Session, ids: set[str]) -> dict[str, Account]:
    return {one.id: one for one in db.exec(select(Account).where(col(Account.id).in_(ids))).all()}
