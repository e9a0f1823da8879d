"""The mails we send: subject and text of each (ui.md 4.11: fact first, what to do, who helps)."""

from string import Formatter
from typing import Any

from idp.notices import of_cases
from idp.notices.template import Template

_IF_NOT = (
    "\n\nIf this was you, there is nothing to do. If not, lock your account now. This works without signing in:\n"
    "{not_me}\n\nOr call {phone}."
)

TEMPLATES: dict[str, Template] = {
    "login_linked": Template(
        "A login was added to your account",
        "{login} can now be used to sign in to your {insurer} account." + _IF_NOT,
    ),
    "login_unlinked": Template(
        "A login was removed from your account",
        "{login} can no longer be used to sign in to your {insurer} account." + _IF_NOT,
    ),
    "login_held": Template(
        "A login of your account is paused",
        "{login} now tells us another name and another e-mail for one of your logins, so it does not open your "
        "{insurer} account any more. If it is still yours, sign in another way and confirm it: "
        "{link}/account/logins\n\nIf you don't know why, call {phone}.",
    ),
    "login_stopped": Template(
        "A login of your account is paused",
        "{login} told us that your login there must not be used, so it does not open your {insurer} account any more. "
        "Your account and your other logins go on. Ask {login} if you don't know why, or call {phone}.",
    ),
    "login_works_again": Template(
        "A login of your account works again",
        "The login {login} was paused at its organization's word and opens your {insurer} account again." + _IF_NOT,
    ),
    "accounts_merged": Template(
        "Two accounts became one",
        "Two {insurer} accounts of yours became one. All your logins and passkeys now open it; app codes and recovery "
        "codes of the other one no longer work." + _IF_NOT,
    ),
    "account_split": Template(
        "Logins were taken off your account",
        "{insurer} access support found that logins of somebody else opened your account, and took them off. "
        "Sign in again with your own login.\n\nIf that is wrong, call {phone}.",
    ),
    "desk_digest": Template(
        "The security desk's day: {day}",
        "What there is to look at:\n\n{lines}\n\nOpen the access reviews: {link}/security/reviews",
    ),
    "factor_added": Template(
        "A second step was added to your account", "{factor} was added as a second step." + _IF_NOT
    ),
    "factor_removed": Template(
        "A second step was removed from your account", "{factor} was removed as a second step." + _IF_NOT
    ),
    "passkey_copied": Template(
        "A passkey may have been copied",
        "{factor} answered with a number it had used before, as a copy of it would. We refused it. "
        "Remove it and add a new one: {link}/account/second-step" + _IF_NOT,
    ),
    "recovery_codes_made": Template(
        "New recovery codes for your account", "New recovery codes were made. Older ones no longer work." + _IF_NOT
    ),
    "recovery_code_used": Template(
        "A recovery code was used", "A recovery code was used to sign in. {left} are left." + _IF_NOT
    ),
    "password_changed": Template("Your password changed", "The password of your {insurer} account changed." + _IF_NOT),
    "new_device": Template(
        "A sign-in on a new device",
        "Somebody signed in to your {insurer} account on a device that was not used for it before: {device}, "
        "{where}, on {when}." + _IF_NOT,
    ),
    "address_added": Template(
        "An address was added to your account", "{address} now gets the notices about your {insurer} account." + _IF_NOT
    ),
    "address_removed": Template(
        "An address was removed from your account",
        "{address} no longer gets the notices about your {insurer} account." + _IF_NOT,
    ),
    "address_proof": Template(
        "Confirm this address for your {insurer} account",
        "Open this link in the browser you are signed in with, within {hours} hours. It works once:\n{url}\n\n"
        "If you did not ask for this, there is nothing to do.",
    ),
    "misuse_reported": Template(
        "We have a report of misuse of your account",
        "Somebody, perhaps you, told us that your {insurer} account is misused. Receipt {receipt}. "
        "We look into it within one business day.\n\n"
        "To be safe, you can lock your account now. This works without signing in:\n{not_me}\n\n"
        "A locked account opens again when you call {phone} and we have made sure that it is you.",
    ),
    "account_locked": Template(
        "Your account is locked",
        "At your word, your {insurer} account is locked, and everything was signed out. Receipt {receipt}.\n\n"
        "To open it again, call {phone} and give the receipt. We make sure that it is you first.",
    ),
    "recovery_code": Template(
        "Your code to get back in",
        "{code}\n\nType this code within 15 minutes on the page you have open. It works once. Nobody of {insurer} asks "
        "you for it.\n\nIf you did not ask for it, there is nothing to do: without a second proof it opens nothing.",
    ),
    "recovery_begun": Template(
        "Somebody is getting back in to your account",
        "One of two proofs to get back in to your {insurer} account was given.\n\nIf this was you, there is nothing to "
        "do. If not, stop it here: {stop}\nThen call {phone}.",
    ),
    "recovery_vouched": Template(
        "An access manager vouched for you",
        "An access manager of your practice vouched that you lost your second step. In {hours} hours you can go on at "
        "{link}/recover.\n\nIf this was not you, stop it with the link in the mail before this one, "
        "or call {phone} now.",
    ),
    "recovery_asked": Template(
        "Somebody of your practice asks for your help to sign in",
        "A person of your practice lost their second step, gave one proof, and asks an access manager to vouch for "
        "them.\n\nSpeak to them first, face to face or by a number you know. Then open their page: {link}/account",
    ),
    "account_recovered": Template(
        "You are back in your account",
        "With two proofs, your {insurer} account was opened again. Everywhere else was signed out. Second steps that "
        "no longer work: {lost}." + _IF_NOT,
    ),
    "account_suspended": Template(
        "Your account is on hold",
        "Your {insurer} account is on hold. Your information is kept.\n\nTo ask why, call {phone}.",
    ),
    "account_reinstated": Template("Your account is active again", "You can sign in to {insurer} again."),
    "account_ceased": Template(
        "Your access ended", "Your access to {insurer} ended.\n\nIf that is wrong, call {phone}."
    ),
    "invitation": Template(
        "You are invited to work for {provider}",
        "{inviter} invited you to work for {provider} with {insurer}.\n\n"
        "Open this link within {hours} hours. It works once:\n{url}\n\n"
        "If you did not expect this, there is nothing to do.",
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
    "delegation_wanted": Template(
        "{company} asks to work for {provider}",
        "{company} asks to work for {provider}: {note}\n\n"
        "Nothing is open to it yet. Accept or deny it here: {inbox}\n\n"
        "If you don't know this company, deny it and call {phone}.",
    ),
    "delegation_denied": Template(
        "A practice does not let {company} work for it",
        "The practice with the TIN ending {tin} denied {company}'s request. The reason: {reason}",
    ),
    "delegation_made": Template(
        "{company} may work for {provider}",
        "{by} lets {company} work for {provider}, until {until}: {functions} ({lines}). Its administrators choose who "
        "does, within that.\n\nFor access managers: {practice_page}\nFor administrators: {company_page}\n\n"
        "If you did not expect this, end it there and call {phone}.",
    ),
    "delegation_ended": Template(
        "{company} no longer works for {provider}",
        "{company}'s permission to work for {provider} ended at once. The reason: {why}.\n\n"
        "People who lost access by it: {people}. There is nothing you have to do.",
    ),
    "delegated_access_given": Template(
        "You can work for {provider}",
        "{by} of {company} lets you work for {provider} until {until}: {functions}. It works from your next click.",
    ),
    "delegated_access_ended": Template(
        "Your access to {provider} ended",
        "Your company's permission to work for {provider} ended or was taken from you: {what} ended at once.\n\n"
        "If that is wrong, ask your company's administrator.",
    ),
    "company_member": Template(
        "{name} works for {company} here",
        "{by} recorded that {name} works for {company}{role}. If you did not expect this, look at {page} and call "
        "{phone}.",
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
        "{people} of {provider} ({line}) wait for your answer: keep, change or remove. Who is not answered by {day} "
        "is paused then.\n\n{reviews}",
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
    "attestation_due": Template(
        "Confirm again why you may act, by {day}",
        "Once a year we ask why you may act. Yours ends on {day}; without a new one your access pauses then. "
        "It takes a minute: {link}/attest",
    ),
    "account_closed": Template(
        "Your account is closed",
        "Your {insurer} account is closed. Your logins no longer open it.\n\nIf you did not do this, call {phone} now.",
    ),
    "person_left": Template(
        "{name} no longer works for {provider}",
        "{name} no longer works for {provider}: all access there ended at {when}. There is nothing you have to do.\n\n"
        "See the people of your practice: {people}",
    ),
    "terms_accepted": Template(
        "The terms you accepted", "You accepted {documents} of {insurer}.\n\nYou can read them at {link}/account."
    ),
}

TEMPLATES |= of_cases.TEMPLATES


def require(name: str) -> Template:
    """Return a template; raise KeyError for one that does not exist, before any mail is written."""
    return TEMPLATES[name]


def facts_of(name: str) -> frozenset[str]:
    """Return the names of the facts a template needs."""
    template = require(name)
    named = {field for _, field, _, _ in Formatter().parse(template.subject + template.text) if field}
    return frozenset(named - {"insurer", "phone", "link", "not_me"})


def rendered(name: str, facts: dict[str, Any], *, insurer: str, phone: str, link: str) -> tuple[str, str]:
    """Return (subject, text) with every fact filled in; line breaks never reach the subject."""
    template = require(name)
    values = {**facts, "insurer": insurer, "phone": phone, "link": link}
    subject = " ".join(template.subject.format_map(values).split())
    return subject, template.text.format_map(values) + f"\n\n{insurer}, {phone}\n"
