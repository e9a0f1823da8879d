"""The mails about coming to work for a practice: invitations, registration, applications, first managers."""

from idp.notices.template import Template

TEMPLATES: dict[str, Template] = {
    "invitation": Template(
        "You are invited to work for {provider}",
        "{inviter} invited you to work for {provider} with {insurer}.\n\n"
        "Open this link within {hours} hours. It works once:\n{url}\n\n"
        "If you did not expect this, there is nothing to do.",
    ),
    "invitation_taken": Template(
        "{name} took up an invitation to {provider} that was sent to another address",
        "{name}, who has an account already, took up the invitation for {invited}, sent to {address}. {name} has not "
        "confirmed that address, and works for {provider} now.\n\n"
        "If {name} is not the person you invited, remove their access here:\n{page}",
    ),
    "registration_code": Template(
        "Your code to register with {insurer}",
        "{code}\n\nType this code in the browser you started in, within {hours} hours: {url}\n\n"
        "If you did not start to register, there is nothing to do. Give this code to nobody.",
    ),
    "registration_known": Template(
        "You have an account with {insurer}",
        "Somebody, perhaps you, started to register with this address. You have an account already, and one is enough: "
        "sign in at {link}/sign-in, then add your other practices at {link}/register.\n\n"
        "If that was not you, there is nothing to do.",
    ),
    "application_sent": Template(
        "Your registration waits for your access manager",
        "You applied to {practices}. The access managers have been told. See how it stands: {link}/register/waiting",
    ),
    "application_waiting": Template(
        "Somebody asks to work for {provider}",
        "{name} registered and asks to work for {provider}. Approve, change or deny it here:\n{inbox}\n\n"
        "If you don't know this person, deny it.",
    ),
    "application_reminder": Template(
        "Still waiting: somebody asks to work for {provider}",
        "{name} has been waiting for your answer. Approve, change or deny it here:\n{inbox}",
    ),
    "application_escalated": Template(
        "An application for {provider} waits for an answer",
        "An application for {provider} (TIN ending {tin}) has waited {days} days for its access managers.\n\n"
        "Application {application}. Call the practice.",
    ),
    "application_approved": Template(
        "You can work for {provider}",
        "An access manager of {provider} approved you. Go on here: {link}/register/waiting",
    ),
    "application_denied": Template(
        "Your application was denied",
        "The access manager of the practice with the TIN ending {tin} denied your application.\n\n"
        "The reason: {reason}\n\nIf that is wrong, ask your practice, or call {phone}.",
    ),
    "application_expired": Template(
        "Your application ended without an answer",
        "Nobody at the practice with the TIN ending {tin} answered your application, so it ended. "
        "Ask there who manages access, then apply again: {link}/register",
    ),
    "first_manager_confirmed": Template(
        "You can become an access manager",
        "{insurer} confirmed that you may manage the access of the practice with the TIN ending {tin}. Read what that "
        "means and take it on here: {page}\n\nIf you did not ask for this, call {phone}.",
    ),
    "first_manager_refused": Template(
        "You don't become an access manager",
        "{insurer} did not confirm that you may manage the access of the practice with the TIN ending {tin}.\n\n"
        "The reason: {reason}\n\nIf that is wrong, call {phone}.",
    ),
    "first_manager_call": Template(
        "A practice asks to be called back: first access manager",
        "Somebody of the practice with the TIN ending {tin} asks to be called back at the number on file: {page}",
    ),
}
