"""Gate 8: the access manager's gate to the person; Casbin decides on the asker's own grants (T-09)."""

from idp.entitlements.facts import Facts
from idp.entitlements.given import given
from idp.entitlements.verdict import Pass, Stop, Verdict


def granted(facts: Facts) -> Verdict:
    """Stop unless a grant in force allows it and none denies; name the grant that decided."""
    found = given(facts)
    if found.allowed:
        return Pass(found.because)
    return Stop(found.reason, because=found.because)
