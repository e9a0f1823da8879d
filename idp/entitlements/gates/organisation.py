"""Gate 6: the insurer's gate to the organisation: status, portal, channel, agreement (T-07, T-11, T-29, T-30)."""

from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict


def organisation(facts: Facts) -> Verdict:
    """Stop unless the insurer has opened this line to the organisation and what that rests on is in force.

    A function the insurer withholds from it is closed, whatever its managers gave. The insurer's own
    organisation needs the opening alone; participation is asked only for functions that non-participating
    providers may not have.
    """
    asked, function = facts.organisation, facts.function
    if not asked.active or asked.portal is None:
        return Stop("organisation_not_granted")
    if asked.channels is not None and facts.question.app.channel not in asked.channels:
        return Stop("channel_not_enabled")  # here and not in gate 4: a stranger learns nothing of the organisation
    if facts.question.entitlement in asked.withheld:
        return Stop("organisation_not_granted")
    if asked.is_insurer:
        return PASS
    if asked.agreement is None:
        return Stop("organisation_not_granted")
    if (function is None or not function.non_participating) and not asked.participates:
        return Stop("organisation_not_granted")
    return PASS
