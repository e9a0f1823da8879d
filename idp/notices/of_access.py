"""The mails about what people may do at a practice: changes, requests, reviews, leave, emergencies, managers."""

from idp.notices.template import Template

TEMPLATES: dict[str, Template] = {
    "manager_appointed": Template(
        "{name} is now an access manager of {provider}",
        "{by} appointed {name} as access manager of {provider} ({line}).\n\n"
        "If you did not expect this, look at {people} and call {phone} now.",
    ),
    "manager_ended": Template(
        "{name} is no longer an access manager of {provider}",
        "{name} is no longer an access manager of {provider} ({line}). What they gave to others stays; "
        "look through it within 30 days: {reviews}\n\nAccess managers left: {left}.",
    ),
    "leave_set": Template(
        "Your access to {provider} rests while you are away",
        "{by} recorded that you are away from {provider} from {from} until {until}. What you were given rests, and "
        "goes on afterwards.\n\nIf that is wrong, ask your access manager.",
    ),
    "leave_over": Template(
        "Your access to {provider} goes on",
        "{by} recorded that you are back at {provider}. What you were given works again from your next click.",
    ),
    "inactivity_warned": Template(
        "Access to {provider} will be paused on {day}",
        "{name} has not been seen here for {days} days. Without a sign-in, the access to {provider} is paused on "
        "{day}. Sign in once, and nothing happens: {link}/account",
    ),
    "inactivity_paused": Template(
        "Access to {provider} is paused",
        "{name} has not been seen here for {days} days, so the access to {provider} is paused; on {day} it ends.\n\n"
        "An access manager lifts the pause on the person's page: {people}",
    ),
    "inactivity_ended": Template(
        "Access to {provider} ended",
        "{name} has not been seen here for {days} days, so what was given at {provider} ended.\n\n"
        "An access manager can give it again as new: {people}",
    ),
    "emergency_started": Template(
        "{name} used emergency access at {provider}",
        "{name} took {functions} at {provider} for an emergency, until {until}. The reason given: {reason}\n\n"
        "It has to be looked at by {due}. End it or review it here: {page}\n\nIf something is wrong, call {phone} now.",
    ),
    "emergency_overdue": Template(
        "Not reviewed: emergency access of {name} at {provider}",
        "The emergency access of {name} at {provider} was to be looked at by {due}. Review it here: {page}",
    ),
    "emergency_reviewed": Template(
        "Your emergency access at {provider} was reviewed",
        "{by} looked at your emergency access at {provider} and found it {verdict}. {note}",
    ),
    "emergency_lifted": Template(
        "Emergency access at {provider} is open to you again",
        "{by} opened emergency access at {provider} to you again. {why}",
    ),
    "duty_exception_over": Template(
        "{name} no longer has {function} at {provider}",
        "{function} of {name} at {provider} ended at once: {insurer} took back the exception by which it was given. "
        "{why}\n\n"
        "If that is wrong, call {phone}.",
    ),
    "version_coming": Template(
        "{what} changes on {from}",
        "{insurer} changes {what} on {from}. The reason: {reason}\n\n"
        "See who of {provider} is affected, and how: {page}",
    ),
    "change_held": Template(
        "{by} wants to let {name} change where payments go",
        "{by} wants to give {name} the function {function} at {provider}. A second access manager has to confirm it; "
        "it can't begin before {from}.\n\nConfirm or refuse it here: {inbox}\n\n"
        "If you did not expect this, refuse it and call {phone} now.",
    ),
    "change_confirmed": Template(
        "{name} can soon change where payments of {provider} go",
        "{second} confirmed what {by} asked for: {name} gets {function} at {provider} from {from} on.\n\n"
        "If you did not expect this, remove it before then and call {phone} now.",
    ),
    "change_refused": Template(
        "{name} does not get {function}",
        "{second} refused what {by} asked for: {name} does not get {function} at {provider}.",
    ),
    "request_waiting": Template(
        "{name} asks for {function} at {provider}",
        "{name} asks for {function} at {provider}. Approve or deny it here:\n{inbox}",
    ),
    "request_approved": Template(
        "You have {function} at {provider}",
        "An access manager gave you {function} at {provider}. "
        "It works from your next click, unless it needs a second access manager.",
    ),
    "request_denied": Template(
        "You don't get {function} at {provider}",
        "An access manager denied your request for {function} at {provider}.\n\nThe reason: {reason}",
    ),
    "request_expired": Template(
        "Your request for {function} ended without an answer",
        "Nobody at {provider} answered your request for {function}, so it ended. Ask there, then ask again: "
        "{link}/account",
    ),
    "request_escalated": Template(
        "A request at {provider} waits for an answer",
        "Request {request} for {function} at {provider} has waited for its access managers. Call the practice.",
    ),
    "function_given_up": Template(
        "{name} gave back {function}",
        "{name} gave back {function} at {provider}. It ended at once; there is nothing to do.",
    ),
    "review_due": Template(
        "Confirm who has what at {provider}, by {day}",
        "Your answer is due about {people} of {provider} ({line}): keep, change or remove. Who is not answered by "
        "{day} is paused then.\n\n{reviews}",
    ),
    "review_missed": Template(
        "People of {provider} are paused",
        "Nobody answered about {people} of {provider} ({line}) by {day}, so their access is paused. Answer now and it "
        "goes on; in {days} days it ends.\n\n{reviews}",
    ),
    "credential_ends": Template(
        "The {fact} of {name} ends on {day}",
        "We know of the {fact} of {name} at {provider} until {day}. Functions that need it stop then.\n\n"
        "Send the renewed one to {insurer}, {phone}. What we know: {profile}",
    ),
    "credential_ended": Template(
        "The {fact} of {name} ended",
        "We know of no {fact} of {name} in date any more. What {name} was given at {provider} for it has ended.\n\n"
        "Send the renewed one to {insurer}, {phone}, then give the access again. What we know: {profile}",
    ),
    "person_left": Template(
        "{name} no longer works for {provider}",
        "{name} no longer works for {provider}: all access there ended at {when}. There is nothing you have to do.\n\n"
        "See the people of your practice: {people}",
    ),
}
