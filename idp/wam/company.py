"""An outside company's administrator: passes a delegation on, and says which of its people work by it (W-6).

Each step takes its measure from the whole chain above it at that moment, with every link held as it is until the
transaction ends: what ends meanwhile waits for us, or is seen. The decision asks the chain again, every time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import catalog, chains, grants
from idp.entitlements.chains import Ceiling, Scope
from idp.entitlements.tables import Delegation, Entitlement, Grant
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.leaving import delegations as ending
from idp.leaving import people as leaving
from idp.notices import outbox, saying
from idp.partners import members
from idp.partners.tables import Partner
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.wam import agents, delegating, holdings, receipts

WITHDRAWN = "withdrawn"
_LOGINS = text(
    "SELECT l.account_id FROM login l JOIN upstream u ON u.id = l.upstream_id "
    "WHERE u.partner_id = :p AND l.ended_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the company's people in one delegation: what they may do there."""

    account: Account
    functions: tuple[Grant, ...]
    places: tuple[str, ...] | None


def must_administer(db: Session, by: str, partner_id: str) -> Partner:
    """Require an administrator of the company, and hold it until this transaction ends.

    Raises NotFound: a stranger's company looks like one that does not exist.
    """
    partner = db.get(Partner, partner_id)
    if partner is None or not members.administers(db, by, partner_id):
        raise NotFound
    if db.exec(select(Account.status).where(col(Account.id) == by)).first() != "active":  # as it is since we hold it
        raise NotFound
    return partner


def received(db: Session, partner_id: str) -> list[Delegation]:
    """Return every delegation a company ever had, those in force first, then the newest."""
    rows = db.exec(select(Delegation).where(col(Delegation.partner_id) == partner_id)).all()
    return sorted(rows, key=lambda r: (r.ended_at is not None, -clock.micros(r.starts_at), r.id))


def of_company(db: Session, partner_id: str, delegation_id: str) -> Delegation:
    """Return a delegation to this company; anything else is NotFound."""
    found = db.get(Delegation, delegation_id)
    if found is None or found.partner_id != partner_id:
        raise NotFound
    return found


def ceiling(db: Session, found: Delegation) -> tuple[Ceiling, dict[str, Entitlement]]:
    """Return the most the chain allows now, and of it the functions the practice still holds, by key."""
    most = chains.ceiling(chains.of(db, found))
    provider = db.get(Provider, found.provider_id)
    held: dict[str, Entitlement] = {}
    for line in sorted(most.lines):
        held |= holdings.functions(db, provider, line) if provider else {}
    return most, {key: e for key, e in held.items() if key in most.entitlements}


def people(db: Session, partner_id: str) -> list[Account]:
    """Return the company's people, by name: its members, and those who sign in with its login."""
    tied = {m.account_id for m in members.in_force(db, partner_id)}
    logins = db.execute(_LOGINS, {"p": partner_id}).scalars()
    wanted = tied | set(logins)
    query = select(Account).where(
        col(Account.id).in_(wanted), col(Account.status).in_(("active", "verified", "invited"))
    )
    return sorted(db.exec(query).all(), key=lambda a: (a.display_name.casefold(), a.id))


def workers(db: Session, found: Delegation) -> list[Worker]:
    """Return who works by a delegation, by name."""
    rows = db.exec(
        select(Grant)
        .where(col(Grant.delegation_id) == found.id, col(Grant.ended_at).is_(None), col(Grant.effect) == "allow")
        .order_by(col(Grant.entitlement), col(Grant.id))
    ).all()
    by_person: dict[str, list[Grant]] = {}
    for row in rows:
        if row.expires_at is None or row.expires_at > clock.now():
            by_person.setdefault(row.account_id, []).append(row)
    made = []
    for account_id, held in by_person.items():
        account = db.get(Account, account_id)
        tie = affiliations.live(db, account_id, found.provider_id)
        if account is not None:
            narrowed = tuple(map(str, tie.locations)) if tie and tie.locations is not None else None
            made.append(Worker(account, tuple(held), narrowed))
    return sorted(made, key=lambda one: (one.account.display_name.casefold(), one.account.id))


def assign(
    db: Session,
    *,
    by: str,
    partner_id: str,
    delegation_id: str,
    account_id: str,
    scope: Scope,
    form_id: str,
) -> None:
    """Let one of the company's people work for the practice, within the delegation; what they had by it is replaced.

    Raises NotFound for another company's delegation or person, NotInForce for a chain that does not hold, Invalid
    for more than it allows, MayNotGive for oneself, Conflict for a person who works there another way.
    """
    must_administer(db, by, partner_id)
    found = of_company(db, partner_id, delegation_id)
    if receipts.earlier(db, by, form_id) is not None:
        return
    chain = chains.of(db, found, lock=True)
    chains.must_hold(db, chain)
    if account_id not in {one.id for one in people(db, partner_id)}:
        raise NotFound
    if account_id == by:
        raise NotEntitled("Nobody gives themselves access. Another administrator can.", code="may_not_give")
    most, _ = ceiling(db, found)
    check_within(db, found, most, scope)
    try:
        receipts.begin(
            db,
            kind="delegation",
            provider_id=found.provider_id,
            account_id=account_id,
            made_by=by,
            form_id=form_id,
            reason="assigned",
        ).facts = {"works_by": found.id, "lines": sorted(set(scope.lines))}
    except receipts.AlreadyDone:
        return
    places = sorted(set(scope.locations)) if scope.locations is not None else None
    agents.tie(db, found, account_id, by=by, locations=places)
    for row in _held(db, found, account_id):
        grants.end(db, row, by=by, reason="replaced")
    for line in sorted(set(scope.lines)):
        for key in sorted(set(scope.entitlements)):
            grants.grant(
                db,
                account_id=account_id,
                provider_id=found.provider_id,
                line=line,
                entitlement=key,
                by=by,
                reason=f"delegation {found.id}",
                expires_at=scope.ends_at,
                delegation_id=found.id,
            )
    given = {"functions": sorted(scope.entitlements), "lines": sorted(scope.lines), "places": places}
    _log(db, "wam.delegation.assigned", found, account_id, by, **given)
    _tell_given(db, found, scope, account_id, by=by)


