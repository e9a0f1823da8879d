"""Authentication strength: the three values of `acr`, in order (decisions.md 6), and how long each lasts."""

from datetime import timedelta

from idp.configuration import Clocks

AAL1 = "http://idmanagement.gov/ns/assurance/aal/1"
AAL2 = "http://idmanagement.gov/ns/assurance/aal/2"
PHR = "phr"
"""Phishing-resistant (OpenID Enhanced Authentication Profile); stronger than AAL2."""
ORDER = (AAL1, AAL2, PHR)
_RANK = {acr: place for place, acr in enumerate(ORDER)}


def rank(acr: str | None) -> int:
    """Return the place of an acr value; unknown or missing counts as the lowest (security.md 36)."""
    return _RANK.get(acr, 0) if acr is not None else 0


def meets(acr: str | None, wanted: str) -> bool:
    """Say whether one strength is at least another."""
    return rank(acr) >= rank(wanted)


def weaker(one: str, other: str) -> str:
    """Return the lower of two strengths."""
    return one if rank(one) <= rank(other) else other


def capped(acr: str, ceiling: str | None) -> str:
    """Return what a sign-in counts for: never for more than its login may (security.md 36)."""
    return acr if ceiling is None else weaker(acr, ceiling)


def idle_limit(clocks: Clocks, acr: str | None) -> timedelta:
    """Return after how long without the person a session of this strength ends (NIST SP 800-63B-4 2.1.3 to 2.3.3)."""
    return (clocks.session_idle_aal1 or clocks.session_idle, clocks.session_idle, clocks.session_idle_phr)[rank(acr)]


def absolute_limit(clocks: Clocks, acr: str | None) -> timedelta:
    """Return how long a session of this strength lasts at most."""
    at_one = clocks.session_absolute_aal1 or clocks.session_absolute
    return (at_one, clocks.session_absolute, clocks.session_absolute_phr)[rank(acr)]
