"""A company passes a delegation on to another one, where the practice allowed that (W-6)."""

from collections.abc import Sequence
from dataclasses import replace

from sqlmodel import Session, col, select

from idp.entitlements import chains, delegations
from idp.entitlements.chains import Scope
from idp.entitlements.rules import MayNotGive
from idp.entitlements.tables import Delegation
from idp.errors import Invalid
from idp.partners import members
from idp.partners.standing import GOOD
from idp.partners.tables import Partner
from idp.wam import company, delegating, receipts


class NotPassedOn(MayNotGive):
    """The practice, or the company above, did not allow passing it on."""

    title = "This can't be passed on"


def choosable(db: Session, found: Delegation) -> list[Partner]:
    """Return the companies it can be passed on to: in good standing, and not in its chain already."""
    taken = {link.partner_id for link in chains.of(db, found)}
    return [one for one in delegating.companies(db) if one.id not in taken]


def pass_on(
    db: Session,
    *,
    by: str,
    partner_id: str,
    delegation_id: str,
    to: str,
    scope: Scope,
    redelegable: bool = False,
    form_id: str,
) -> Delegation:
    """Let another company work by this delegation, within it; all sides are told.

    Raises NotFound for another company's delegation, NotPassedOn where that was not allowed or the chain is long
    enough, NotInForce for a chain that does not hold, Invalid for more than it allows, for a company of the same
    chain (a circle) or one in bad standing, MayNotGive for who works for the receiving company.
    """
    company.must_administer(db, by, partner_id)
    found = company.of_company(db, partner_id, delegation_id)
    known = receipts.earlier(db, by, form_id)
    if known is not None:
        return delegating.of_practice(db, found.provider_id, str(known.facts.get("delegation", "")))
    chain = chains.of(db, found, lock=True)
    chains.must_hold(db, chain)
    if not all(link.redelegable for link in chain):
        raise NotPassedOn("The practice did not allow passing this on to another company.")
    if len(chain) >= chains.LONGEST:
        raise NotPassedOn("This has been passed on often enough. Ask the practice to let that company work directly.")
    receiver = _receiver(db, to, chain)
    if members.of_person(db, by, receiver.id) is not None:
        raise MayNotGive(f"You work for {receiver.name} yourself. Another administrator has to do this.")
    most, _ = company.ceiling(db, found)
    if most.locations is not None and scope.locations is None:
        scope = replace(scope, locations=tuple(sorted(most.locations)))
    company.check_within(db, found, most, scope)
    try:
        receipt = receipts.begin(
            db, kind="delegation", provider_id=found.provider_id, made_by=by, form_id=form_id, reason="passed_on"
        )
    except receipts.AlreadyDone as done:
        return delegating.of_practice(db, found.provider_id, str(done.receipt.facts.get("delegation", "")))
    made = delegations.record(
        db,
        provider_id=found.provider_id,
        partner_id=receiver.id,
        parent_id=found.id,
        redelegable=redelegable,
        approved_by=by,
        **delegating.stored(scope),
    )
    receipt.facts = {"delegation": made.id, "lines": list(made.lines)}
    db.add(receipt)
    delegating.announce(db, made, by=by)
    return made


def _receiver(db: Session, partner_id: str, chain: Sequence[Delegation]) -> Partner:
    query = select(Partner).where(col(Partner.id) == partner_id).with_for_update(read=True)
    found = db.exec(query).one_or_none()
    if found is None or found.kind not in delegating.KINDS or found.status not in GOOD:
        raise Invalid(fields={"company": "Choose one of the companies on this page."})
    if found.id in {link.partner_id for link in chain}:
        raise Invalid(fields={"company": "This company is in the chain already. A circle can't be made."})
    return found
