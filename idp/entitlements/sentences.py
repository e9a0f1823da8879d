"""One catalogue of sentences for reasons, used by pages, answers to apps, and support (ui.md 1)."""

from idp.entitlements.decision import Decision, by_the_desk

SENTENCES: dict[str, str] = {
    "account_inactive": "Your account is on hold. Your information is kept. Ask access support.",
    "terms_required": "The terms changed. Read and accept them to go on.",
    "eligibility_ceased": (
        "Your access ended because we have no confirmation in date that you may act. "
        "If that is wrong, ask your access manager."
    ),
    "client_not_allowed": "{app} may not use {f} here. Your access is unchanged.",
    "channel_not_enabled": "{app} may not use {f} this way. Your access is unchanged.",
    "provider_required": "Choose the practice you are working for.",
    "provider_not_granted": "You don't work for this practice in our records. Ask its access manager.",
    "affiliation_ended": "You no longer work for {p} in our records. Ask its access manager.",
    "organisation_not_granted": "{p} does not have {f}. Its access managers can ask us for it.",
    "entitlement_not_granted": "Nobody has given you {f} for {line} at {p}. Ask its access manager.",
    "grant_expired": "Your access to {f} at {p} has ended. Ask its access manager to renew it.",
    "grant_suspended": "Your access to {f} at {p} is paused. Its access manager can lift that: ask them.",
    "delegation_missing": "Your company has no permission to do this for {p}. Ask your company's administrator.",
    "partner_not_in_good_standing": (
        "Your company's permission to work for {p} is paused. Ask your company's administrator."
    ),
    "precondition_failed": (
        "{f} needs a proven identity, licence, credentialing or payment arrangement that is not in place. "
        "Ask {p} to update it."
    ),
    "purpose_required": "Say why you need this claim.",
    "purpose_not_permitted": "The reason you gave does not open this record, so there is nothing to review.",
    "routed": "{f} for this account is handled by {contact}. We hold no answer here.",
    "step_up_required": "Confirm it is you with your second factor.",
    "no_answer": "We could not check this, so nothing was opened. Try again.",
}
BY_THE_DESK = (
    "Your access to {f} at {p} is paused by our security desk. Only the desk can lift that: ask access support."
)
"""Instead of `grant_suspended`, where no access manager can help."""
JOINING = "You have not finished signing up. Open the link you were sent, or sign in, and finish it."
"""Instead of `account_inactive`, where nothing is on hold."""
LINE_NAMES = {
    "medical": "Medical",
    "behavioural": "Behavioral health",
    "dental": "Dental",
    "medicare_advantage": "Medicare Advantage",
}


def sentence(decision: Decision) -> str | None:
    """Return the sentence a person reads for a refusal; None for a permit."""
    if decision.reason is None:
        return None
    contact = ""
    if decision.contact is not None:
        contact = ", ".join(part for part in (decision.contact.name, decision.contact.phone) if part)
    desk = decision.reason == "grant_suspended" and by_the_desk(decision.because)
    if decision.joining and decision.reason == "account_inactive":
        return JOINING
    return (BY_THE_DESK if desk else SENTENCES[decision.reason]).format(
        app=decision.app or "This app",
        f=decision.function or "this function",
        p=decision.practice or "this practice",
        line=LINE_NAMES.get(decision.line, "this line of business"),
        contact=contact or "somebody else",
    )