def check_within(db: Session, found: Delegation, most: Ceiling, scope: Scope) -> None:
    """Raise Invalid, field by field, for anything beyond what the chain allows and the practice holds."""
    fields = {}
    if not scope.lines or not set(scope.lines) <= most.lines:
        fields["line"] = "Choose from the lines of business on this page."
    else:
        held = delegating.functions(db, _provider(db, found), scope.lines)
        if not scope.entitlements:
            fields["f"] = "Choose at least one function."
        elif not set(scope.entitlements) <= held.keys() & most.entitlements:
            fields["f"] = "Choose from the functions on this page: the practice must hold each in each line you chose."
    if scope.locations is not None and not scope.locations:
        fields["place"] = "Choose at least one place, or all of them."
    elif scope.locations is not None and most.locations is not None and not set(scope.locations) <= most.locations:
        fields["place"] = "Choose from the places on this page."
    elif scope.locations is not None and most.locations is None:
        known = {row.id for row in delegating.places(db, found.provider_id)}
        if not set(scope.locations) <= known:
            fields["place"] = "Choose from the places on this page."
    fields |= delegating.end_date(scope.ends_at, most.ends_at)
    if fields:
        raise Invalid(fields=fields)


def withdraw(db: Session, *, by: str, partner_id: str, delegation_id: str, account_id: str) -> int:
    """Take a delegation from one of the company's people, at once; return how many functions ended.

    Raises NotFound when they don't work by it.
    """
    must_administer(db, by, partner_id)
    found = of_company(db, partner_id, delegation_id)
    rows = _held(db, found, account_id)
    if not rows:
        raise NotFound
    _log(db, "wam.delegation.withdrawn", found, account_id, by)
    for row in rows:
        grants.end(db, row, by=by, reason=WITHDRAWN)
    tie = affiliations.live(db, account_id, found.provider_id)
    if tie is not None and tie.partner_id == partner_id and not _anything_left(db, account_id, found.provider_id):
        leaving.leave(db, account_id, found.provider_id, reason=WITHDRAWN, by=by)
    provider = db.get(Provider, found.provider_id)
    facts = {"provider": provider.name if provider else "", "what": f"{len(rows)} of your functions there"}
    outbox.send(db, account_id, "delegated_access_ended", facts)
    return len(rows)


def give_back(db: Session, *, by: str, partner_id: str, delegation_id: str) -> None:
    """End a delegation from the company's side; both sides are told. Raises NotFound, Conflict when it had ended."""
    must_administer(db, by, partner_id)
    found = of_company(db, partner_id, delegation_id)
    delegating.ended_receipt(db, found, by=by, reason="given_back")
    if not ending.end(db, found, by=by, reason="given_back"):
        raise Conflict("This delegation had ended already.")


def take_back(db: Session, *, by: str, partner_id: str, delegation_id: str, child_id: str) -> None:
    """End what the company passed on to another one. Raises NotFound, Conflict when it had ended."""
    must_administer(db, by, partner_id)
    found = of_company(db, partner_id, delegation_id)
    child = db.get(Delegation, child_id)
    if child is None or child.parent_id != found.id:
        raise NotFound
    delegating.ended_receipt(db, child, by=by, reason="taken_back")
    if not ending.end(db, child, by=by, reason="taken_back"):
        raise Conflict("This delegation had ended already.")


def _provider(db: Session, found: Delegation) -> Provider:
    provider = db.get(Provider, found.provider_id)
    assert provider is not None
    return provider


def _held(db: Session, found: Delegation, account_id: str) -> Sequence[Grant]:
    return db.exec(
        select(Grant).where(
            col(Grant.account_id) == account_id,
            col(Grant.provider_id) == found.provider_id,
            col(Grant.delegation_id) == found.id,
            col(Grant.ended_at).is_(None),
            col(Grant.effect) == "allow",
        )
    ).all()


def _anything_left(db: Session, account_id: str, provider_id: str) -> bool:
    left = select(Grant.id).where(
        col(Grant.account_id) == account_id,
        col(Grant.provider_id) == provider_id,
        col(Grant.ended_at).is_(None),
        col(Grant.effect) == "allow",
    )
    return db.exec(left).first() is not None


def _tell_given(db: Session, found: Delegation, scope: Scope, account_id: str, *, by: str) -> None:
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    provider, partner, who = db.get(Provider, found.provider_id), db.get(Partner, found.partner_id), db.get(Account, by)
    facts = {
        "by": who.display_name if who else "",
        "company": partner.name if partner else "",
        "provider": provider.name if provider else "",
        "functions": ", ".join(names.get(key, key) for key in sorted(scope.entitlements)),
        "until": saying.moment(scope.ends_at, of(db).settings.time_zone) if scope.ends_at else "",
    }
    outbox.send(db, account_id, "delegated_access_given", facts)


def _log(db: Session, event: str, found: Delegation, account_id: str, by: str, **more: object) -> None:
    details = {"delegation": found.id, "partner": found.partner_id, "by": by, **more}
    log.record(db, Event(event, account=account_id, provider=found.provider_id, details=details))
