"""What the sealed log says of a case: of each entry of its file, and by that of the case itself (SE-5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idp.audit import leaf, log
from idp.cases.tables import CaseEntry, SecurityCase


@dataclass(frozen=True, slots=True)
class Said:
    """What the record of one entry says."""

    kind: str
    account: str | None
    """Whom the case was about then."""
    details: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Return the entry's digest."""
        return str(self.details["digest"])

    @property
    def by(self) -> str:
        """Return who wrote the entry."""
        return str(self.details["by"])

    def agrees(self, row: CaseEntry) -> bool:
        """Say whether an entry is of the kind, hand, moment and person its record says."""
        owner = None if row.owner == log.NOBODY else row.owner
        # Records of the first version name no moment; the digest covers it wherever the body can be read.
        same_time = self.details.get("at", leaf.exact(row.at)) == leaf.exact(row.at)
        return same_time and (self.kind, self.by, self.account) == (row.kind, row.by, owner)


def differs(case: SecurityCase, said: Sequence[Said]) -> str:
    """Say where a case is not as its file left it; empty when it is."""
    decision: tuple[str | None, str | None, str | None] = (None, None, None)
    account: str | None = None
    for one in said:
        account = one.account
        if one.kind == "decided":
            decision = (one.details.get("decision"), one.details.get("cause") or None, one.by)
        elif one.kind == "appeal_decided" and one.details.get("outcome") == "overturned":
            decision = ("innocent", "other", decision[2])
    if (case.decision, case.cause, case.decided_by) != decision or (case.status == "decided") != bool(decision[0]):
        return "The case says another decision than its file."
    return "" if case.account_id == account else "The case is about somebody else than its file."
