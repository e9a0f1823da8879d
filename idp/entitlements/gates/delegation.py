"""Gate 9: whoever works for a third party acts within a delegation, every link of it in good standing (W-6)."""

from idp.entitlements.facts import Facts
from idp.entitlements.given import given
from idp.entitlements.standing import DelegationFacts
from idp.entitlements.verdict import PASS, Pass, Stop, Verdict
from idp.partners.standing import is_good

LONGEST_CHAIN = 8


def delegation(facts: Facts) -> Verdict:
    """Stop a third party's person without a covering delegation, then without good standing along its chain."""
    named, partner_id = given(facts).named, facts.person.partner_id
    if named is None and partner_id is None:
        return PASS
    if not _there(facts, facts.person.places):
        return Stop("delegation_missing")
    covering = [
        chain
        for candidate in facts.organisation.delegations.values()
        if (named is None or candidate.delegation_id in named)
        and (partner_id is None or candidate.partner_id == partner_id)
        and (chain := _chain(facts, candidate))
    ]
    if not covering:
        return Stop("delegation_missing")
    for chain in covering:
        if all(_good(facts, link.partner_id) for link in chain):
            return Pass(tuple(link.delegation_id for link in reversed(chain)))
    return Stop("partner_not_in_good_standing")


def _chain(facts: Facts, candidate: DelegationFacts) -> list[DelegationFacts]:
    """Return the delegation and its parents, innermost first; empty when one link does not cover the question."""
    chain: list[DelegationFacts] = []
    link: DelegationFacts | None = candidate
    while link is not None and len(chain) < LONGEST_CHAIN:
        if (
            not link.in_force
            or facts.question.entitlement not in link.entitlements
            or facts.question.asked_line not in link.lines
            or not _there(facts, link.places)
        ):
            return []
        chain.append(link)
        if link.parent_id is None:
            return chain
        link = facts.organisation.delegations.get(link.parent_id)
    return []


def _there(facts: Facts, places: frozenset[str] | None) -> bool:
    """Say whether the question is about one of the places; who may act at some places says at which one.

    An answer nobody may act on (a search) leaves open what only a record can tell.
    """
    if places is None:
        return True
    named = facts.question.record.get("location")
    return named in places if named is not None else facts.question.simulated


def _good(facts: Facts, partner_id: str) -> bool:
    partner = facts.world.partners.get(partner_id)
    return partner is not None and is_good(partner.status)
