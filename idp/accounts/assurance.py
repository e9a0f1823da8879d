"""Authentication strength: the three values of `acr`, in order (decisions.md 6)."""

AAL1 = "http://idmanagement.gov/ns/assurance/aal/1"
AAL2 = "http://idmanagement.gov/ns/assurance/aal/2"
PHR = "phr"
"""Phishing-resistant (OpenID Enhanced Authentication Profile); stronger than AAL2."""
ORDER = (AAL1, AAL2, PHR)


def rank(acr: str | None) -> int:
    """Return the place of an acr value; unknown or missing counts as the lowest (security.md 36)."""
    return ORDER.index(acr) if acr in ORDER else 0


def meets(acr: str | None, wanted: str) -> bool:
    """Say whether one strength is at least another."""
    return rank(acr) >= rank(wanted)


def weaker(one: str, other: str) -> str:
    """Return the lower of two strengths."""
    return one if rank(one) <= rank(other) else other
