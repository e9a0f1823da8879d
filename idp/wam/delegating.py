"""A practice lets an outside company work for it: what, where, in which lines, until when (W-6).

Given by an access manager of every line it is for, never more than the practice holds, never what moves money or
gives access. The company's own administrators then choose its people (`company.py`).
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import catalog, chains, delegations
from idp.entitlements.chains import Scope
from idp.entitlements.rules import MayNotGive
from idp.entitlements.tables import Delegation, Entitlement
from idp.errors import Conflict, Invalid, NotFound
from idp.leaving import delegations as ending
from idp.leaving.delegations import Loss
from idp.notices import outbox, saying
from idp.partners import members
from idp.partners.standing import GOOD
from idp.partners.tables import Partner
from idp.providers.registry_tables import ProviderLocation
from idp.providers.tables import Affiliation, Provider
from idp.wam import authority, delegation_lost, holdings, receipts

KINDS = ("third_party", "administrator")
"""Partners that work for practices: billing firms and the like, third-party administrators."""
PAUSED_SHOWN = 20
LONGEST = timedelta(days=2 * 366)
MOST_SENSITIVE = 4
"""What moves money or gives access is nobody's to hand on (domain.md 6)."""
REASONS = {
    "contract_ended": "The contract ended",
    "other_company": "Another company does it",
    "misuse": "Something is wrong",
    "other": "Another reason",
}

ENDINGS = REASONS | {
    "expired": "Its last day had come",
    "given_back": "The company gave it back",
    "taken_back": "The company above took it back",
}
"""Every reason a page may meet."""


def companies(db: Session) -> list[Partner]:
    """Return the companies a practice may choose from: registered and in good standing, by name."""
    query = select(Partner).where(col(Partner.kind).in_(KINDS), col(Partner.status).in_(GOOD))
    return list(db.exec(query.order_by(col(Partner.name), col(Partner.id))).all())


def paused(db: Session) -> list[Partner]:
    """Return the companies that are registered and can't be chosen while the insurer has paused them, by name."""
    query = select(Partner).where(col(Partner.kind).in_(KINDS), col(Partner.status) == "suspended")
    return list(db.exec(query.order_by(col(Partner.name), col(Partner.id)).limit(PAUSED_SHOWN)).all())


def in_force_with(db: Session, provider_id: str, partner_id: str, lines: Collection[str]) -> list[Delegation]:
    """Return what a practice has delegated to a company already in these lines of business, in force or to come."""
    return [one for one in all_of(db, provider_id, lines) if one.partner_id == partner_id and one.ended_at is None]


def functions(db: Session, provider: Provider, lines: Sequence[str]) -> dict[str, Entitlement]:
    """Return what a practice can hand on in all of these lines, by key."""
    held = [holdings.functions(db, provider, line) for line in lines]
    common = set.intersection(*(set(one) for one in held)) if held else set()
    return {
        key: e
        for key, e in (held[0] if held else {}).items()
        if key in common and e.sensitivity <= MOST_SENSITIVE and e.app != "Access"
    }


def places(db: Session, provider_id: str) -> list[ProviderLocation]:
    """Return where a practice works now, by name."""
    now = clock.now()
    rows = db.exec(select(ProviderLocation).where(col(ProviderLocation.provider_id) == provider_id)).all()
    return sorted((r for r in rows if r.ends_at is None or r.ends_at > now), key=lambda r: (r.name, r.id))


def delegate(
    db: Session,
    *,
    by: str,
    provider_id: str,
    partner_id: str,
    scope: Scope,
    redelegable: bool = False,
    form_id: str,
) -> Delegation:
    """Let a company work for a practice; both sides are told. The same form again gives the same delegation.

    Raises as `proposed`.
    """
    known = receipts.earlier(db, by, form_id)
    if known is not None:
        return of_practice(db, provider_id, str(known.facts.get("delegation", "")))
    partner = proposed(db, by=by, provider_id=provider_id, partner_id=partner_id, scope=scope)
    try:
        receipt = receipts.begin(db, kind="delegation", provider_id=provider_id, made_by=by, form_id=form_id)
    except receipts.AlreadyDone as done:
        return of_practice(db, provider_id, str(done.receipt.facts.get("delegation", "")))
    made = delegations.record(
        db,
        provider_id=provider_id,
        partner_id=partner.id,
        redelegable=redelegable,
        approved_by=by,
        **stored(scope),
    )
    receipt.facts = {"delegation": made.id, "lines": list(made.lines)}
    db.add(receipt)
    announce(db, made, by=by)
    return made


