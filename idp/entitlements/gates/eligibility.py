"""Gate 3: the person still qualifies and has attested it in date (T-14 to T-17)."""

from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict


def eligibility(facts: Facts) -> Verdict:
    """Stop when eligibility has ceased or no attestation is in date."""
    if facts.person.ceased or not facts.person.attested:
        return Stop("eligibility_ceased")
    return PASS
