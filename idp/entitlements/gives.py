"""What each function of the default catalogue lets a person do, and the two purposes, in plain words."""

from typing import Final

GIVES: Final = {
    "eligibility.view": "See whether a member is covered, and for what",
    "network.verify": "See whether a practice or doctor is in the network",
    "idcard.view": "See a member's ID card",
    "estimate.view": "Estimate what a patient pays",
    "claim.status.view": "See where a claim stands",
    "claim.detail.view": "See how a claim was decided, line by line",
    "claim.submit": "Send claims and correct them",
    "claim.attach": "Add documents to a claim",
    "claim.recon.submit": "Ask for a claim to be decided again",
    "appeal.status.view": "See where an appeal stands",
    "remit.view": "See what was paid for which claim",
    "era.enroll": "Sign the practice up for electronic payment notices",
    "eft.view": "See which bank account is paid, its number hidden",
    "eft.manage": "Change the bank account that is paid",
    "fee.view": "See the practice's rates",
    "agreement.view": "Read the practice's contract",
    "precert.view": "See where a request for prior approval stands",
    "precert.submit": "Ask for prior approval of a treatment",
    "precert.clinical": "Add medical records to such a request",
    "referral.manage": "Make and change referrals",
    "epa.launch": "Ask for prior approval of a drug",
    "roster.view": "See the practice's assigned patients and payments",
    "report.financial": "Read reports on money and operations",
    "report.quality": "Read reports on quality and bonuses",
    "clinical.record.view": "Read medical records and care that is due",
    "demographics.update": "Change the practice's address, hours and doctors",
    "message.send": "Write to us and read our answers",
    "access.view": "See who has what access",
    "access.manage": "Give, change and end access",
    "delegation.approve": "Let outside companies work for the practice",
}
"""By key; a function the insurer added later has its name alone."""
PURPOSES: Final = {
    "CLAIM_REDUCTION_REVIEW": "Reviewing a denied or reduced claim",
    "PROSPECTIVE_SERVICE": "Planning a service for a patient",
}
"""The purposes a claim function may be used for (T-31)."""
