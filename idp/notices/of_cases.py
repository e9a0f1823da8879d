"""The mails of the security desk: its day, and cases of misuse, neutral until somebody decided (ui.md 3.13)."""

from idp.notices.template import Template

TEMPLATES: dict[str, Template] = {
    "desk_digest": Template(
        "The security desk's day: {day}",
        "Cases:\n\n{cases}\n\nOpen the cases: {link}/security/cases\n\nAccess reviews, what there is to look at:\n\n"
        "{lines}\n\nOpen the access reviews: {link}/security/reviews",
    ),
    "case_question": Template(
        "A question about your sign-ins ({reference})",
        "Something about your {insurer} login was not as usual. It may be nothing. Sign in and tell us what it was, by "
        "{until}. It takes two minutes:\n{page}\n\nWe may also ask the access managers of a practice you work for. "
        "They see what concerns their practice, and not your answer.\n\nIf somebody else may be using your login, lock "
        "it now. This works without signing in:\n{not_me}\n\nOr call {phone}.",
    ),
    "case_question_manager": Template(
        "Security asks about somebody of {provider} ({reference})",
        "We have a question about how the login of {name} is used at {provider}. It may be nothing, such as a "
        "workstation that several people share. Sign in and answer by {until}:\n{page}\n\nDon't ask {name} about it "
        "first. Questions: {phone}.",
    ),
    "case_told": Template(
        "What we did about your login ({reference})",
        "{what}\n\n{done}\n\nIf that is wrong, tell us by {until}. Somebody else looks at it again. This works without "
        "signing in:\n{appeal}\n\nQuestions: {phone}.",
    ),
    "case_told_more": Template(
        "We did something more about your login ({reference})",
        "After our decision we did this:\n\n{done}\n\n{wrong}\n\nQuestions: {phone}.",
    ),
    "case_appealed": Template(
        "Somebody appealed against a decision: {reference}",
        "The person says that the decision on case {reference} is wrong. Somebody who had no part in it answers by "
        "{due}: {page}",
    ),
    "case_appeal_overdue": Template(
        "An appeal waits too long: {reference}",
        "The appeal on case {reference} should have been answered by {due}. Somebody who had no part in the decision "
        "answers it: {page}",
    ),
    "case_contained": Template(
        "We signed you out of everything ({reference})",
        "Something about your {insurer} login was not as usual, so we ended every sign-in of it. Nothing was taken "
        "from you: sign in again and go on.\n\nIf somebody else may be using your login, lock it now. This works "
        "without signing in:\n{not_me}\n\nOr call {phone}.",
    ),
    "case_told_manager": Template(
        "Security acted on a login at {provider} ({reference})",
        "About {name}, who works for {provider}:\n\n{done}\n\nPeople of your practice: {people}\nQuestions: {phone}.",
    ),
    "case_education": Template(
        "One login for one person ({reference})",
        "A {insurer} login belongs to one person. If a colleague needs access, ask your access manager: an account of "
        "their own is free and takes minutes. If your own access doesn't fit your work, ask for what is missing: "
        "{link}/account\n\nQuestions: {phone}.",
    ),
    "case_overdue": Template(
        "A case waits too long: {reference}",
        "Case {reference} should have been taken up by {due}. Open it: {page}",
    ),
    "case_answered": Template(
        "An answer is in: {reference}",
        "Somebody who was asked about case {reference} has answered. Read it: {page}",
    ),
    "case_second_word": Template(
        "An action needs your word: {reference}",
        "{by} wants this on case {reference}: {action}. It needs a second person by {until}. Look at it: {page}",
    ),
    "case_interim": Template(
        "You manage access for {provider} for now",
        "We appointed you as interim access manager of {provider}, because it would have none. You decide who gets "
        "access until the practice names others, at the longest until {until}: {people}\n\nQuestions: {phone}.",
    ),
    "case_interim_ends": Template(
        "You manage access for {provider} until {until}",
        "You are the interim access manager of {provider}. {what}\n\nAppoint others who stay, if the practice has "
        "named them: {people}\n\nQuestions: {phone}.",
    ),
    "case_interim_bare": Template(
        "{provider} has no access manager but an interim one",
        "{name} manages access for {provider} until {until}, by case {reference}, and nobody else can. {what}\n\n"
        "Help the practice to prove a successor: {page}",
    ),
    "case_referred": Template(
        "Case {reference} for the {office}",
        "The security desk refers case {reference} to the {office}. Why: {reason}",
    ),
    "case_appeal_decided": Template(
        "Your appeal was decided ({reference})",
        "Somebody who had not decided before looked at it again. {outcome}\n\n{reason}\n\n{back}Questions: {phone}.",
    ),
    "case_appeal_won_manager": Template(
        "Security was wrong about a login at {provider} ({reference})",
        "About {name}, who works for {provider}: we told you what we did about this login. Somebody who had not "
        "decided before looked at it again: it was wrong.\n\n{done}\n\nPeople of your practice: {people}\n"
        "Questions: {phone}.",
    ),
}
