"""Gate 5: the request says for whom the person acts, and they were approved to (invariant 5, T-08)."""

from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict


def provider(facts: Facts) -> Verdict:
    """Stop without an acting-for provider, or without an approved affiliation that has begun."""
    if not facts.question.provider_id or facts.question.resource_type != "provider":
        return Stop("provider_required")
    if not facts.organisation.exists or not facts.person.affiliated_once:
        return Stop("provider_not_granted")
    return PASS
