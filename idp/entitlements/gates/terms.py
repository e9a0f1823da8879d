"""Gate 2: current versions of both terms documents are accepted (invariant 10)."""

from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict


def terms(facts: Facts) -> Verdict:
    """Stop until the person has accepted the terms in effect, or later ones."""
    return PASS if facts.person.terms_accepted else Stop("terms_required")
