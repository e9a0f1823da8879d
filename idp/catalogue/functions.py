"""New versions of a function of the catalogue: checked, previewed, in effect from a day, taken into account by replays.

The functions that move money or give access keep their guard: no version makes them weaker.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, func, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.catalogue import decided
from idp.catalogue.impact import Affected, Impact, places
from idp.catalogue.tables import CatalogueChange
from idp.database.lane import drive
from idp.entitlements import standing
from idp.entitlements.dates import Dates
from idp.entitlements.defaults import AUTHORITY, PROSPECTIVE, REVIEW
from idp.entitlements.rules import DUAL
from idp.entitlements.standing import Organisation
from idp.entitlements.tables import Entitlement
from idp.errors import Conflict, Invalid, NotFound
from idp.signals import epochs

FIELDS = ("name", "sensitivity", "fresh", "ial", "non_participating", "shared", "purposes", "needs")
"""What a version may change."""
HANDLED = ("TPA", "permit", "insurer", "insurer line", "affiliate", "by account", "none")
NEEDS = ("licence", "credentialed", "capitation")
PURPOSES = (REVIEW, PROSPECTIVE)
GUARDED = AUTHORITY | DUAL
BATCH = 50


def find(db: Session, key: str) -> Entitlement:
    """Return a function or raise NotFound."""
    found = db.get(Entitlement, key)
    if found is None:
        raise NotFound
    return found


def facts(function: Entitlement) -> dict[str, Any]:
    """Return what a version may change, as it is."""
    return {name: getattr(function, name) for name in FIELDS}


def check(db: Session, key: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return only what differs from now; raise Invalid, field by field, for what may not be, or when nothing would."""
    function = find(db, key)
    fields: dict[str, str] = {}
    name = str(wanted.get("name", "")).strip()
    if not name or len(name) > 80 or not name.isprintable():
        fields["name"] = "Enter a name of at most 80 characters."
    if wanted.get("sensitivity") not in (1, 2, 3, 4, 5):
        fields["sensitivity"] = "Choose what it shows or moves."
    if wanted.get("ial") not in (1, 2):
        fields["ial"] = "Choose how well a person's identity is proven."
    if wanted.get("shared") not in HANDLED:
        fields["shared"] = "Choose who handles it on shared accounts."
    if not set(wanted.get("needs", ())) <= set(NEEDS):
        fields["needs"] = "Choose what it needs."
    if not set(wanted.get("purposes", ())) <= set(PURPOSES) or bool(wanted.get("purposes")) != bool(function.purposes):
        fields["purposes"] = "A function that asks for a purpose goes on asking for one; no other begins to."
    if key in GUARDED and (not wanted.get("fresh") or wanted.get("sensitivity") != 5 or wanted.get("ial") != 2):
        fields["sensitivity"] = "What moves money or gives access keeps its guard: level 5, fresh, proven identity."
    if fields:
        raise Invalid(fields=fields)
    now = facts(function)
    made = {**wanted, "name": name, "needs": sorted(wanted["needs"]), "purposes": sorted(wanted["purposes"])}
    differs = {
        field: made[field]
        for field in FIELDS
        if (sorted(now[field]) if isinstance(now[field], list) else now[field]) != made[field]
    }
    if not differs:
        raise Invalid(fields={"name": "Nothing would change."})
    return differs


def impact(db: Session, key: str, change: Mapping[str, Any]) -> Impact:
    """Return whose access a version opens or closes, and who would be asked to confirm more often.

    Whom gates 6 and 10 could say something new of is asked about by the whole decision; nobody else is.
    """
    now = facts(find(db, key))
    after = now | dict(change)
    organisations: dict[tuple[str, str], Organisation] = {}
    affected: list[Affected] = []
    holding = places(db, key)
    levels = _levels(db, {account_id for account_id, _, _ in holding})
    for account_id, provider_id, line in holding:
        where = (provider_id, line)
        if where not in organisations:
            organisations[where] = drive(db, standing.organisation(*where, Dates(clock.micros(clock.now()))))
        had, has = (_fits(f, organisations[where], levels[account_id]) for f in (now, after))
        often = bool(after["fresh"]) and not now["fresh"] and has
        if had != has or often:
            gains, loses = ((key,) if has and not had else ()), ((key,) if had and not has else ())
            note = "confirms it's them more often" if often else ""
            affected.append(Affected(account_id, *where, gains, loses, note=note))
    return Impact(tuple(decided.by_function(db, key, change, affected)))


