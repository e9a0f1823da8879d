"""Give and change what a person may do: preview a difference, then apply just that (W-4, security.md 64)."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlmodel import Session

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import duties, grants, rules
from idp.entitlements.grant_rows import Place
from idp.entitlements.rules import DUAL
from idp.entitlements.tables import Entitlement, Grant
from idp.errors import Conflict, Invalid, NotEntitled
from idp.wam import appointments, authority, difference, dual_control, holdings, jobs, receipts
from idp.wam.difference import Difference, Wish
from idp.wam.tables import Receipt


class ChangedMeanwhile(Conflict):
    """The person's access is not what the page was made from."""

    code = "changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do, and the version it was computed from."""

    difference: Difference
    seen: str
    held: dict[str, Grant]
    functions: dict[str, Entitlement]
    lacking: tuple[str, ...] = ()
    """Functions of the chosen bundle that the practice does not hold: left out, and said so."""


def held(rows: list[Grant]) -> dict[str, Grant]:
    """Return function -> its grant, of several the one that lasts longest; pauses are not holdings."""
    by_key: dict[str, Grant] = {}
    for row in rows:
        if row.effect != "allow":
            continue
        known = by_key.get(row.entitlement)
        if known is None or (
            known.expires_at is not None and (row.expires_at is None or row.expires_at > known.expires_at)
        ):
            by_key[row.entitlement] = row
    return by_key


def wish(
    db: Session,
    provider_id: str,
    line: str,
    *,
    functions: list[str],
    bundle: str | None,
    starts_at: datetime | None,
    ends_at: datetime | None,
    dates_for_all: bool = False,
) -> tuple[Wish, tuple[str, ...]]:
    """Turn what was chosen into a Wish; return with it what the bundle has and the practice lacks.

    Raises Invalid for a bundle that is not to be chosen, or dates that do not fit.
    """
    now = clock.now()
    if starts_at is not None and starts_at <= now:
        starts_at = None
    if ends_at is not None and ends_at <= (starts_at or now):
        raise Invalid(fields={"until": "Enter an end date after the start date."})
    has = holdings.functions(db, authority.provider(db, provider_id), line)
    of_bundle: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    if bundle:
        job = next((j for j in holdings.jobs(db, has) if j.bundle.key == bundle), None)
        if job is None:
            raise Invalid(fields={"bundle": "Choose one of the jobs on this page."})
        of_bundle, lacking = job.functions, job.lacking
    made = Wish(frozenset(functions), bundle, frozenset(of_bundle), starts_at, ends_at, dates_for_all)
    return made, lacking


def preview(
    db: Session, *, by: str, provider_id: str, account_id: str, line: str, wish: Wish, lacking: tuple[str, ...] = ()
) -> Preview:
    """Show what a wish would change, without changing anything.

    Raises NotFound for somebody of another practice, Conflict for a person whose access here has ended,
    NotEntitled for a line the manager does not manage, Invalid for a function the practice does not hold
    or nobody may give themselves.
    """
    authority.must_manage(db, by, provider_id, line)
    person = authority.person(db, provider_id, account_id)
    if person.affiliation is None:
        raise Conflict("This person no longer works for this practice. Add them again first.")
    rows = authority.not_ended(db, provider_id, account_id, line)
    has = holdings.functions(db, authority.provider(db, provider_id), line)
    now_held = held(rows)
    manages = any(a.account_id == account_id for a in appointments.in_force(db, provider_id, line, clock.now()))
    pairs = partial(duties.clashes, db, account_id=account_id, provider_id=provider_id, line=line)
    elsewhere = frozenset(rules.held(db, account_id, provider_id, but=line))
    mine = jobs.assigned(db, Place(account_id, provider_id, line), wish.bundle)
    made = difference.between(
        now_held, wish, pairs, manages=manages, elsewhere=elsewhere, jobs=[one.id for one in mine]
    )
    for entry in made.added + made.changed + made.joined:
        _may_give(has, entry.key, by, account_id)
    made = jobs.that_join(db, made, by)
    return Preview(made, difference.seen(rows, wish.bundle_functions), now_held, has, lacking)


