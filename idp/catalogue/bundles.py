"""New versions of jobs (bundles): checked, previewed for each affected person, in effect from a day, then applied.

A person's assignment moves to the new version when its day comes: grants the job no longer has end, new ones begin,
but for what the practice does not hold or the person may not. What moves money or gives access is in no job.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, func, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.catalogue import apart
from idp.catalogue.decided import decided
from idp.catalogue.impact import Affected, Impact
from idp.entitlements import bundles, duties, grants, rules
from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.rules import DUAL
from idp.entitlements.tables import Assignment, Bundle, BundleItem, Entitlement, Grant
from idp.errors import Conflict, Invalid
from idp.providers.tables import Affiliation, Provider
from idp.signals import epochs
from idp.wam import holdings

FIXED = frozenset({"wam", "delegated_vendor"})
"""Follow from an appointment or a delegation; never edited."""
BARRED = AUTHORITY | DUAL
"""Given one by one, by two people or by appointment, never with a job."""
BATCH = 100


def check(db: Session, key: str, items: Iterable[str]) -> list[str]:
    """Return the functions of a new version, sorted; raise Invalid for what may not be in a job."""
    bundles.find(db, key)
    wanted, fields = sorted(set(items)), {}
    known = {e.key: e for e in db.exec(select(Entitlement)).all()}
    if key in FIXED:
        fields["bundle"] = "This job follows from an appointment or a delegation and is not edited."
    elif not wanted or len(wanted) > 100 or any(item not in known or known[item].insurer_side for item in wanted):
        fields["functions"] = "Choose at least one function of the portals."
    elif barred := BARRED & set(wanted):
        names = ", ".join(sorted(known[item].name for item in barred))
        fields["functions"] = f"{names}: given one by one, by two people or by appointment, never with a job."
    elif clashes := duties.clashes(db, wanted):
        pair = clashes[0]
        fields["functions"] = f"{known[pair.first].name} and {known[pair.second].name} don't go together. {pair.why}"
    if fields:
        raise Invalid(fields=fields)
    return wanted


def coming(db: Session, key: str) -> Bundle | None:
    """Return the version that waits for its day, if there is one."""
    return db.exec(
        select(Bundle)
        .where(col(Bundle.key) == key, col(Bundle.effective_at) > clock.now(), col(Bundle.withdrawn_at).is_(None))
        .order_by(col(Bundle.version).desc())
    ).first()


def impact(db: Session, key: str, items: Iterable[str], *, provider_id: str | None = None) -> Impact:
    """Return for everybody who has the job what they would gain and lose if it were so now, by the whole decision.

    Who has parts of it on their own comes last: they are not moved.
    """
    wanted = frozenset(items)
    given = [_affected(db, one, wanted, _of_assignment(db, one)) for one in _assigned(db, key, provider_id)]
    moved = decided(db, key, [a for a in given if a.gains or a.loses or a.stays_out])
    return Impact((*moved, *apart.affected(db, key, wanted, provider_id=provider_id)))


def people(db: Session, key: str, provider_id: str, line: str) -> int:
    """Return how many people of a practice have a job in a line."""
    return len({one.account_id for one in _assigned(db, key, provider_id) if one.line == line})


def publish(
    db: Session, key: str, items: Iterable[str], *, seen: int, effective_at: datetime, reason: str, by: str
) -> Bundle:
    """Publish a version that takes effect on a day; `seen` is the version the preview was made from.

    Raises Invalid as `check` does, and for a day that has passed or no reason; Conflict when another version was
    published meanwhile or waits for its day.
    """
    wanted = check(db, key, items)
    if not reason.strip() or len(reason) > 200:
        raise Invalid(fields={"reason": "Say why, in at most 200 characters."})
    if effective_at <= clock.now():
        raise Invalid(fields={"effective": "Enter tomorrow or a later day, so that access managers can see it before."})
    now = bundles.find(db, key)
    last = newest(db, key)
    if last != seen:
        raise Conflict("Another version was published meanwhile. Check the difference again.")
    if coming(db, key) is not None:
        raise Conflict("A version waits for its day already. Publish after it, or withdraw it.")
    made = Bundle(
        key=key,
        version=last + 1,
        name=now.name,
        description=now.description,
        effective_at=effective_at,
        published_by=by,
        reason=reason.strip(),
    )
    db.add(made)
    for item in wanted:
        db.add(BundleItem(bundle=key, version=made.version, entitlement=item))
    db.flush()
    epochs.changed_policy(db)
    _log(db, "entitlements.bundle.published", made, by, items=wanted)
    return made


def newest(db: Session, key: str) -> int:
    """Return the number of a job's newest version, in effect or not."""
    return db.exec(select(func.max(col(Bundle.version))).where(col(Bundle.key) == key)).one()


def set_up(db: Session, key: str, items: Iterable[str], *, by: str) -> Bundle:
    """Make a version that holds at once, of a job nobody has: a new installation's.

    Raises Invalid as `check` does, Conflict where somebody has it: they and their managers are told a day before.
    """
    wanted = check(db, key, items)
    if _assigned(db, key, None, most=1):
        raise Conflict("People have this job. Publish the change for a day to come.")
    if coming(db, key) is not None:
        raise Conflict("A version waits for its day already. Withdraw it first.")
    now = bundles.find(db, key)
    made = Bundle(
        key=key,
        version=newest(db, key) + 1,
        name=now.name,
        description=now.description,
        effective_at=clock.now(),
        published_by=by,
        reason="set up",
    )
    db.add(made)
    for item in wanted:
        db.add(BundleItem(bundle=key, version=made.version, entitlement=item))
    db.flush()
    epochs.changed_policy(db)
    _log(db, "entitlements.bundle.published", made, by, items=wanted)
    return made


