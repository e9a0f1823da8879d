"""Gate 12: on a shared account somebody else may answer for the function; name them, disclose nothing (S-04)."""

from idp.entitlements.facts import Facts, SharedFacts
from idp.entitlements.verdict import PASS, ROUTED, Contact, Stop, Verdict


def routed(facts: Facts) -> Verdict:
    """Stop with the contact of whoever answers; an owner's row beats the catalogue's column."""
    shared, function = facts.shared, facts.function
    if shared is None or function is None:
        return PASS
    if not shared.known:
        return PASS if function.shared == "permit" else _to(facts.world.service_line)
    if shared.starts_at > facts.at or (shared.ends_at is not None and shared.ends_at <= facts.at):
        return PASS
    owner = shared.owner or {"TPA": "partner", "affiliate": "affiliate"}.get(function.shared, "insurer")
    if owner == "insurer":
        return PASS
    partner_id = shared.owner_partner_id or (shared.partner_id if owner == "partner" else None)
    if partner_id is not None and facts.person.partner_id == partner_id:
        return PASS  # the party that owns the function is not sent to itself
    return _to(_contact(facts, shared, partner_id))


def _contact(facts: Facts, shared: SharedFacts, partner_id: str | None) -> Contact:
    """Return the owner row's own contact, filled up from the partner's, else the affiliate's."""
    partner = facts.world.partners.get(partner_id) if partner_id is not None else None
    known = partner.contact if partner is not None else facts.world.affiliate
    name, phone, url = shared.contact
    return Contact(name or known.name, phone or known.phone, url or known.url)


def _to(contact: Contact) -> Verdict:
    return Stop("routed", ROUTED, contact=contact)
