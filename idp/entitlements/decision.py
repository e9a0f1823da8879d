"""May this person do this, for this provider, now? `decide()` is a loop over the gates, in order.

Order is meaning: the first gate that stops is the answer (domain.md 4). No answer, an error or an unknown
purpose is a no.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

import structlog

from idp import entropy
from idp.entitlements.defaults import DESK_PAUSE
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
from idp.entitlements.verdict import DENY, PASS, PERMIT, Contact, Stop, Verdict, Wanted

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
ASKED_EACH_TIME = frozenset({client_and_channel, organisation, delegation, purpose, routed, strength})
"""Gates that look at the app, its channel, the purpose, the record or the session. What the others say of a
function depends on the person at the practice alone, and is remembered with them (`settled`)."""
_OF_FUNCTION = DECIDED_BY.index(granted)
"""What the settled gates before this one say of a person at a practice, they say whatever function is asked about."""
ASK_MANAGER = frozenset({"entitlement_not_granted", "grant_expired", "grant_suspended"})
"""Refusals an access manager can cure; the answer names where to ask."""
_log = structlog.get_logger("idp.entitlements")


@dataclass(slots=True)
class Decision:
    """The answer, with what it rests on, so that it can be explained and replayed; not frozen, as Facts are not."""

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
    policy_then: int | None = None
    """Of a replay: the policy version that held at the moment asked about."""
    practice: str = ""
    function: str = ""
    app: str = ""
    """Names for the sentence a person reads."""
    line: str = ""
    """The line of business that was asked about."""
    joining: bool = False
    """The person has not finished signing up: nothing is on hold."""

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
            if verdict is PASS:
                continue
            because += verdict.because
            if isinstance(verdict, Stop):
                return _answer(facts, verdict.outcome, verdict, because)
    except Exception as problem:
        _log.error("gate_failed", gate=getattr(gate, "__name__", "?"), exc_info=problem)
        return _answer(facts, DENY, Stop("no_answer"), ())
    return _answer(facts, PERMIT, None, because)


def settled(facts: Facts) -> Sequence[Gate]:
    """Return the gates in order, each that can only say again what it said of this function replaced by that.

    Kept with the person at the practice, so it is outdated when they are (memo.py).
    """
    question = facts.question
    if question.subject_type != "account" or question.resource_type != "provider" or facts.function is None:
        return DECIDED_BY  # a function that is not in the catalogue is nobody's, and none is remembered
    known: tuple[Gate, ...] | None = facts.person.settled.get(question.entitlement)
    if known is None:
        try:
            known = _settle(facts)
        except Exception:
            return DECIDED_BY  # `decide` comes to the same error, records it and says no
        facts.person.settled[question.entitlement] = known
    return known


def _settle(facts: Facts) -> tuple[Gate, ...]:
    begun = facts.person.begun
    if begun is None:
        begun = facts.person.begun = _left(facts, DECIDED_BY[:_OF_FUNCTION])
    left, ends = begun
    return left if ends else left + _left(facts, DECIDED_BY[_OF_FUNCTION:])[0]


def _left(facts: Facts, gates: Sequence[Gate]) -> tuple[tuple[Gate, ...], bool]:
    """Return what is left to ask of these gates, and whether one of them has stopped for good."""
    left: list[Gate] = []
    for gate in gates:
        if gate in ASKED_EACH_TIME:
            left.append(gate)
            continue
        verdict = gate(facts)
        if verdict is not PASS:
            left.append(_says(gate, verdict))
        if isinstance(verdict, Stop):
            return tuple(left), True
    return tuple(left), False


def _says(gate: Gate, verdict: Verdict) -> Gate:
    def again(_facts: Facts) -> Verdict:
        return verdict

    again.__name__ = gate.__name__
    return again


def by_the_desk(because: tuple[str, ...]) -> bool:
    """Say whether a decision rests on a pause by the security desk, which no access manager lifts."""
    return bool(because) and any(one.startswith(DESK_PAUSE) for one in because)


def _answer(facts: Facts, outcome: str, stop: Stop | None, because: tuple[str, ...]) -> Decision:
    question, organisation, function = facts.question, facts.organisation, facts.function
    reason = wanted = contact = helps = None
    if stop is not None:
        reason, wanted, contact = stop.reason, stop.wanted, stop.contact
        if reason in ASK_MANAGER and not by_the_desk(because):
            helps = question.app.help_url or _asking(facts)
    return Decision(
        entropy.ordered_id("dec"),
        outcome,
        reason,
        because,
        helps,
        wanted,
        contact,
        facts.freshness,
        organisation.agreement,
        question.simulated,
        facts.policy_then,
        organisation.name,
        "" if function is None else function.name,
        question.app.name,
        question.asked_line,
        facts.person.joining,
    )


def _asking(facts: Facts) -> str:
    """Return the person's own page where they ask their access manager, the function chosen."""
    question = facts.question
    if facts.function is None or question.provider_id is None or facts.organisation.is_insurer:
        return "/account"
    practice = question.provider_id
    if not (practice.isascii() and practice.isidentifier()):  # our own ids are: letters, digits and underscores
        practice = quote(practice, safe="")
    return f"/account/access/{practice}?ask={_chosen(question.asked_line, question.entitlement)}"


@lru_cache(maxsize=1024)
def _chosen(line: str, entitlement: str) -> str:
    return quote(f"{line}:{entitlement}", safe=":")
