"""Why? Each gate's own answer on the same facts, and what it rests on: for managers, support and security.

The answer itself is `decide()`'s; here the gates after the first closed one are asked too, so that everything in
the way is seen at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from idp import clock
from idp.database.lane import Sql, Work
from idp.entitlements.decision import DECIDED_BY, Decision, decide
from idp.entitlements.facts import Facts
from idp.entitlements.verdict import Stop

_GRANTOR = Sql(
    'SELECT id, granted_by, reason, not_before, expires_at, ended_at FROM "grant" WHERE id = $1 '
    "UNION ALL SELECT id, verified_by, 'appointment', starts_at, ends_at, ended_at FROM appointment WHERE id = $1 "
    "UNION ALL SELECT id, approved_by, 'delegation', starts_at, ends_at, ended_at FROM delegation WHERE id = $1"
)
WORDS = {
    "account": "The account is active",
    "terms": "The terms in effect are accepted",
    "eligibility": "The person may act and has confirmed it in date",
    "client_and_channel": "The app may ask this, on this channel",
    "provider": "The person was approved for this practice",
    "organisation": "The insurer opened this to the practice",
    "affiliation": "The person still works for the practice",
    "granted": "The person was given this",
    "delegation": "The person's company may act for the practice",
    "preconditions": "Identity, licenses and payment arrangement are in place",
    "purpose": "The purpose fits the record",
    "routed": "Nobody else handles this",
    "strength": "The sign-in is strong and fresh enough",
}
"""What an open gate says, for people."""


@dataclass(frozen=True, slots=True)
class Step:
    """One gate's answer."""

    gate: str
    open: bool
    reason: str | None
    rests_on: tuple[str, ...]
    decides: bool
    """Whether this is the gate that made the answer."""

    @property
    def words(self) -> str:
        """Return what the open gate says."""
        return WORDS[self.gate]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with every gate's answer."""

    decision: Decision
    steps: tuple[Step, ...]
    policy_version: int | None
    """The one that held at the moment; None for days before they were kept."""
    at: int

    def plain(self) -> dict[str, Any]:
        """Return it as an answer to an app holds it."""
        return {
            "at": clock.iso(clock.from_micros(self.at)),
            "policy_version": self.policy_version,
            "gates": [
                {
                    "gate": step.gate,
                    "open": step.open,
                    "reason": step.reason,
                    "rests_on": list(step.rests_on),
                    "decides": step.decides,
                }
                for step in self.steps
            ],
        }


def explain(facts: Facts, decision: Decision | None = None) -> Explanation:
    """Ask every gate; never raises, as a decision never does."""
    answer = decision or decide(facts)
    steps: list[Step] = []
    decided = False
    for gate in DECIDED_BY:
        try:
            verdict = gate(facts)
        except Exception:
            verdict = Stop("no_answer")
        stops = isinstance(verdict, Stop)
        reason = verdict.reason if isinstance(verdict, Stop) else None
        rests = verdict.because or _rests(facts, gate.__name__)
        steps.append(Step(gate.__name__, not stops, reason, rests, stops and not decided))
        decided = decided or stops
    return Explanation(answer, tuple(steps), facts.policy_version, facts.at)


def _rests(facts: Facts, gate: str) -> tuple[str, ...]:
    """Return the ids an open or closed gate looked at, beside the grants and delegations it names itself."""
    question, organisation, person = facts.question, facts.organisation, facts.person
    found: tuple[str | None, ...] = ()
    if gate == "account":
        found = (question.account_id,)
    elif gate == "client_and_channel":
        found = (question.app.client_id, question.app.partner_id)
    elif gate in ("provider", "affiliation"):
        found = (person.affiliation, person.partner_id)
    elif gate == "organisation":
        found = (organisation.portal, organisation.agreement)
    elif gate == "purpose":
        found = (question.purpose,)
    elif gate == "strength":
        found = (question.sid,)
    return tuple(one for one in found if one)


@dataclass(frozen=True, slots=True)
class Source:
    """Who gave what a decision rests on, and when."""

    id: str
    by: str
    reason: str
    starts_at: int
    ends_at: int | None
    ended_at: int | None


def sources(names: Iterable[str]) -> Work:
    """Read who gave these grants, appointments and delegations, as a decision names them; return Sources."""
    found = []
    for one in names:
        rows = yield _GRANTOR, (one,)
        found += [Source(*row) for row in rows]
    return found
