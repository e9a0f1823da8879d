"""Gate 10: identity proofing, payment arrangement, licence and credentialing that a function needs (T-16, O-02)."""

from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict


def preconditions(facts: Facts) -> Verdict:
    """Stop when the person's identity or the organisation's practitioners do not meet what the catalogue asks."""
    function = facts.function
    if function is None or facts.person.ial < function.ial:
        return Stop("precondition_failed")
    met = {
        "capitation": facts.organisation.capitation,
        "licence": bool(facts.organisation.licences),
        "credentialed": facts.organisation.credentialed,
    }
    if not all(met.get(need, False) for need in function.needs):
        return Stop("precondition_failed")
    return PASS