def withdraw(db: Session, key: str, *, by: str) -> None:
    """Take back a version before its day; raise Conflict when none waits."""
    waits = coming(db, key)
    if waits is None:
        raise Conflict("No version waits.")
    waits.withdrawn_at = clock.now()
    db.add(waits)
    db.flush()
    _log(db, "entitlements.bundle.withdrawn", waits, by)


def apply_due(db: Session) -> int:
    """Move a batch of assignments to the version in effect; return how many moved. Safe to run twice."""
    moved = 0
    for bundle in bundles.current(db):
        if bundle.effective_at is None or moved >= BATCH:
            continue
        wanted = frozenset(bundles.items(db, bundle))
        for one in _assigned(db, bundle.key, None, before=bundle.version, most=BATCH - moved):
            _move(db, one, bundle, wanted)
            moved += 1
    return moved


def _move(db: Session, one: Assignment, bundle: Bundle, wanted: frozenset[str]) -> None:
    of_job = _of_assignment(db, one)
    change, reason = _affected(db, one, wanted, of_job), f"job {bundle.key}, version {bundle.version}"
    one.version = bundle.version
    if not of_job:  # all of it was taken before a function's end ended its job: no version brings it back
        one.ended_at = clock.now()
    db.add(one)
    db.flush()
    for row in of_job:
        if row.entitlement in change.loses:
            grants.end(db, row, by="system", reason=reason, of_job=True)
    for key in change.gains:
        grants.grant(
            db,
            account_id=one.account_id,
            provider_id=one.provider_id,
            line=one.line,
            entitlement=key,
            by="system",
            reason=reason,
            not_before=max(clock.now(), one.starts_at),
            expires_at=one.ends_at,
            assignment_id=one.id,
        )
    log.record(
        db,
        Event(
            "entitlements.bundle.changed",
            account=one.account_id,
            provider=one.provider_id,
            details={
                "bundle": bundle.key,
                "version": bundle.version,
                "assignment": one.id,
                "gains": list(change.gains),
                "loses": list(change.loses),
                "stays_out": list(change.stays_out),
            },
        ),
    )


def _affected(db: Session, one: Assignment, wanted: frozenset[str], rows: list[Grant]) -> Affected:
    """Compare what a person has of the job with what it shall be; what may not be given stays out, and is named."""
    of_job = {row.entitlement for row in rows}
    everything = {row.entitlement for row in _held(db, one)}
    provider = db.get(Provider, one.provider_id)
    has = holdings.functions(db, provider, one.line) if provider is not None else {}
    account = db.get(Account, one.account_id)
    stays = rules.held(db, one.account_id, one.provider_id) - (of_job - wanted)
    gains: list[str] = []
    out: list[str] = []
    taken = bundles.items_of(db, one.bundle, one.version) if of_job else wanted
    for key in sorted(wanted - everything - taken):  # what the version before had, and they have not, was taken
        function = has.get(key)
        clash = any(key in (pair.first, pair.second) for pair in duties.clashes(db, {*stays, *gains, key}))
        if function is None or account is None or account.ial < function.ial or clash:
            out.append(key)
        else:
            gains.append(key)
    return Affected(one.account_id, one.provider_id, one.line, tuple(gains), tuple(sorted(of_job - wanted)), tuple(out))


def _held(db: Session, one: Assignment) -> list[Grant]:
    now = clock.now()
    return list(
        db.exec(
            select(Grant).where(
                col(Grant.account_id) == one.account_id,
                col(Grant.provider_id) == one.provider_id,
                col(Grant.line_of_business) == one.line,
                col(Grant.effect) == "allow",
                col(Grant.ended_at).is_(None),
                or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > now),
            )
        ).all()
    )


def _of_assignment(db: Session, one: Assignment) -> list[Grant]:
    return [row for row in _held(db, one) if row.assignment_id == one.id]


def _assigned(
    db: Session, key: str, provider_id: str | None, *, before: int | None = None, most: int | None = None
) -> list[Assignment]:
    """Return the live assignments of a job, of people who still work there."""
    now = clock.now()
    query = (
        select(Assignment)
        .join(
            Affiliation,
            (col(Affiliation.account_id) == col(Assignment.account_id))
            & (col(Affiliation.provider_id) == col(Assignment.provider_id)),
        )
        .where(
            col(Assignment.bundle) == key,
            col(Assignment.ended_at).is_(None),
            or_(col(Assignment.ends_at).is_(None), col(Assignment.ends_at) > now),
            col(Affiliation.ended_at).is_(None),
        )
        .order_by(col(Assignment.provider_id), col(Assignment.id))
    )
    if provider_id is not None:
        query = query.where(col(Assignment.provider_id) == provider_id)
    if before is not None:
        query = query.where(col(Assignment.version) < before)
    return list(db.exec(query.limit(most) if most else query).all())


def _log(db: Session, event: str, row: Bundle, by: str, **more: object) -> None:
    details = {"bundle": row.key, "version": row.version, "by": by, **more}
    if row.effective_at is not None:
        details["from"] = clock.iso(row.effective_at)
    log.record(db, Event(event, reason=row.reason or None, details=details))