def proposed(db: Session, *, by: str, provider_id: str, partner_id: str, scope: Scope) -> Partner:
    """Return the company that may be let work like this by this manager; nothing is done.

    Raises NotYourLine for a line the manager does not manage, Invalid for a company, function, place or date that
    can't be chosen, all of them at once, MayNotGive for a manager who works for that company.
    """
    for line in scope.lines:
        authority.must_manage(db, by, provider_id, line)
    partner = _company(db, partner_id)
    fields = {} if partner else {"company": "Choose one of the companies on this page."}
    fields |= _wrong(db, authority.provider(db, provider_id), scope)
    if partner is None or fields:
        raise Invalid(fields=fields)
    _not_both_sides(db, by, partner)
    return partner


def of_practice(db: Session, provider_id: str, delegation_id: str, lines: Collection[str] | None = None) -> Delegation:
    """Return a delegation of this practice, in one of these lines of business at least; anything else is NotFound."""
    found = db.get(Delegation, delegation_id)
    if found is None or found.provider_id != provider_id or not _in_lines(found, lines):
        raise NotFound
    return found


def all_of(db: Session, provider_id: str, lines: Collection[str] | None = None) -> list[Delegation]:
    """Return every delegation a practice ever made in these lines of business, in force first, then the newest."""
    every = db.exec(select(Delegation).where(col(Delegation.provider_id) == provider_id)).all()
    rows = (row for row in every if _in_lines(row, lines))
    return sorted(rows, key=lambda r: (r.ended_at is not None, -clock.micros(r.starts_at), r.id))


def _in_lines(row: Delegation, lines: Collection[str] | None) -> bool:
    return lines is None or not set(lines).isdisjoint(row.lines)


def preview(db: Session, *, by: str, provider_id: str, delegation_id: str) -> list[Loss]:
    """Show who would lose what; raise NotYourLine, NotFound."""
    found = of_practice(db, provider_id, delegation_id)
    _must_manage_all(db, by, found)
    return ending.losses(db, found)


def end(db: Session, *, by: str, provider_id: str, delegation_id: str, reason: str) -> Delegation:
    """End a delegation with all that hang on it, at once; both sides are told.

    Raises NotFound, NotYourLine, Invalid without a reason, Conflict when it had ended.
    """
    found = of_practice(db, provider_id, delegation_id)
    _must_manage_all(db, by, found)
    if reason not in REASONS:
        raise Invalid(fields={"reason": "Choose why it ends."})
    ended_receipt(db, found, by=by, reason=reason)
    if not ending.end(db, found, by=by, reason=reason):
        raise Conflict("This delegation had ended already.")
    db.refresh(found)
    return found


def ended_receipt(db: Session, found: Delegation, *, by: str, reason: str) -> None:
    """Keep what this transaction records from here on as the receipt of a delegation's end, whichever side ends it."""
    receipt = receipts.begin(
        db,
        kind="delegation_end",
        provider_id=found.provider_id,
        made_by=by,
        form_id=receipts.new_form_id(),
        reason=reason,
    )
    receipt.facts = {"delegation": found.id, "lines": list(found.lines), "lost": delegation_lost.kept(db, found)}


