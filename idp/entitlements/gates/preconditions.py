"""Gate 10: identity proofing, payment arrangement, licence and credentialing that a function needs (T-16, O-02)."""

from collections.abc import Callable

from idp.entitlements.facts import Facts
from idp.entitlements.standing import Organisation
from idp.entitlements.verdict import PASS, Stop, Verdict


def preconditions(facts: Facts) -> Verdict:
    """Stop when the person's identity or the organisation's practitioners do not meet what the catalogue asks."""
    function = facts.function
    if function is None or facts.person.ial < function.ial:
        return Stop("precondition_failed")
    for need in function.needs:
        if not MET.get(need, _never)(facts.organisation):
            return Stop("precondition_failed")
    return PASS


def _never(organisation: Organisation) -> bool:
    return False


MET: dict[str, Callable[[Organisation], bool]] = {
    "capitation": lambda organisation: organisation.capitation,
    "licence": lambda organisation: bool(organisation.licences),
    "credentialed": lambda organisation: organisation.credentialed,
}
"""What the catalogue's `needs` mean; a need nobody knows is not met."""
