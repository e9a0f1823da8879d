"""Gate 8's finding: what the sources hold for one function, and what Casbin says of it."""

from typing import NamedTuple

from idp.entitlements import enforcer
from idp.entitlements.defaults import DESK_PAUSE
from idp.entitlements.enforcer import Line
from idp.entitlements.facts import Facts
from idp.entitlements.sources import appointments, delegated, wam_grants

SOURCES = (delegated.lines, appointments.lines, wam_grants.lines)
"""Every origin of grants; a new one is one more file and one more entry."""


class Given(NamedTuple):
    """The deciding grant, or the reason there is none."""

    allowed: bool
    reason: str = ""
    because: tuple[str, ...] = ()
    named: frozenset[str] | None = None
    """Delegations the live grants name; None when one of them names none."""


def given(facts: Facts) -> Given:
    """Return the finding, remembered with the person's standing (it depends on nothing else)."""
    entitlement = facts.question.entitlement
    known = facts.person.given.get(entitlement)
    if not isinstance(known, Given):
        known = facts.person.given[entitlement] = _find(facts, entitlement)
    return known


_NEVER_GIVEN = Given(allowed=False, reason="entitlement_not_granted")


def _find(facts: Facts, entitlement: str) -> Given:
    place = (facts.question.account_id, facts.question.provider_id or "", facts.question.asked_line)
    lines = [line for source in SOURCES for line in source(facts.person, facts.organisation, place, entitlement)]
    if not lines:
        return _NEVER_GIVEN
    ruling = enforcer.rule(place, entitlement, facts.at, lines)
    if ruling.allowed and ruling.line is not None:
        live = [line.delegation_id for line in lines if line.effect == "allow" and line.live(facts.at)]
        named = None if None in live else frozenset(name for name in live if name is not None)
        return Given(allowed=True, because=(ruling.line.source_id,), named=named)
    return _why_not(lines, facts.at)


def _why_not(lines: list[Line], at: int) -> Given:
    """Name the reason: paused, else run out, else never given (decisions.md 12, gate 8)."""
    live = [line for line in lines if line.live(at)]
    denies = [line for line in live if line.effect == "deny"]
    if denies and any(line.effect == "allow" for line in live):
        named = next((line for line in denies if line.source_id.startswith(DESK_PAUSE)), denies[0])
        return Given(allowed=False, reason="grant_suspended", because=(named.source_id,))
    run_out = [line for line in lines if line.effect == "allow" and line.expired(at)]
    if run_out:
        last = max(run_out, key=lambda line: (line.expires_at or 0, line.source_id))
        return Given(allowed=False, reason="grant_expired", because=(last.source_id,))
    return _NEVER_GIVEN
