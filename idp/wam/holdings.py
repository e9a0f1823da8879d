"""What an organisation holds, and so the most its managers can give (gate 1 bounds gate 2)."""

from dataclasses import dataclass

from sqlmodel import Session

from idp.entitlements import bundles
from idp.entitlements.held import functions
from idp.entitlements.tables import Bundle, Entitlement

__all__ = ["NOT_ASSIGNED", "WORDS", "Job", "functions", "jobs"]

WORDS = {
    1: "reference",
    2: "member summary",
    3: "member detail or financial view",
    4: "clinical data or changes",
    5: "money or access",
}
"""Sensitivity in words, as pages say it (domain.md 5)."""
NOT_ASSIGNED = frozenset({"wam", "delegated_vendor", "tpa_analyst"})
"""Bundles that come from an appointment, a delegation or the insurer, never from a choice on this page."""


@dataclass(frozen=True, slots=True)
class Job:
    """A bundle as a manager sees it: what it is for, what of it this organisation holds, what it lacks."""

    bundle: Bundle
    functions: tuple[str, ...]
    lacking: tuple[str, ...]


def jobs(db: Session, held: dict[str, Entitlement]) -> list[Job]:
    """Return the bundles a manager may give, with what the organisation lacks of each."""
    found = []
    for bundle in bundles.current(db):
        if bundle.key in NOT_ASSIGNED:
            continue
        keys = bundles.items(db, bundle)
        has = tuple(key for key in keys if key in held)
        if has:
            found.append(Job(bundle, has, tuple(key for key in keys if key not in held)))
    return found
