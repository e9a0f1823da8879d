"""What an organisation holds in a line: the most anybody there can be given, by whatever road (security.md 64)."""

from sqlalchemy import or_
from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements import catalog
from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.duty_tables import WithheldFunction
from idp.entitlements.tables import Entitlement
from idp.providers import organisations
from idp.providers.tables import Participation, Provider


def functions(db: Session, provider: Provider, line: str) -> dict[str, Entitlement]:
    """Return the functions an organisation holds in a line now, by key; none where the line is not open."""
    now = clock.now()
    if provider.status != "active" or not organisations.has_line(db, provider.id, line, now):
        return {}
    participates = (
        db.exec(
            select(Participation.id).where(
                col(Participation.provider_id) == provider.id,
                col(Participation.line) == line,
                col(Participation.starts_at) <= now,
                or_(col(Participation.ends_at).is_(None), col(Participation.ends_at) > now),
            )
        ).first()
        is not None
    )
    withheld = db.exec(
        select(WithheldFunction.entitlement).where(
            col(WithheldFunction.provider_id) == provider.id,
            col(WithheldFunction.line) == line,
            col(WithheldFunction.ended_at).is_(None),
            col(WithheldFunction.starts_at) <= now,
        )
    ).all()
    barred = AUTHORITY | set(withheld)
    insurer = provider.kind == "insurer"
    return {
        e.key: e
        for e in catalog.everything(db, insurer_side=insurer)
        if e.key not in barred and (insurer or e.non_participating or participates)
    }
