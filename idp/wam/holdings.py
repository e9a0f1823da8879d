"""What an organisation holds, and so the most its managers can give (gate 1 bounds gate 2)."""

from dataclasses import dataclass

from sqlalchemy import or_
from sqlmodel import Session, col, select

from idp import clock
from idp.entitlements import bundles, catalog
from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.duty_tables import WithheldFunction
from idp.entitlements.tables import Bundle, Entitlement
from idp.providers import organisations
from idp.providers.tables import Participation, Provider

WORDS = {
    1: "reference",
    2: "member summary",
    3: "member detail or financial view",
    4: "clinical data or changes",
    5: "money or access",
}
"""Sensitivity in words, as pages say it (domain.md 5)."""
NOT_ASSIGNED = frozenset({"wam", "delegated_vendor", "tpa_analyst"})
"""Bundles that come from an appointment, a delegation or the insurer, never from a choice on this page."""


@dataclass(frozen=True, slots=True)
class Job:
    """A bundle as a manager sees it: what it is for, what of it this organisation holds, what it lacks."""

    bundle: Bundle
    functions: tuple[str, ...]
    lacking: tuple[str, ...]


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


def jobs(db: Session, held: dict[str, Entitlement]) -> list[Job]:
    """Return the bundles a manager may give, with what the organisation lacks of each."""
    found = []
    for bundle in bundles.current(db):
        if bundle.key in NOT_ASSIGNED:
            continue
        keys = bundles.items(db, bundle)
        has = tuple(key for key in keys if key in held)
        if has:
            found.append(Job(bundle, has, tuple(key for key in keys if key not in held)))
    return found
