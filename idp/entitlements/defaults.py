"""The default catalogue and bundles of domain.md 5 and 6, as data; wildcards are written out.

One row: key, name, app, sensitivity, strength, non-participating?, who handles it on shared accounts,
purposes. Strength is `aal2`, `fresh` (second factor within 15 minutes) or `fresh ial2`.
"""

REVIEW = "CLAIM_REDUCTION_REVIEW"
PROSPECTIVE = "PROSPECTIVE_SERVICE"
_BOTH = (REVIEW, PROSPECTIVE)
_FIRST = (REVIEW,)

PORTAL: tuple[tuple[str, str, str, int, str, bool, str, tuple[str, ...]], ...] = (
    ("eligibility.view", "Eligibility and benefits", "Patients", 2, "aal2", True, "TPA", ()),
    ("network.verify", "In-network check", "Patients", 2, "aal2", True, "permit", ()),
    ("idcard.view", "Member ID card", "Patients", 2, "aal2", True, "permit", ()),
    ("estimate.view", "Patient cost estimate", "Patients", 2, "aal2", False, "TPA", ()),
    ("claim.status.view", "Claim status", "Claims", 3, "aal2", True, "TPA", _BOTH),
    ("claim.detail.view", "Claim adjudication detail", "Claims", 3, "aal2", True, "TPA", _BOTH),
    ("claim.submit", "Submit or correct claims", "Claims", 4, "aal2", True, "insurer", ()),
    ("claim.attach", "Claim attachments", "Claims", 4, "aal2", True, "insurer", ()),
    ("claim.recon.submit", "Reconsideration or appeal", "Claims", 4, "aal2", True, "insurer line", _FIRST),
    ("appeal.status.view", "Appeal status", "Claims", 3, "aal2", True, "insurer", _FIRST),
    ("remit.view", "Remittance", "Payments", 3, "aal2", True, "TPA", ()),
    ("era.enroll", "Electronic remittance enrollment", "Payments", 4, "fresh", False, "TPA", ()),
    ("eft.view", "EFT settings, masked", "Payments", 3, "aal2", False, "TPA", ()),
    ("eft.manage", "EFT enrollment and changes", "Payments", 5, "fresh ial2", False, "TPA", ()),
    ("fee.view", "Fee schedules and changes", "Contract", 3, "aal2", False, "insurer", ()),
    ("agreement.view", "Contract copy", "Contract", 3, "aal2", False, "insurer", ()),
    ("precert.view", "Precertification status", "Precertification", 3, "aal2", True, "affiliate", ()),
    ("precert.submit", "Request precertification", "Precertification", 4, "aal2", True, "affiliate", ()),
    ("precert.clinical", "Attach clinical records", "Precertification", 4, "aal2", True, "affiliate", ()),
    ("referral.manage", "Referrals", "Precertification", 4, "aal2", False, "by account", ()),
    ("epa.launch", "Electronic prior authorization", "Pharmacy", 4, "aal2", True, "by account", ()),
    ("roster.view", "Panel roster and capitation", "Reports", 3, "aal2", False, "none", ()),
    ("report.financial", "Financial and operational reports", "Reports", 3, "aal2", False, "none", ()),
    ("report.quality", "Quality and incentive reports", "Reports", 3, "aal2", False, "none", ()),
    ("clinical.record.view", "Clinical exchange, care gaps", "Clinical", 4, "aal2", False, "by account", ()),
    ("demographics.update", "Directory and practice data", "Profile", 4, "fresh", False, "insurer", ()),
    ("message.send", "Secure messages", "Profile", 3, "aal2", True, "permit", ()),
    ("access.view", "See users, access and access reports", "Access", 3, "aal2", True, "permit", ()),
    ("access.manage", "Manage people's access", "Access", 5, "fresh ial2", True, "permit", ()),
    ("delegation.approve", "Approve third-party delegation", "Access", 5, "fresh ial2", True, "permit", ()),
)

