"""The mails about a person's own account: logins, second steps, addresses, getting back in, terms."""

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
    "attestation_due": Template(
        "Confirm again why you may act, by {day}",
        "Once a year we ask why you may act. Yours ends on {day}; without a new one your access pauses then. "
        "It takes a minute: {link}/attest",
    ),
    "account_closed": Template(
        "Your account is closed",
        "Your {insurer} account is closed. Your logins no longer open it.\n\nIf you did not do this, call {phone} now.",
    ),
    "terms_accepted": Template(
        "The terms you accepted", "You accepted {documents} of {insurer}.\n\nYou can read them at {link}/account."
    ),
}
