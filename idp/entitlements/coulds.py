"""Who could do this for that organisation on a day, and why (SE-6): every period of every person, complete or paged.

What a request brings with it (purpose, record, session) is no person's standing: the last three gates are left
out and the answer says so. Each period was decided by the same gates as any evaluation, and runs from one date
that mattered to the next.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from idp import clock
from idp.entitlements import candidates, explaining
from idp.entitlements.asking import Decider
from idp.entitlements.decision import DECIDED_BY, Decision, decide
from idp.entitlements.explaining import Source
from idp.entitlements.question import Question

ASSUMED = ("purpose", "routed", "strength")
STANDING = tuple(gate for gate in DECIDED_BY if gate.__name__ not in ASSUMED)
EDGES = 1_000
"""Periods of one person at most; a day has a few."""
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Period:
    """One person's answer from one moment to another, in microseconds."""

    account_id: str
    starts_at: int
    ends_at: int
    decision: Decision
    sources: tuple[Source, ...]
    affiliation: str | None
    partner_id: str | None
    policy_version: int


async def periods(decider: Decider, question: Question, starts: int, ends: int) -> list[Period]:
    """Return one person's answers between two moments, neighbours that say the same joined."""
    found: list[Period] = []
    at = starts
    for _ in range(EDGES):
        if at >= ends:
            break
        asked = replace(question, at=clock.from_micros(at))
        facts = await decider.look(asked)
        decision = decide(facts, STANDING)
        until = min(facts.until, ends)
        last = found[-1] if found else None
        if last is not None and _same(last.decision, decision) and last.affiliation == facts.person.affiliation:
            found[-1] = replace(last, ends_at=until)
        else:
            given = tuple(await decider.read(explaining.sources(decision)))
            person = facts.person
            found.append(
                Period(
                    question.account_id,
                    at,
                    until,
                    decision,
                    given,
                    person.affiliation,
                    person.partner_id,
                    facts.epoch,
                )
            )
        at = until
    return found


def _same(one: Decision, other: Decision) -> bool:
    told = ("outcome", "reason", "because", "agreement")
    return all(getattr(one, name) == getattr(other, name) for name in told)


async def people(
    decider: Decider, question: Question, starts: int, ends: int, after: str = ""
) -> AsyncIterator[tuple[str, list[Period]]]:
    """Yield everybody who may have been given it, in order of id, with the periods in which they could do it."""
    asked = replace(question, at=clock.from_micros(ends - 1))
    more = True
    while more:
        names = await decider.read(candidates.of(asked, "subject", after, AT_ONCE))
        more = len(names) == AT_ONCE
        for name in names:
            after = name
            found = await periods(decider, replace(question, account_id=name), starts, ends)
            yield name, [period for period in found if period.decision.allowed]
