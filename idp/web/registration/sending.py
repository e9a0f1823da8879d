"""The end of registering: check and send, then wait for the access manager; and what became of each application."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.accounts import flows, people, readiness
from idp.database import of
from idp.entitlements import bundles
from idp.errors import Conflict, NotFound
from idp.oauth.clients import home_of
from idp.oauth.tables import Client
from idp.registration import applications, journey, practices, profile, waiting
from idp.registration.tables import Registration
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, Visitor
from idp.web.manager import views
from idp.web.registration.shared import PATHS, at, shown
from idp.web.signing_in import address as step_address
from idp.web.signing_in import journey_to, missing_to_join

router = APIRouter()


@router.get("/register/send")
def send_page(request: Request, db: Transaction, by: SignedIn, r: str = "") -> Response:
    """Show everything once more; what is still open (terms, attestation, second step) comes first."""
    try:
        here = at(request, db, r, "send", by)
    except journey.StepMissing as early:
        return pages.go(request, f"{PATHS[early.step]}?r={r}")
    open_step = missing_to_join(db, by.session)
    if open_step is not None:
        flow = journey_to(request, db, f"/register/send?r={here.id}")
        flows.note(db, flow, "joining", by.account.id)
        return pages.go(request, step_address(open_step, flow))
    return pages.page(request, "register/send.html", **_summary(db, here, by))


def _summary(db: Db, here: Registration, by: Visitor) -> dict[str, Any]:
    numbers = practices.kept(db, here)
    names = {bundle.key: bundle.name for bundle in bundles.current(db)}
    return {
        "tins": [number[-4:] for number in numbers],
        "unusual": practices.unusual(numbers),
        "left_out": applications.left_out(db, here, by.account.id),
        "registration": here,
        "capacity": profile.CAPACITIES[here.capacity][0],
        "job": names.get(here.bundle or "", ""),
        "emails": [contact.email for contact in people.contacts(db, by.account.id)],
        "line_name": views.LINE_NAMES[here.line],
        **shown(db, here, "send"),
    }


@router.post("/register/send")
def send(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Send the applications, once."""
    here = at(request, db, form.get("r", ""), "send", by)
    if missing_to_join(db, by.session) is not None:
        raise Conflict("Terms, the reason why you may act, or your second step come first. Open the page again.")
    with pages.shown_again("register/send.html", lambda: _summary(db, here, by), Conflict):
        applications.submit(db, here, by.account)
    return pages.go(request, "/register/waiting")


@router.get("/register/waiting")
def waiting_page(request: Request, db: Transaction, by: SignedIn) -> Response:
    """Show where each application stands: both gates, and who decides, by initials."""
    entries = waiting.of_person(db, by.account.id)
    return pages.page(
        request,
        "register/waiting.html",
        entries=entries,
        zone_name=of(db).settings.time_zone,
        apps=_apps(db, entries),
        admitted=not readiness.awaits_approval(db, by.account.id),
    )


def _apps(db: Db, entries: list[waiting.Entry]) -> list[tuple[str, str]]:
    """Return the apps in which a person began to register and may work now: name and address, each once."""
    found = [db.get(Client, key) for key in dict.fromkeys(entry.client_id for entry in entries if entry.client_id)]
    return [
        (client.name, home) for client in found if client and client.status == "active" and (home := home_of(client))
    ]


@router.post("/register/waiting/{application_id}/withdraw")
def withdraw(request: Request, db: Transaction, by: SignedIn, application_id: str, form: TheForm) -> Response:
    """Take an application back; somebody else's looks like one that is not there."""
    if not waiting.withdraw(db, application_id, by.account.id):
        raise NotFound
    return pages.go(request, "/register/waiting")
