"""Who of the insurer works on cases: whom the desk's own mails go to."""

from sqlalchemy import or_
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import humans
from idp.entitlements.tables import Grant
from idp.providers.tables import Provider

WORKS, ACTS = "security.case.work", "security.access.revoke"


def readers(db: Db, *, but: set[str]) -> list[str]:
    """Return who of the insurer works on cases, without some, and without any account of the same human."""
    humans_but = {one for who in but if who for one in humans.same(db, who)}
    return sorted(set(holders(db, WORKS)) - but - humans_but)


def holders(db: Db, *functions: str) -> list[str]:
    """Return who holds one of some functions at the insurer, by what is granted now."""
    now = clock.now()
    found = db.exec(
        select(Grant.account_id)
        .join(Provider, col(Provider.id) == col(Grant.provider_id))
        .where(
            col(Provider.kind) == "insurer",
            col(Grant.entitlement).in_(functions),
            col(Grant.effect) == "allow",
            col(Grant.ended_at).is_(None),
            col(Grant.not_before) <= now,
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > now),
        )
        .distinct()
    ).all()
    return sorted(found)
