"""The record of one decision, as it is kept in the log."""

from typing import Any

from idp import clock
from idp.audit.events import Event
from idp.entitlements.decision import Decision
from idp.entitlements.question import Question


def event(question: Question, decision: Decision) -> Event:
    """Return the record of one decision: ids and codes, nothing of the record asked about."""
    details: dict[str, Any] = {"line": question.asked_line, "freshness": decision.freshness}
    if decision.because:
        details["because"] = list(decision.because)
        if any(one.startswith("emg_") for one in decision.because):
            details["emergency"] = True
    if question.at is not None:
        details["at"] = clock.iso(question.at)
        if decision.policy_then is not None:
            details["policy_version"] = decision.policy_then
    if question.assume_authenticated:
        details["assumed_authenticated"] = True
    if question.supposes:
        details["supposed"] = [{"kind": one.kind, "id": one.id} for one in question.supposes]
    if decision.agreement is not None:
        details["agreement"] = decision.agreement
    return Event(
        "entitlements.decision.made",
        account=question.account_id,
        provider=question.provider_id,
        entitlement=question.entitlement,
        outcome=decision.outcome,
        reason=decision.reason,
        client=question.app.client_id,
        channel=question.app.channel,
        session=question.sid,
        purpose=question.purpose,
        decision=decision.id,
        details=details,
    )
