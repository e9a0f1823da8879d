"""Gate 7: the approved affiliation is still in force (T-10)."""

from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict


def affiliation(facts: Facts) -> Verdict:
    """Stop when the person no longer acts for the organisation."""
    return PASS if facts.person.affiliated else Stop("affiliation_ended")
