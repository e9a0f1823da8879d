"""Access managers hear of a version of a job or a function before its day, where people of theirs have it."""

from collections.abc import Iterable

from sqlmodel import Session, col, select

from idp import clock
from idp.catalogue import apart
from idp.catalogue.tables import CatalogueChange
from idp.database import of
from idp.entitlements.tables import Assignment, Bundle, Entitlement, Grant
from idp.leaving import telling
from idp.notices import outbox, saying
from idp.providers.tables import Provider


def tell(db: Session) -> int:
    """Write about the next version nobody was told of, once; return 1 while there was one."""
    now = clock.now()
    bundle = db.exec(
        select(Bundle)
        .where(col(Bundle.effective_at) > now, col(Bundle.withdrawn_at).is_(None), col(Bundle.told_at).is_(None))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if bundle is not None and bundle.effective_at is not None:
        having = select(Assignment.provider_id, Assignment.line).where(
            col(Assignment.bundle) == bundle.key, col(Assignment.ended_at).is_(None)
        )
        facts = {"what": f"the job {bundle.name}", "reason": bundle.reason, "from": _day(db, bundle)}
        places = {(place, line) for place, line in db.exec(having.distinct())} | apart.places(db, bundle.key)
        _write(db, places, facts, "jobs")
        bundle.told_at = now
        db.add(bundle)
        return 1
    change = db.exec(
        select(CatalogueChange)
        .where(
            col(CatalogueChange.effective_at) > now,
            col(CatalogueChange.withdrawn_at).is_(None),
            col(CatalogueChange.told_at).is_(None),
        )
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if change is None:
        return 0
    function = db.get(Entitlement, change.entitlement)
    holding = select(Grant.provider_id, Grant.line_of_business).where(
        col(Grant.entitlement) == change.entitlement, col(Grant.ended_at).is_(None), col(Grant.effect) == "allow"
    )
    name = function.name if function else change.entitlement
    facts = {"what": f"the function {name}", "reason": change.reason, "from": _day(db, change)}
    _write(db, db.exec(holding.distinct()).all(), facts, "reports")
    change.told_at = now
    db.add(change)
    return 1


def _day(db: Session, version: Bundle | CatalogueChange) -> str:
    assert version.effective_at is not None
    return saying.moment(version.effective_at, of(db).settings.time_zone)


def _write(db: Session, places: Iterable[tuple[str, str]], facts: dict[str, str], page: str) -> None:
    lines: dict[str, set[str]] = {}
    for provider_id, line in places:
        lines.setdefault(provider_id, set()).add(line)
    for provider_id in sorted(lines):
        provider = db.get(Provider, provider_id)
        if provider is None:
            continue
        told = {m for line in lines[provider_id] for m in telling.managers_of(db, provider_id, line)}
        where = f"{of(db).settings.issuer}/p/{provider_id}/{page}"
        for account_id in sorted(told):
            outbox.send(db, account_id, "version_coming", facts | {"provider": provider.name, "page": where})
