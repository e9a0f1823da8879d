"""What cases say in plain words. Neutral until somebody decided: "may be", never "did"."""

SEEN: dict[str, str] = {
    "role_split": "Different work is done on different devices, on the same days.",
    "foreign_device": "A device was used that is a colleague's.",
    "slow_code": "A sign-in code was typed much later than usual, as if it had been passed on.",
    "two_hands": "Two devices were used at the same moment, again and again.",
    "absent_desktop": "A device new to this login was used while the person was marked as away.",
    "handover": "Use went from one device to another within minutes of the shift change.",
    "two_places": "Two places were used that nobody travels between in that time.",
    "overlap": "Two devices were in use in the same hour.",
    "device_spread": "Many new devices were used in a month.",
    "hours_span": "The login was in use for more than 16 hours of a day.",
    "new_work": "A computer that came later is used for work this login never did before.",
    "hours_split": "A computer that came later is used at other hours than the one before.",
    "report": "Somebody said so.",
    "strange_place": "A new device was used in a new place, far from every other.",
    "strange_functions": "Functions were used that this login had never used, from a new device.",
    "factor_change": "The second step was changed from a new device and place.",
    "strange_journey": "A new device was used in a place nobody could have reached in that time.",
}
"""What readers outside the security desk are told of a kind of evidence: no other person, no other practice."""
SEEN_OTHER = "Something about this login was not as usual."
KINDS = {
    "sharing": "The login may be shared",
    "takeover": "Somebody else may use the login",
    "misuse": "Misuse reported",
}
SOURCES = {"finding": "the detector", "report": "a report of misuse", "partner": "an organization", "desk": "the desk"}
STATUSES = {
    "question": "Private question",
    "new": "New",
    "investigating": "Investigating",
    "waiting": "Waiting for answers",
    "decided": "Decided",
    "closed": "Closed",
}
BANDS = {
    "": "",
    "notice": "enough to ask the person",
    "case": "enough for a case",
    "containment": "enough to sign the login out",
}
"""What the lines of the detector mean."""
PERSON_ANSWERS = {
    "mine": "All of this was me",
    "shared": "Somebody else worked with my login, and I knew",
    "not_me": "This was not me",
    "other": "It is something else",
}
PRACTICE_ANSWERS = {
    "leave": "The person was away then, as we knew",
    "pool": "These are workstations that several people share, each with their own login",
    "roles": "The person does several jobs or works at several places",
    "covering": "Somebody else did this person's work with their login",
    "not_ours": "This is not our device or not our work",
    "other": "It is something else",
}
ANSWERS = {"person": PERSON_ANSWERS, "practice": PRACTICE_ANSWERS}
DECISIONS = {
    "substantiated": "Shared: somebody else used the login, and the person knew",
    "compromised": "Compromised: somebody else used the login, and the person did not know",
    "innocent": "Innocent: there is another cause",
    "inconclusive": "Inconclusive: it can't be told",
}
IN_SHORT = {
    "substantiated": "Shared",
    "compromised": "Used by a stranger",
    "innocent": "Another cause",
    "inconclusive": "Can't be told",
}
"""Decisions as lists say them."""
DECIDED = {
    "substantiated": "We found that somebody else used the login, and that you knew.",
    "compromised": "We found that somebody else used the login, without your knowing.",
    "innocent": "We found that nothing is wrong.",
    "inconclusive": "We could not find out what happened.",
}
CAUSES = {
    "pool": "Shared workstations",
    "roles": "Several jobs or places",
    "leave": "Absence that was known",
    "device_change": "A new or repaired device",
    "network": "Network, VPN or travel",
    "mistake": "A mistaken report",
    "other": "Something else",
}
PATTERNS = {
    "no_login": "A colleague has no login of their own yet, and works with this one",
    "at_once": "Several use it at the same time",
    "in_turn": "Several use it in turn, day after day",
    "shift_change": "It is handed over at the shift change",
    "office": "A whole office uses one login",
    "vendor": "An outside vendor uses it",
    "leave": "Somebody covers with it while the person is away",
    "assistant": "An assistant works with it for the person",
    "one_off": "Somebody used it once, and not again",
}
"""How a login was shared, by the names the detector is judged by."""

DONE = {
    "education": "We explained that a login belongs to one person.",
    "end_sessions": "Every sign-in was ended.",
    "new_credentials": "The password and the second steps no longer work; new ones have to be set up with two proofs.",
    "hold_login": "One login was paused.",
    "pause_access": "Access to the practice was paused.",
    "resume_access": "Paused access to the practice was given back.",
    "end_access": "All access to the practice was ended.",
    "suspend": "The account was put on hold.",
    "lift_hold": "Our hold on the account was lifted.",
    "release_login": "The paused login works again.",
    "close": "The account was ended for good.",
    "end_manager": "The role of access manager was ended.",
    "refer_partner": "The company's partner manager was asked to look at it.",
    "refer_privacy": "The privacy office was asked to look at it.",
}
"""What an action did, as those concerned are told."""
THEN = {
    "end_sessions": "Sign in again, with everything you had.",
    "new_credentials": "Set up new ones here: {link}/recover. If you have no recovery code, ask an access manager to "
    "vouch for you, or call us.",
}
"""What the person does next after an action, told to them alone."""


def seen(kind: str) -> str:
    """Return what outsiders are told of a kind of evidence."""
    return SEEN.get(kind, SEEN_OTHER)