def announce(db: Session, made: Delegation, *, by: str) -> None:
    """Record a delegation that was made and write to both sides."""
    details = {
        "delegation": made.id,
        "partner": made.partner_id,
        "parent": made.parent_id,
        "functions": made.entitlements,
        "lines": made.lines,
        "places": made.locations,
        "to": clock.iso(made.ends_at) if made.ends_at else None,
        "by": by,
    }
    log.record(db, Event("wam.delegation.made", provider=made.provider_id, details=details))
    provider, partner, who = db.get(Provider, made.provider_id), db.get(Partner, made.partner_id), db.get(Account, by)
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    issuer = of(db).settings.issuer
    facts = {
        "by": who.display_name if who else "",
        "company": partner.name if partner else "",
        "provider": provider.name if provider else "",
        "until": saying.moment(made.ends_at, of(db).settings.time_zone) if made.ends_at else "further notice",
        "functions": ", ".join(names.get(str(key), str(key)) for key in made.entitlements),
        "lines": ", ".join(str(line).replace("_", " ") for line in made.lines),
        "practice_page": f"{issuer}/p/{made.provider_id}/delegations/{made.id}",
        "company_page": f"{issuer}/company/{made.partner_id}/delegations/{made.id}",
    }
    for account_id in sorted(ending.both_sides(db, made)):
        outbox.send(db, account_id, "delegation_made", facts)


def _must_manage_all(db: Session, by: str, found: Delegation) -> None:
    """Whoever manages one of its lines may end it: taking away needs less than giving."""
    managed = set(authority.lines_of(db, by, found.provider_id))
    for line in sorted(map(str, found.lines)):
        if line in managed:
            authority.must_manage(db, by, found.provider_id, line)
            return
    raise authority.NotYourLine("You are not an access manager of a line of business of this delegation.")


def _company(db: Session, partner_id: str) -> Partner | None:
    query = select(Partner).where(col(Partner.id) == partner_id).with_for_update(read=True)
    partner = db.exec(query).one_or_none()
    return partner if partner is not None and partner.kind in KINDS and partner.status in GOOD else None


def _not_both_sides(db: Session, by: str, partner: Partner) -> None:
    """Refuse who gives and would receive: a manager who works for the company (nobody gives themselves access)."""
    works = db.exec(
        select(Affiliation.id).where(
            col(Affiliation.account_id) == by,
            col(Affiliation.partner_id) == partner.id,
            col(Affiliation.ended_at).is_(None),
        )
    ).first()
    if works is not None or members.of_person(db, by, partner.id) is not None:
        raise MayNotGive(f"You work for {partner.name} yourself. Another access manager has to do this.")


def stored(scope: Scope) -> dict[str, Any]:
    """Return a scope as a delegation's columns."""
    return {
        "entitlements": sorted(set(scope.entitlements)),
        "lines": sorted(set(scope.lines)),
        "locations": sorted(set(scope.locations)) if scope.locations is not None else None,
        "ends_at": scope.ends_at,
    }


def _wrong(db: Session, provider: Provider, scope: Scope) -> dict[str, str]:
    """Return what of a scope can't be chosen, field by field."""
    fields = {}
    held = functions(db, provider, scope.lines)
    if not scope.entitlements:
        fields["f"] = "Choose at least one function."
    elif scope.lines and not set(scope.entitlements) <= held.keys():
        fields["f"] = "Choose from the functions on this page: the practice holds no other that it can hand on."
    if not scope.lines:
        fields["line"] = "Choose at least one line of business."
    if scope.locations is not None and not scope.locations:
        fields["place"] = "Choose at least one place, or all of them."
    elif scope.locations is not None and not set(scope.locations) <= {row.id for row in places(db, provider.id)}:
        fields["place"] = "Choose from the places on this page."
    return fields | end_date(scope.ends_at)


def end_date(ends_at: datetime | None, most: datetime | None = None) -> dict[str, str]:
    """Return what is wrong with the last day of what an outside company gets: it needs one, and not too late."""
    now = clock.now()
    if ends_at is None:
        return {"until": "Enter a last day. What an outside company gets always ends."}
    if ends_at <= now:
        return {"until": "Enter a day that has not passed."}
    if most is not None and ends_at > most:
        return {"until": "This is after the end of the delegation above it. Enter an earlier day."}
    if ends_at > now + LONGEST:
        return {"until": "Enter a day within the next two years."}
    return {}


def chain_of(db: Session, found: Delegation) -> list[tuple[Delegation, str]]:
    """Return the chain of a delegation with the companies' names, outermost first."""
    chain = chains.of(db, found)
    return [(link, partner.name if (partner := db.get(Partner, link.partner_id)) else "") for link in chain]
