"""The access manager's inbox: who asks to work for the practice, and the decision about each (W-2, ui.md 3.8)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import linking, people, second_factor
from idp.accounts.tables import Account, Login
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import bundles
from idp.errors import Invalid
from idp.federation import upstreams
from idp.partners.tables import Partner
from idp.providers.tables import Practitioner, PractitionerMembership
from idp.registration import applications
from idp.registration.tables import Application
from idp.wam import authority, emergency_open, holdings
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.manager import emergency, questions, requests, views, wanted
from idp.web.manager.guard import Manages, Sees, lines_of

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Applicant:
    """What a manager is shown about the person who asks."""

    name: str
    emails: list[str]
    logins: list[str]
    second_step: bool
    same_domain: bool
    """Their confirmed address is at the domain of this practice's access managers."""
    company: str | None
    npi_known: bool


@router.get("/p/{p}/inbox")
def inbox(request: Request, db: Transaction, acting: Sees) -> Response:
    """List what waits for a decision, in the lines this person manages."""
    lines = lines_of(db, acting)
    waiting = applications.waiting_at(db, acting.provider, lines)
    names = {bundle.key: bundle.name for bundle in bundles.current(db)}
    entries = [
        {
            "application": one,
            "name": people.find(db, one.account_id).display_name,
            "job": names.get(one.bundle or "", ""),
        }
        for one in waiting
    ]
    used = emergency_open.waiting(db, acting.provider.id, lines, by=acting.visitor.account.id)
    asked, companies = requests.entries(db, acting, lines), wanted.entries(db, acting, lines)
    return pages.page(
        request,
        "wam/inbox.html",
        entries=entries,
        more=max(len(waiting), len(asked["asked"]), len(companies), len(used)) >= applications.MOST_SHOWN,
        questions=questions.waiting(db, acting) if lines else [],
        companies=companies,
        emergencies=emergency.entries(db, used),
        **asked,
        **_frame(db, acting),
    )


@router.get("/p/{p}/applications/{x}")
def application_page(request: Request, db: Transaction, acting: Sees, x: str) -> Response:
    """Show one application; looking is recorded."""
    found = _found(db, acting, x)
    event = Event(
        "registration.application.viewed",
        account=found.account_id,
        provider=acting.provider.id,
        details={"application": found.id},
    )
    log.record(db, event)
    return pages.page(request, "wam/application.html", **_facts(db, acting, found, {}))


@router.post("/p/{p}/applications/{x}")
def decide(request: Request, db: Transaction, acting: Manages, x: str, form: TheForm) -> Response:
    """Approve, as asked or altered, or deny with a reason; the first decision holds."""
    found = _found(db, acting, x)
    by = acting.visitor.account.id
    authority.must_manage(db, by, acting.provider.id, found.line)
    try:
        if form.get("answer") == "approve":
            applications.approve(db, found, acting.provider, by=by, choice=_choice(db, acting, found, form))
        else:  # nothing but the approving button lets somebody in
            applications.deny(db, found, acting.provider, by=by, reason=form.get("reason", ""))
    except Invalid as problem:
        problem.page, problem.context = "wam/application.html", _facts(db, acting, found, form)
        raise
    except applications.AlreadyDecided as problem:
        problem.page = "wam/application.html"
        problem.context = _facts(db, acting, found, {}) | {"problem": problem.detail}
        raise
    return pages.go(request, f"/p/{acting.provider.id}/applications/{found.id}")


def _found(db: Db, acting: Acting, x: str) -> Application:
    """Return an application of a line this person manages; anybody else's is not there (W-2)."""
    lines = lines_of(db, acting)
    return applications.of_practice(db, x[:64], acting.provider, lines)


def _choice(db: Db, acting: Acting, found: Application, form: Form) -> applications.Choice:
    capacity, bundle, ends = form.of("capacity", "bundle", "ends")
    fields = {}
    if capacity not in views.CAPACITIES:
        fields["capacity-employee"] = "Choose how the person works for the practice."
    if bundle and bundle not in {job["key"] for job in _jobs(db, acting, found)}:
        fields["bundle-none"] = "Choose one of the jobs on this page."
    zone = of(db).settings.time_zone
    ends_at = dates.end_of(dates.typed_day(ends, "ends"), zone) if ends else None
    if fields:
        raise Invalid(fields=fields)
    return applications.Choice(capacity, ends_at, bundle or None)


def _jobs(db: Db, acting: Acting, found: Application) -> list[dict[str, Any]]:
    """Return the jobs this practice can give; none for a third party's person, who acts within its delegation."""
    if found.route == "third_party":
        return []
    held = holdings.functions(db, acting.provider, found.line)
    return [
        {
            "key": job.bundle.key,
            "name": job.bundle.name,
            "note": _note(len(job.functions), len(job.lacking)),
        }
        for job in holdings.jobs(db, held)
    ]


def _note(held: int, lacking: int) -> str:
    words = f"{held} function{'' if held == 1 else 's'}"
    return f"{words}, {lacking} more the practice lacks" if lacking else words


def _facts(db: Db, acting: Acting, found: Application, typed: dict[str, str]) -> dict[str, Any]:
    zone = of(db).settings.time_zone
    names = {bundle.key: bundle.name for bundle in bundles.current(db)}
    decided_by = db.get(Account, found.decided_by) if found.decided_by else None
    asked = {
        "capacity": found.capacity,
        "bundle": found.bundle or "",
        "ends": dates.us(dates.last_day(found.ends_at, zone)) if found.ends_at else "",
        "reason": "",
    }
    return {
        "application": found,
        "who": _applicant(db, acting, found),
        "jobs": _jobs(db, acting, found),
        "job": names.get(found.bundle or "", ""),
        "chosen": asked | {name: typed[name][:200] for name in asked if name in typed},
        "decided_by": decided_by.display_name if decided_by else "",
        "problem": None,
        **_frame(db, acting),
    }


def _applicant(db: Db, acting: Acting, found: Application) -> Applicant:
    account = people.find(db, found.account_id)
    names = upstreams.names(db)
    confirmed = [contact.email for contact in people.contacts(db, account.id) if contact.verified_at]
    partner = db.get(Partner, found.partner_id) if found.partner_id else None
    return Applicant(
        account.display_name,
        confirmed,
        [_login_name(one, names) for one in linking.logins(db, account.id)],
        second_factor.has(db, account.id),
        bool({_domain(email) for email in confirmed} & _own_domains(db, acting)),
        partner.name if partner else None,
        found.npi is not None and _npi_known(db, acting.provider.id, found.npi),
    )


def _login_name(one: Login, names: dict[str, str]) -> str:
    return names.get(one.upstream_id or "", "User name and password")


def _domain(email: str) -> str:
    return email.rpartition("@")[2]


def _own_domains(db: Db, acting: Acting) -> set[str]:
    """Return the domains of the addresses the manager who looks has confirmed or been given."""
    return {_domain(contact.email) for contact in people.contacts(db, acting.visitor.account.id)}


def _npi_known(db: Db, provider_id: str, npi: str) -> bool:
    return (
        db.exec(
            select(Practitioner.id)
            .join(PractitionerMembership, col(PractitionerMembership.practitioner_id) == col(Practitioner.id))
            .where(col(Practitioner.npi) == npi, col(PractitionerMembership.provider_id) == provider_id)
        ).first()
        is not None
    )


def _frame(db: Db, acting: Acting) -> dict[str, Any]:
    return views.frame(db, acting.provider, acting.visitor.account.id)


router.include_router(requests.router)
router.include_router(questions.router)
