"""May this person do this, for this provider, now? `decide()` is a loop over the gates, in order.

Order is meaning: the first gate that stops is the answer (domain.md 4). No answer, an error or an unknown
purpose is a no.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from idp import entropy
from idp.entitlements.facts import Facts
from idp.entitlements.gates.account import account
from idp.entitlements.gates.affiliation import affiliation
from idp.entitlements.gates.client_and_channel import client_and_channel
from idp.entitlements.gates.delegation import delegation
from idp.entitlements.gates.eligibility import eligibility
from idp.entitlements.gates.granted import granted
from idp.entitlements.gates.organisation import organisation
from idp.entitlements.gates.preconditions import preconditions
from idp.entitlements.gates.provider import provider
from idp.entitlements.gates.purpose import purpose
from idp.entitlements.gates.routed import routed
from idp.entitlements.gates.strength import strength
from idp.entitlements.gates.terms import terms
from idp.entitlements.question import OURSELVES, AskingApp, Question
from idp.entitlements.verdict import DENY, PERMIT, Contact, Stop, Verdict, Wanted

__all__ = ["DECIDED_BY", "OURSELVES", "AskingApp", "Decision", "Question", "decide"]

Gate = Callable[[Facts], Verdict]
DECIDED_BY: tuple[Gate, ...] = (
    account,
    terms,
    eligibility,
    client_and_channel,
    provider,
    organisation,
    affiliation,
    granted,
    delegation,
    preconditions,
    purpose,
    routed,
    strength,
)
ASK_MANAGER = frozenset({"entitlement_not_granted", "grant_expired", "grant_suspended"})
"""Refusals an access manager can cure; the answer names where to ask."""
_log = structlog.get_logger("idp.entitlements")


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, with what it rests on, so that it can be explained and replayed."""

    id: str
    outcome: str
    """`permit`, `deny`, `routed` or `step_up`."""
    reason: str | None
    because: tuple[str, ...]
    """Grants, appointments and delegations that decided; from gate 8 on."""
    help: str | None
    """Where the person can ask their access manager, relative to the service or the app's own page."""
    step_up: Wanted | None
    contact: Contact | None
    freshness: str
    """The policy version and the account's version it was computed from."""
    agreement: str | None = None
    """The agreement in force for this organisation and line."""
    simulated: bool = False
    practice: str = ""
    function: str = ""
    app: str = ""
    """Names for the sentence a person reads."""

    @property
    def allowed(self) -> bool:
        """Whether the answer is yes."""
        return self.outcome == PERMIT


def decide(facts: Facts, gates: Sequence[Gate] = DECIDED_BY) -> Decision:
    """Ask each gate in turn; return the first refusal, or a permit when every gate is open."""
    because: tuple[str, ...] = ()
    try:
        for gate in gates:
            verdict = gate(facts)
            because += verdict.because
            if isinstance(verdict, Stop):
                return _answer(facts, verdict.outcome, verdict, because)
    except Exception as problem:
        _log.error("gate_failed", gate=getattr(gate, "__name__", "?"), exc_info=problem)
        return _answer(facts, DENY, Stop("no_answer"), ())
    return _answer(facts, PERMIT, None, because)


def _answer(facts: Facts, outcome: str, stop: Stop | None, because: tuple[str, ...]) -> Decision:
    helps = stop is not None and stop.reason in ASK_MANAGER
    return Decision(
        id=entropy.new_id("dec"),
        outcome=outcome,
        reason=stop.reason if stop is not None else None,
        because=because,
        help=(facts.question.app.help_url or "/account") if helps else None,
        step_up=stop.wanted if stop is not None else None,
        contact=stop.contact if stop is not None else None,
        freshness=facts.freshness,
        agreement=facts.organisation.agreement,
        simulated=facts.question.simulated,
        practice=facts.organisation.name,
        function=facts.function.name if facts.function is not None else "",
        app=facts.question.app.name,
    )
