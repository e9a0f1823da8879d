"""Somebody said so: the person, a colleague or an access manager."""

from idp.sharing.events import Report
from idp.sharing.seen import Finding, Seen

KIND = "report"
WEIGHT = {"user": 0.8, "colleague": 0.8, "access_manager": 1.0}


def look(seen: Seen) -> Finding | None:
    """Take a report for what it is: a reason to look, never proof."""
    if not isinstance(seen.act, Report):
        return None
    return Finding(WEIGHT[seen.act.by], f"reported by {seen.act.by.replace('_', ' ')}")
