"""Turn a decision into AuthZEN's answer; `context` says why in our words (decisions.md 5)."""

from typing import Any

from idp.entitlements.decision import Decision
from idp.entitlements.explaining import Explanation
from idp.entitlements.sentences import sentence
from idp.errors import Refused


def answer_of(decision: Decision, issuer: str) -> dict[str, Any]:
    """Return the answer to one evaluation."""
    context: dict[str, Any] = {"id": decision.id, "outcome": decision.outcome, "freshness": decision.freshness}
    if decision.policy_then is not None:
        context["policy_version"] = decision.policy_then
    if decision.because:
        context["because"] = decision.because
    if decision.agreement is not None and decision.because:
        context["agreement"] = decision.agreement
    context |= refusal(decision)
    if decision.step_up is not None:
        context["step_up"] = {"acr_values": decision.step_up.acr}
        if decision.step_up.max_age is not None:
            context["step_up"]["max_age"] = decision.step_up.max_age
    if decision.contact is not None:
        context["contact"] = {
            "name": decision.contact.name,
            "phone": decision.contact.phone,
            "url": decision.contact.url,
        }
    if decision.help is not None:
        context["help"] = {"url": issuer + decision.help if decision.help.startswith("/") else decision.help}
    if decision.simulated:
        context["simulated"] = True
    return {"decision": decision.allowed, "context": context}


def refusal(decision: Decision) -> dict[str, Any]:
    """Return why not: the reason's code and the person's sentence; nothing for a permit."""
    if decision.reason is None:
        return {}
    return {"reason": decision.reason, "reason_user": {"en": sentence(decision)}}


def explained(explanation: Explanation, issuer: str) -> dict[str, Any]:
    """Return the answer to one evaluation with every gate's answer."""
    answer = answer_of(explanation.decision, issuer)
    answer["context"]["explanation"] = explanation.plain()
    return answer


def refused(problem: Refused) -> dict[str, Any]:
    """Return the answer to an item of a batch that could not be asked: no, and why."""
    return {
        "decision": False,
        "context": {"error": {"status": problem.status, "code": problem.code, "message": problem.detail}},
    }
