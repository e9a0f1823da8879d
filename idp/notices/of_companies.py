"""The mails about outside companies that work for a practice."""

from idp.notices.template import Template

TEMPLATES: dict[str, Template] = {
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
    "delegation_escalated": Template(
        "A company's request at {provider} waits for an answer",
        "Request {request} of {company} to work for {provider} has waited for its access managers. Call the practice.",
    ),
    "delegation_unanswered": Template(
        "A request of {company} ended without an answer",
        "Nobody answered {company}'s request to the practice with the TIN ending {tin}, so it ended. Ask the practice, "
        "then ask here again.",
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
}
