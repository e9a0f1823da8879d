"""Gate 1: the account is known and not on hold; what has ceased is gate 3's to say."""

from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict


def account(facts: Facts) -> Verdict:
    """Stop unless the subject is a person's account that is active or ceased."""
    if facts.question.subject_type != "account" or not facts.person.exists or not facts.person.active:
        return Stop("account_inactive")
    return PASS