INSURER: tuple[tuple[str, str, int, str], ...] = (
    ("security.case.work", "Work security cases", 4, "aal2"),
    ("security.access.revoke", "End access for security", 5, "fresh"),
    ("audit.search", "Search the log", 4, "aal2"),
    ("audit.export", "Export the log", 5, "fresh"),
    ("partner.manage", "Manage partners", 4, "aal2"),
    ("partner.file", "File reports for a sales agency", 3, "aal2"),
    ("client.register", "Register apps", 4, "aal2"),
    ("wam.verify", "Confirm access managers", 5, "aal2"),
    ("terms.publish", "Publish terms", 5, "fresh"),
    ("support.view", "Look up access for support", 4, "aal2"),
    ("catalogue.manage", "Change functions, jobs and what a practice may hold", 5, "fresh"),
    ("duty.except", "Allow exceptions from separation of duties", 5, "fresh"),
)
"""Permissions of insurer staff, held at the provider of kind `insurer` (decisions.md 5 and 12)."""

NEEDS: dict[str, tuple[str, ...]] = {
    "roster.view": ("capitation",),
    "precert.clinical": ("licence",),
    "referral.manage": ("licence",),
    "epa.launch": ("licence",),
    "clinical.record.view": ("licence",),
}
"""Preconditions of single functions (decisions.md 12); those with NP = no also need `credentialed`."""

AUTHORITY = frozenset({"access.manage", "delegation.approve"})
"""Come from an appointment alone; no stored grant gives them (decisions.md 2)."""
DESK_PAUSE = "dsk"
"""The kind of id of the security desk's pauses: an answer tells by it who can lift one."""
FROM_APPOINTMENT = ("access.view", "access.manage", "delegation.approve")

CONFLICTS = (
    ("demographics.update", "eft.manage", "Who changes where payments go does not change the practice's data as well."),
    ("access.manage", "eft.manage", "Who gives access does not change where payments go."),
)
"""Never in one person: redirected payments are the main fraud in this field (domain.md 6)."""

_BILLER = (
    "eligibility.view",
    "network.verify",
    "idcard.view",
    "claim.status.view",
    "claim.detail.view",
    "claim.submit",
    "claim.attach",
    "claim.recon.submit",
    "appeal.status.view",
    "remit.view",
    "eft.view",
    "message.send",
)

BUNDLES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "front_desk",
        "Front desk",
        "Check eligibility and benefits, see precertifications, send messages",
        ("eligibility.view", "network.verify", "idcard.view", "estimate.view", "precert.view", "message.send"),
    ),
    ("biller", "Biller", "Work claims and payments; can't change where payments go", _BILLER),
    (
        "clinician",
        "Clinician",
        "Ask for precertifications and referrals, see clinical records; needs an NPI and a licence in date",
        (
            "eligibility.view",
            "network.verify",
            "precert.view",
            "precert.submit",
            "precert.clinical",
            "referral.manage",
            "epa.launch",
            "clinical.record.view",
            "report.quality",
            "message.send",
        ),
    ),
    (
        "practice_manager",
        "Practice manager",
        "What a biller does, and contracts, reports and practice data",
        (
            *_BILLER,
            "estimate.view",
            "fee.view",
            "agreement.view",
            "roster.view",
            "report.financial",
            "demographics.update",
        ),
    ),
    (
        "tpa_analyst",
        "Administrator's analyst",
        "See precertifications and claim detail of assigned shared accounts",
        ("precert.view", "claim.detail.view"),
    ),
    (
        "delegated_vendor",
        "Outside company's staff",
        "What the practice delegated to the company; an end date is required",
        tuple(row[0] for row in PORTAL if row[3] < 5 and row[2] != "Access"),
    ),
    ("wam", "Access manager", "Manage people's access; sees no member data by itself", FROM_APPOINTMENT),
    ("readonly_auditor", "Auditor", "See who has access; sees no member data", ("access.view",)),
)
