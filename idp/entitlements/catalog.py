"""Load the catalogue and the bundles into the database; loading again changes nothing."""

from typing import Any

from sqlmodel import Session, col, select

from idp.audit import log
from idp.audit.events import Event
from idp.entitlements.defaults import BUNDLES, CONFLICTS, INSURER, NEEDS, PORTAL
from idp.entitlements.duty_tables import DutyConflict
from idp.entitlements.tables import Bundle, BundleItem, Entitlement
from idp.signals import epochs

FIRST_VERSION = 1


def rows() -> list[dict[str, Any]]:
    """Return the default catalogue as column values, portal functions first."""
    made: list[dict[str, Any]] = []
    for key, name, app, sensitivity, strength, non_participating, shared, purposes in PORTAL:
        needs = list(NEEDS.get(key, ()))
        if not non_participating:
            needs.append("credentialed")
        made.append(
            {
                "key": key,
                "name": name,
                "app": app,
                "sensitivity": sensitivity,
                "acr": "aal2",
                "fresh": strength.startswith("fresh"),
                "ial": 2 if strength.endswith("ial2") else 1,
                "non_participating": non_participating,
                "shared": shared,
                "purposes": list(purposes),
                "needs": needs,
                "insurer_side": False,
            }
        )
    for key, name, sensitivity, strength in INSURER:
        made.append(
            {
                "key": key,
                "name": name,
                "app": "Insurer",
                "sensitivity": sensitivity,
                "acr": "aal2",
                "fresh": strength == "fresh",
                "ial": 1,
                "non_participating": True,
                "shared": "permit",
                "purposes": [],
                "needs": [],
                "insurer_side": True,
            }
        )
    return made


def load_default(db: Session) -> bool:
    """Put the default catalogue and bundles there where they are missing; return whether anything changed.

    What an insurer changed afterwards is left as it is.
    """
    known = set(db.exec(select(Entitlement.key)).all())
    fresh = [row for row in rows() if row["key"] not in known]
    for row in fresh:
        db.add(Entitlement(**row))
    db.flush()
    bundles = set(db.exec(select(Bundle.key)).all())
    made = [bundle for bundle in BUNDLES if bundle[0] not in bundles]
    for key, name, description, items in made:
        db.add(Bundle(key=key, version=FIRST_VERSION, name=name, description=description))
        for item in items:
            db.add(BundleItem(bundle=key, version=FIRST_VERSION, entitlement=item))
    pairs = _missing_pairs(db)
    if not fresh and not made and not pairs:
        return False
    db.flush()
    epochs.changed_policy(db)
    log.record(
        db,
        Event(
            "entitlements.catalogue.changed",
            details={
                "entitlements": [row["key"] for row in fresh],
                "bundles": [bundle[0] for bundle in made],
                "conflicts": pairs,
            },
        ),
    )
    return True


def change(db: Session, row: Entitlement, **facts: Any) -> None:
    """Change what a function asks for; holds at the very next decision."""
    for name, value in facts.items():
        setattr(row, name, value)
    db.add(row)
    db.flush()
    epochs.changed_policy(db)
    details = {"entitlements": [row.key], "changed": sorted(facts)}
    log.record(db, Event("entitlements.catalogue.changed", details=details))


def _missing_pairs(db: Session) -> list[list[str]]:
    """Add the default conflicts that never stood here; one that staff ended stays ended."""
    known = set(db.exec(select(DutyConflict.first, DutyConflict.second)).all())
    missing = [row for row in CONFLICTS if row[:2] not in known]
    for first, second, why in missing:
        db.add(DutyConflict(first=first, second=second, why=why, added_by="system"))
    return [[first, second] for first, second, _ in missing]


def find(db: Session, key: str) -> Entitlement | None:
    """Return one function of the catalogue, or None for a key outside it."""
    return db.get(Entitlement, key)


def everything(db: Session, *, insurer_side: bool = False) -> list[Entitlement]:
    """Return the functions of one side, in the order of the catalogue's apps and keys."""
    found = db.exec(select(Entitlement).where(col(Entitlement.insurer_side) == insurer_side)).all()
    return sorted(found, key=lambda e: (e.app, e.key))
