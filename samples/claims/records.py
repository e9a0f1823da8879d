"""The claims this sample knows; a real app asks its claims system."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim and what its status page shows."""

    number: str
    state: str
    billing_provider: str
    patient: str
    service: str
    service_day: str
    billed: str
    paid: str
    told: str
    shared_account: str | None = None
    """Account number, when a third party administers the plan."""

    def facts(self) -> dict[str, Any]:
        """Return what the decision needs to know of the claim, and nothing more (decisions.md 5)."""
        return {
            "type": "claim",
            "id": self.number,
            "state": self.state,
            "billing_provider": self.billing_provider,
            "rendering_provider": None,
            "member_active": True,
            "service": self.service,
            "shared_account": self.shared_account,
        }


LAKESIDE, HARBOR = "prv_lakeside", "prv_harbor"
CLAIMS = {
    claim.number: claim
    for claim in (
        Claim("CLM-1", "denied", LAKESIDE, "J. Alvarez", "office_visit", "2026-10-06", "$180.00", "$0.00",
              "Denied: the referral number is missing. Send a corrected claim by January 4."),
        Claim("CLM-2", "paid", LAKESIDE, "M. Okafor", "office_visit", "2026-10-12", "$140.00", "$140.00",
              "Paid in full on October 30."),
        Claim("CLM-3", "denied", HARBOR, "T. Lindqvist", "imaging", "2026-10-20", "$640.00", "$0.00",
              "Denied: prior authorization was not found."),
        Claim("CLM-4", "reduced", LAKESIDE, "R. Castellano", "office_visit", "2026-10-22", "$210.00", "$95.00",
              "Reduced.", shared_account="SA-4400"),
    )
}  # fmt: skip
ABOUT = {
    "CLM-1": "a denied claim of Lakeside Clinic",
    "CLM-2": "a claim that was paid in full",
    "CLM-3": "a claim of another practice",
    "CLM-4": "a claim of a plan that somebody else administers",
}
PURPOSES = {
    "CLAIM_REDUCTION_REVIEW": "Review a claim of ours that was denied or paid at a reduced amount",
    "PROSPECTIVE_SERVICE": "Look into a service we are considering for this patient",
}
