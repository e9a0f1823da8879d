"""Every mail we send, by name (ui.md 4.11: fact first, what to do, who helps); the texts stand in `of_*.py`."""

from string import Formatter
from typing import Any

from idp.notices import of_access, of_accounts, of_cases, of_companies, of_joining
from idp.notices.template import Template

TEMPLATES: dict[str, Template] = {
    **of_accounts.TEMPLATES,
    **of_joining.TEMPLATES,
    **of_access.TEMPLATES,
    **of_companies.TEMPLATES,
    **of_cases.TEMPLATES,
}


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
