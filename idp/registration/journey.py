"""Self-registration as a state machine kept here: which step comes when, for this browser and this person.

Every step says whether it is done for this very registration; a later one is refused until the earlier ones are
(security.md 11). Going back is free until the account is made; another address has to be confirmed anew.
"""

from functools import partial

from sqlmodel import Session as Db

from idp import clock, configuration
from idp.accounts.flows import browser_hash
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Refused
from idp.registration import routes
from idp.registration.tables import Registration

STEPS = ("route", "practices", "you", "email", "login", "send")
NAMES = {
    "route": "How",
    "practices": "Practices",
    "you": "You",
    "email": "E-mail",
    "login": "Sign-in",
    "send": "Check and send",
}
_NOT_ASKED = {"existing": frozenset({"email", "login"})}
"""Who has an account here already has confirmed an address and has a login."""


class RegistrationLost(Refused):
    """The registration is unknown, over, too old, somebody else's or another browser's."""

    status = 400
    code = "registration_lost"
    title = "This registration can't go on here"

    def __init__(self) -> None:
        super().__init__(
            "It has expired, was finished already, or was started in another browser or by another person. "
            "Nothing is lost but what you typed: start again."
        )


class StepMissing(Refused):
    """An earlier step is not done; `step` names it."""

    status = 409
    code = "step_missing"
    title = "Something comes first"

    def __init__(self, registration_id: str, step: str, wanted: str) -> None:
        event = Event(
            "registration.registration.refused",
            outcome="refused",
            reason="step_missing",
            details={"registration": registration_id, "missing": step, "wanted": wanted},
        )
        super().__init__(
            f"Do the step \u201c{NAMES[step]}\u201d first. Nothing was changed.",
            then=(partial(log.record, event=event),),
        )
        self.step = step


def begin(
    db: Db,
    *,
    browser: str,
    route: str,
    flow_id: str | None = None,
    client_id: str | None = None,
    upstream_id: str | None = None,
    partner_id: str | None = None,
    account_id: str | None = None,
) -> Registration:
    """Start a registration in this browser. Raises RouteClosed where the route is not open for the app."""
    routes.require(db, route, client_id, upstream_id, partner_id)
    made = Registration(
        browser_hash=browser_hash(browser),
        route=route,
        flow_id=flow_id,
        client_id=client_id,
        upstream_id=upstream_id,
        partner_id=partner_id,
        account_id=account_id,
        steps={"route": clock.iso(clock.now())},
        expires_at=clock.now() + configuration.current(db).clocks.registration,
    )
    db.add(made)
    db.flush()
    details = {"registration": made.id, "route": route, "upstream": upstream_id}
    log.record(db, Event("registration.registration.started", account=account_id, client=client_id, details=details))
    return made


def find(db: Db, registration_id: str, *, browser: str | None, person: str | None) -> Registration:
    """Return the live registration of this browser and this person; raise RegistrationLost otherwise.

    `person` is who is signed in, or None. Once the registration has a person, nobody else goes on with it.
    """
    found = db.get(Registration, registration_id, populate_existing=True)
    if (
        found is None
        or browser is None
        or found.browser_hash != browser_hash(browser)
        or found.status in ("submitted", "ended")
        or clock.now() >= found.expires_at
        or (found.account_id is not None and found.account_id != person)
    ):
        raise RegistrationLost
    return found


def steps_of(registration: Registration) -> list[str]:
    """Return the steps of this registration's route, in order."""
    return [step for step in STEPS if step not in _NOT_ASKED.get(registration.route, ())]


def missing(registration: Registration, wanted: str) -> str | None:
    """Return the first step before `wanted` that is not done, or None."""
    for step in steps_of(registration):
        if step == wanted:
            return None
        if step not in registration.steps:
            return step
    return None


def at(db: Db, registration_id: str, wanted: str, *, browser: str | None, person: str | None) -> Registration:
    """Return the registration if the step `wanted` may be taken now.

    Raises RegistrationLost, StepMissing, and RouteClosed where the route was closed meanwhile.
    """
    found = find(db, registration_id, browser=browser, person=person)
    routes.require(db, found.route, found.client_id, found.upstream_id, found.partner_id)
    first = missing(found, wanted)
    if first is not None:
        raise StepMissing(found.id, first, wanted)
    if wanted not in steps_of(found):
        raise RegistrationLost
    if found.account_id is not None and wanted in ("email", "login"):
        raise RegistrationLost  # the account is made: neither its address nor its login changes here
    return found


def done(db: Db, registration: Registration, step: str) -> None:
    """Record that a step was completed."""
    registration.steps = {**registration.steps, step: clock.iso(clock.now())}
    db.add(registration)
    db.flush()


def undone(db: Db, registration: Registration, step: str) -> None:
    """Record that a step has to be done anew: what it rested on was changed."""
    registration.steps = {name: at_ for name, at_ in registration.steps.items() if name != step}
    db.add(registration)
    db.flush()


def following(registration: Registration) -> str:
    """Return the step that comes next: the first one not done."""
    return missing(registration, "send") or "send"