def apply(
    db: Session,
    *,
    by: str,
    provider_id: str,
    account_id: str,
    line: str,
    wish: Wish,
    seen: str,
    reason: str,
    form_id: str,
) -> Receipt:
    """Make the change a manager confirmed; the same form again gives the same receipt.

    Raises what `preview` raises, ChangedMeanwhile when somebody changed the person since the preview, and
    Invalid for a conflict of duties or when nothing would change. All or nothing.
    """
    known = receipts.earlier(db, by, form_id)
    if known is not None:
        return known
    if not reason.strip() or len(reason) > 200:
        raise Invalid(fields={"reason": "Say why, in at most 200 characters."})
    authority.must_manage(db, by, provider_id, line)
    authority.person(db, provider_id, account_id, lock=True)
    try:
        receipt = receipts.begin(
            db,
            kind="change",
            provider_id=provider_id,
            account_id=account_id,
            made_by=by,
            form_id=form_id,
            reason=reason.strip(),
        )
    except receipts.AlreadyDone as done:
        return done.receipt
    now = preview(db, by=by, provider_id=provider_id, account_id=account_id, line=line, wish=wish)
    if now.seen != seen:
        raise ChangedMeanwhile(
            "This person's access, or the job, was changed after you opened the page. Nothing of yours was done.",
            then=(partial(_refused, by, provider_id, account_id, "changed_meanwhile"),),
        )
    if now.difference.conflicts:
        raise Invalid("Two of these functions may not be held by one person. Drop one of them.")
    if not now.difference.count:
        raise Invalid("Nothing would change. Choose a job or a function first.")
    made = now.difference
    two = [entry for entry in made.added + made.changed if needs_two(entry, wish)]
    for entry in two:
        dual_control.hold(
            db,
            by=by,
            provider_id=provider_id,
            account_id=account_id,
            line=line,
            entitlement=entry.key,
            starts_at=wish.starts_at,
            ends_at=wish.ends_at,
            reason=reason,
        )
    assignment = jobs.give(db, by, Place(account_id, provider_id, line), wish) if wish.bundle else None
    if assignment is not None:
        jobs.end_others(db, assignment)
    for entry in made.removed:
        for row in authority.not_ended(db, provider_id, account_id, line):
            if row.entitlement == entry.key and row.effect == "allow":
                of_job = assignment is not None and row.assignment_id == assignment.id
                grants.end(db, row, by=by, reason=reason, of_job=of_job)
    for entry in [entry for entry in made.changed if entry not in two]:
        assert entry.grant is not None
        if wish.ends_at is not None:
            others = [g for g in authority.not_ended(db, provider_id, account_id, line) if g.id != entry.grant.id]
            same = [g for g in others if g.entitlement == entry.key and g.effect == "allow"]
            grants.end_by(db, same, wish.ends_at, by=by, reason=reason)
        joins = assignment.id if assignment and entry.from_bundle else None
        grants.replace(db, entry.grant, by=by, reason=reason, expires_at=wish.ends_at, assignment_id=joins)
    for entry in made.joined:
        assert assignment is not None
        jobs.join(db, entry, assignment, by, reason)
    for entry in [entry for entry in made.added if entry not in two]:
        grants.grant(
            db,
            account_id=account_id,
            provider_id=provider_id,
            line=line,
            entitlement=entry.key,
            by=by,
            reason=reason,
            not_before=wish.starts_at,
            expires_at=wish.ends_at,
            assignment_id=assignment.id if assignment and entry.from_bundle else None,
        )
    receipt.facts = {
        "line": line,
        "bundle": wish.bundle,
        "from": clock.iso(wish.starts_at) if wish.starts_at else None,
        "to": clock.iso(wish.ends_at) if wish.ends_at else None,
        "added": [entry.key for entry in made.added if entry not in two],
        "changed": [entry.key for entry in made.changed if entry not in two],
        "removed": [entry.key for entry in made.removed],
        "held": [entry.key for entry in two],
        "stay": len(made.stay) + len(made.joined),
        "joined": [entry.key for entry in made.joined],
    }
    receipt.at = clock.now()
    db.add(receipt)
    db.flush()
    return receipt


def seen_of(rows: list[Grant]) -> str:
    """Return the version of a person's access that `apply` compares with."""
    return difference.seen(rows)


def needs_two(entry: difference.Line, wish: Wish) -> bool:
    """Say whether a second manager has to confirm: for what moves money, unless it only ends sooner."""
    if entry.key not in DUAL:
        return False
    ends = entry.grant.expires_at if entry.grant else None
    sooner = entry.grant is not None and wish.ends_at is not None and (ends is None or wish.ends_at <= ends)
    return not sooner


def _may_give(has: dict[str, Entitlement], key: str, by: str, account_id: str) -> None:
    """Refuse what this practice does not hold, and anything to oneself (security.md 64)."""
    given = has.get(key)
    if given is None:
        raise Invalid("This practice does not hold one of these functions. Its access managers can ask us for it.")
    if by == account_id:
        raise NotEntitled(f"Nobody gives themselves {given.name}. Ask another access manager.", code="may_not_give")


def _refused(by: str, provider_id: str, account_id: str, reason: str, db: Session) -> None:
    log.record(
        db,
        Event(
            "wam.change.refused",
            account=account_id,
            provider=provider_id,
            outcome="refused",
            reason=reason,
            details={"by": by},
        ),
    )
