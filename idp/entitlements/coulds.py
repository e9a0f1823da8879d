"""Who could do this for that organisation on a day, and why (SE-6): every period of every person, complete or paged.

Beside them stands who held it and could not use it, so that "nobody could" is never read as "nobody had it".

What a request brings with it (purpose, record, session) is no person's standing: the last three gates are left
out and the answer says so. Each period was decided by the same gates as any evaluation, and runs from one date
that mattered to the next.
"""

from dataclasses import dataclass, replace

from idp import clock
from idp.database.lane import Work
from idp.entitlements import candidates, explaining
from idp.entitlements import facts as gathering
from idp.entitlements.before import before
from idp.entitlements.decision import DECIDED_BY, Decision, decide
from idp.entitlements.defaults import AUTHORITY, FROM_APPOINTMENT
from idp.entitlements.explaining import Source
from idp.entitlements.facts import Facts
from idp.entitlements.memo import Memo
from idp.entitlements.question import Question
from idp.entitlements.supposing import supposed

ASSUMED = ("purpose", "routed", "strength")
STANDING = tuple(gate for gate in DECIDED_BY if gate.__name__ not in ASSUMED)
LOOKED_AT = 200
"""People looked at for one page."""


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
    policy_version: int | None
    """The one that held when the period began; None for days before they were kept."""
    held: tuple[str, ...]
    """Grants and appointments of it that the person held then, usable or not."""


@dataclass(frozen=True, slots=True)
class Page:
    """People with the periods in which they could do it, and after whom to go on; None when that was all."""

    found: tuple[tuple[str, tuple[Period, ...]], ...]
    held: tuple[tuple[str, tuple[Period, ...]], ...]
    """People with the periods in which they held it and could not use it."""
    goes_on: str | None
    looked: int = 0
    """How many people were looked at for it."""


def periods(question: Question, starts: int, ends: int, memo: Memo) -> Work:
    """Read one person's answers between two moments; return Periods, neighbours that say the same joined."""
    found: list[Period] = []
    at = starts
    while at < ends:
        asked = replace(question, at=clock.from_micros(at))
        known = yield from before(asked.account_id, None)
        work = gathering.gather(asked, known, memo)
        facts = yield from (supposed(work, asked) if asked.supposes else work)
        decision = decide(facts, STANDING)
        until = min(facts.until, ends)
        person = facts.person
        held = _held(facts)
        last = found[-1] if found else None
        told = (held, person.affiliation)
        if last is not None and _same(last.decision, decision) and (last.held, last.affiliation) == told:
            found[-1] = replace(last, ends_at=until)
        else:
            given = yield from explaining.sources(decision.because if decision.allowed else held)
            found.append(
                Period(
                    asked.account_id,
                    at,
                    until,
                    decision,
                    tuple(given),
                    person.affiliation,
                    person.partner_id,
                    facts.policy_version,
                    held,
                )
            )
        at = until
    return tuple(found)


def _same(one: Decision, other: Decision) -> bool:
    told = ("outcome", "reason", "because", "agreement", "joining")
    return all(getattr(one, name) == getattr(other, name) for name in told)


def _held(facts: Facts) -> tuple[str, ...]:
    """Return what the person was given of it that nobody had ended then: the dates alone, no other gate."""
    key, person = facts.question.entitlement, facts.person
    given = [] if key in AUTHORITY else [g for g in person.grants.get(key, ()) if g.effect == "allow"]
    dated = [(g.grant_id, g.not_before, g.expires_at) for g in given if not g.revoked]
    if key in FROM_APPOINTMENT:
        dated += [(a.appointment_id, a.starts_at, a.ends_at) for a in person.appointments if not a.revoked]
    return tuple(name for name, starts, ends in dated if starts <= facts.at and (ends is None or facts.at < ends))


def people(question: Question, starts: int, ends: int, *, after: str, limit: int, looks: int = LOOKED_AT) -> Work:
    """Read everybody who could do it between two moments, in order of id, with the periods; return a Page.

    Who held it and could not use it comes with them, and counts as one of the page. A page that finds few among many
    is short and says after whom to go on: at most `looks` are looked at.
    """
    memo = Memo()
    names = yield from candidates.of(replace(question, at=clock.from_micros(ends - 1)), "subject", after, looks + 1)
    found: list[tuple[str, tuple[Period, ...]]] = []
    idle: list[tuple[str, tuple[Period, ...]]] = []
    told: set[str] = set()
    for place, name in enumerate(names[:looks]):
        all_of_it = yield from periods(replace(question, account_id=name), starts, ends, memo)
        could = tuple(period for period in all_of_it if period.decision.allowed)
        could_not = tuple(period for period in all_of_it if period.held and not period.decision.allowed)
        if could:
            found.append((name, could))
        if could_not:
            idle.append((name, could_not))
        told |= {name} if could or could_not else set()
        if len(told) == limit and place + 1 < len(names):
            return Page(tuple(found), tuple(idle), name, place + 1)
    last = names[looks - 1] if len(names) > looks else None
    return Page(tuple(found), tuple(idle), last, min(len(names), looks))