def publish(
    db: Session, key: str, wanted: Mapping[str, Any], *, effective_at: datetime, reason: str, by: str
) -> CatalogueChange:
    """Publish a version that takes effect on a day.

    Raises as `check`, Invalid for a day that has passed or no reason, Conflict while another version waits.
    """
    change = check(db, key, wanted)
    if not reason.strip() or len(reason) > 200:
        raise Invalid(fields={"reason": "Say why, in at most 200 characters."})
    if effective_at <= clock.now():
        raise Invalid(fields={"effective": "Enter tomorrow or a later day."})
    if waiting(db, key) is not None:
        raise Conflict("A version of this function waits for its day already.")
    newest = db.exec(
        select(func.max(col(CatalogueChange.version))).where(col(CatalogueChange.entitlement) == key)
    ).one()
    made = CatalogueChange(
        entitlement=key,
        version=(newest or 1) + 1,
        after=change,
        reason=reason.strip(),
        published_by=by,
        effective_at=effective_at,
    )
    db.add(made)
    db.flush()
    _log(db, "entitlements.function.published", made, by)
    return made


def waiting(db: Session, key: str) -> CatalogueChange | None:
    """Return the version that waits for its day, if there is one."""
    return db.exec(
        select(CatalogueChange).where(
            col(CatalogueChange.entitlement) == key,
            col(CatalogueChange.applied_at).is_(None),
            col(CatalogueChange.withdrawn_at).is_(None),
        )
    ).one_or_none()


def versions(db: Session, key: str) -> list[CatalogueChange]:
    """Return every version of a function, newest first."""
    return list(
        db.exec(
            select(CatalogueChange)
            .where(col(CatalogueChange.entitlement) == key)
            .order_by(col(CatalogueChange.version).desc())
        ).all()
    )


def withdraw(db: Session, key: str, *, by: str) -> None:
    """Take back a version before its day; raise Conflict when none waits."""
    change = waiting(db, key)
    if change is None or not _take(db, change, withdrawn_at=clock.now()):
        raise Conflict("No version waits.")
    _log(db, "entitlements.function.withdrawn", change, by)


def apply_due(db: Session) -> int:
    """Put versions whose day has come into effect, each once; return how many."""
    due = db.exec(
        select(CatalogueChange)
        .where(
            col(CatalogueChange.applied_at).is_(None),
            col(CatalogueChange.withdrawn_at).is_(None),
            col(CatalogueChange.effective_at) <= clock.now(),
        )
        .order_by(col(CatalogueChange.effective_at))
        .limit(BATCH)
    ).all()
    for change in due:
        function = find(db, change.entitlement)
        before = {name: getattr(function, name) for name in change.after}
        if not _take(db, change, applied_at=clock.now(), before=before):
            continue
        for name, value in change.after.items():
            setattr(function, name, value)
        db.add(function)
        db.flush()
        epochs.changed_policy(db)
        _log(db, "entitlements.function.changed", change, change.published_by)
    return len(due)


def _fits(values: Mapping[str, Any], place: Organisation, level: int) -> bool:
    """Say whether a holder at a place passes what a version asks of place and person (gates 6 and 10)."""
    needs = values["needs"]
    return (
        (values["non_participating"] or place.participates)
        and level >= values["ial"]
        and ("capitation" not in needs or place.capitation)
        and ("credentialed" not in needs or place.credentialed)
        and ("licence" not in needs or bool(place.licences))
    )


def _levels(db: Session, accounts: set[str]) -> dict[str, int]:
    ids = sorted(accounts)
    found: dict[str, int] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        found |= dict(db.exec(select(Account.id, Account.ial).where(col(Account.id).in_(some))).all())
    return found


def _take(db: Session, change: CatalogueChange, **values: Any) -> bool:
    taken = db.execute(
        update(CatalogueChange)
        .where(
            col(CatalogueChange.id) == change.id,
            col(CatalogueChange.applied_at).is_(None),
            col(CatalogueChange.withdrawn_at).is_(None),
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    return taken.rowcount == 1


def _log(db: Session, event: str, row: CatalogueChange, by: str) -> None:
    details = {
        "version": row.version,
        "after": {name: str(value) for name, value in row.after.items()},
        "from": clock.iso(row.effective_at),
        "by": by,
    }
    log.record(db, Event(event, entitlement=row.entitlement, reason=row.reason, details=details))
