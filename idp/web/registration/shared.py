"""What the pages of registration share: the registration of this browser and person, and the way between steps."""

from typing import Any

from fastapi import Request
from sqlmodel import Session as Db

from idp.accounts import flows
from idp.accounts.tables import Flow
from idp.oauth.tables import Client
from idp.registration import journey
from idp.registration.tables import Registration
from idp.web import cookies, pages
from idp.web.boundary import service_of
from idp.web.guards import Visitor

PATHS = {
    "route": "/register",
    "practices": "/register/practices",
    "you": "/register/you",
    "email": "/register/email",
    "login": "/register/login",
    "send": "/register/send",
}


def browser_of(request: Request) -> str | None:
    """Return this browser's flow secret, if it has one."""
    return cookies.read(request, service_of(request).settings, cookies.FLOW)


def at(request: Request, db: Db, registration_id: str, step: str, found: Visitor | None) -> Registration:
    """Return the registration if its step may be taken now, by this browser and this person.

    Raises RegistrationLost, StepMissing, RouteClosed. A person who signed in on the way goes on as themselves only.
    """
    person = found.account.id if found else None
    here = journey.at(db, registration_id[:64], step, browser=browser_of(request), person=person)
    if person is not None and here.account_id is None:
        raise journey.RegistrationLost
    return here


def address(step: str, registration: Registration) -> str:
    """Return the address of a step's page."""
    return f"{PATHS[step]}?r={registration.id}"


def shown(db: Db, registration: Registration, step: str) -> dict[str, Any]:
    """Return what every step's page shows: the app, and where in the journey one is."""
    client = db.get(Client, registration.client_id) if registration.client_id else None
    steps = journey.steps_of(registration)
    return {
        "r": registration.id,
        "app_name": client.name if client else None,
        "step_names": [journey.NAMES[name] for name in steps],
        "step": steps.index(step) + 1,
        "back": address(steps[steps.index(step) - 1], registration) if steps.index(step) > 1 else None,
    }


def flow_of(request: Request, db: Db, registration: Registration) -> Flow:
    """Return the registration's live journey to outside logins, or begin one."""
    if registration.flow_id is not None:
        try:
            return flows.find(db, registration.flow_id, browser_of(request))
        except flows.FlowLost:
            pass
    begun = flows.begin(db, browser=pages.browser_of(request), target="/register")
    flows.note(db, begun, "registration", registration.id)
    registration.flow_id = begun.id
    db.add(registration)
    db.flush()
    return begun
