"""Gate 11: claim content for exactly two purposes, each proven by the record (T-31 to T-33)."""

from idp.entitlements.defaults import PROSPECTIVE, REVIEW
from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict

_REDUCED = ("denied", "reduced")


def purpose(facts: Facts) -> Verdict:
    """Stop when the purpose is missing, not one of the function's, or not borne out by the record."""
    function, question = facts.function, facts.question
    if function is None or not function.purposes:
        return PASS
    if not question.purpose:
        return Stop("purpose_required")
    if question.purpose not in function.purposes or not PROOFS.get(question.purpose, _never)(facts):
        return Stop("purpose_not_permitted")
    return PASS


def _reduced_claim_of_ours(facts: Facts) -> bool:
    """The claim was denied or reduced, and the acting provider billed or rendered it."""
    record = facts.question.record
    ours = facts.question.provider_id in (record.get("billing_provider"), record.get("rendering_provider"))
    return record.get("state") in _REDUCED and ours


def _service_we_may_provide(facts: Facts) -> bool:
    """The member is active, and a licence of the acting provider, in date, covers the service."""
    record = facts.question.record
    service = record.get("service")
    if record.get("member_active") is not True or not isinstance(service, str) or not service:
        return False
    return any(covered is None or service in covered for covered in facts.organisation.licences)


def _never(facts: Facts) -> bool:
    return False


PROOFS = {REVIEW: _reduced_claim_of_ours, PROSPECTIVE: _service_we_may_provide}
