"""Registering by oneself: how, for which practices, as whom (RU-2). Each step is a page; the state is kept here."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.accounts import flows
from idp.accounts.tables import Flow, PendingLink
from idp.database import of
from idp.entitlements import bundles
from idp.errors import Invalid
from idp.federation import upstreams
from idp.oauth.tables import Client
from idp.registration import journey, practices, profile, routes, starting
from idp.registration.tables import Registration
from idp.web import dates, pages
from idp.web import signing_in as signing
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import MaybeVisitor, Visitor, open_to_anyone
from idp.web.linked import pending_of
from idp.web.registration import confirming, first_manager, login, sending
from idp.web.registration.shared import address, at, shown

router = APIRouter()
_ANYONE = "people without an account begin here; bound to this browser"
NOT_CHOSEN = frozenset({"wam", "delegated_vendor", "tpa_analyst", "readonly_auditor"})
"""Bundles nobody asks for by registering: they come from an appointment, a delegation or the insurer."""


@router.get("/register")
@open_to_anyone(_ANYONE)
def start_page(request: Request, db: Transaction, found: MaybeVisitor, flow: str = "") -> Response:
    """Offer the ways of registering that are open here."""
    here = signing.journey(request, db, flow) if flow else None
    return pages.page(request, "register/start.html", **_start(request, db, here, found))


def _start(request: Request, db: Db, here: Flow | None, found: Visitor | None) -> dict[str, Any]:
    held = _held(request, db, here)
    client = db.get(Client, here.client_id) if here and here.client_id else None
    open_routes = routes.open_for(db, client.client_id if client else None)
    if held is not None:
        trusted = upstreams.trusted(db, held.upstream_id)
        of_login = routes.of_partner(db, trusted.partner_id)
        open_routes = [way for way in open_routes if way == of_login]
    elif found is not None:
        open_routes = [way for way in open_routes if way == "existing"]
    return {
        "flow": here.id if here else "",
        "app_name": client.name if client else None,
        "ways": [(way, *routes.ROUTES[way]) for way in open_routes],
        "organization": upstreams.names(db).get(held.upstream_id) if held else None,
        "somebody": found.account.display_name if found and held is None else None,
    }


def _held(request: Request, db: Db, here: Flow | None) -> PendingLink | None:
    return pending_of(request, db, here) if here is not None and "link" in here.facts else None


@router.post("/register")
@open_to_anyone(_ANYONE)
def start(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Begin a registration by the way that was chosen."""
    here = signing.journey(request, db, form["flow"]) if form.get("flow") else None
    facts = _start(request, db, here, found)
    offered = [way for way, _, _ in facts["ways"]]
    chosen = form.get("way", "") or (offered[0] if len(offered) == 1 else "")
    if chosen not in offered:
        field = f"way-{offered[0]}" if offered else "way"
        raise Invalid(fields={field: "Choose how you want to register."}, page="register/start.html", context=facts)
    if chosen == "existing" and found is None:
        back = f"/register?flow={here.id}" if here else "/register"
        return pages.go(request, "/sign-in?" + urlencode({"next": back}))
    held = _held(request, db, here)
    starting.count(db)
    begun = journey.begin(
        db,
        browser=pages.browser_of(request),
        route=chosen,
        flow_id=here.id if here and held else None,
        client_id=here.client_id if here else None,
        upstream_id=held.upstream_id if held else None,
        partner_id=upstreams.trusted(db, held.upstream_id).partner_id if held else None,
        account_id=found.account.id if found and chosen == "existing" else None,
    )
    client = db.get(Client, begun.client_id) if begun.client_id else None
    begun.line = client.default_line if client else "medical"
    db.add(begun)
    if here is not None and held is not None:
        flows.note(db, here, "registration", begun.id)
    return pages.go(request, address("practices", begun))


@router.get("/register/practices")
@open_to_anyone(_ANYONE)
def practices_page(request: Request, db: Transaction, found: MaybeVisitor, r: str = "") -> Response:
    """Ask for the TINs."""
    try:
        here = at(request, db, r, "practices", found)
    except journey.StepMissing:
        return pages.go(request, "/register")
    typed = "\n".join(f"{n[:2]}-{n[2:]}" for n in practices.kept(db, here))
    return pages.page(request, "register/practices.html", typed=typed, **shown(db, here, "practices"))


@router.post("/register/practices")
@open_to_anyone(_ANYONE)
def name_practices(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Keep the TINs, sealed; whether we know them is not told here."""
    here = at(request, db, form.get("r", ""), "practices", found)
    try:
        practices.keep(db, here, practices.read(db, form.get("tins", "")))
    except Invalid as problem:
        context = {"typed": form.get("tins", "")[:2000], **shown(db, here, "practices")}
        problem.page, problem.context = "register/practices.html", context
        raise
    journey.done(db, here, "practices")
    return pages.go(request, address(journey.following(here), here))


@router.get("/register/you")
@open_to_anyone(_ANYONE)
def you_page(request: Request, db: Transaction, found: MaybeVisitor, r: str = "") -> Response:
    """Ask who registers, in what capacity and with which licence."""
    try:
        here = at(request, db, r, "you", found)
    except journey.StepMissing as early:
        return pages.go(request, f"/register/{early.step}?r={r}" if early.step != "route" else "/register")
    return pages.page(request, "register/you.html", **_you(db, here, _typed(db, here)))


def _typed(db: Db, here: Registration) -> dict[str, str]:
    """Return what was answered before, as the form shows it."""
    zone = of(db).settings.time_zone
    said = "you" in here.steps

    def last(end: datetime | None) -> str:
        return dates.us(dates.last_day(end, zone)) if end else ""

    return {
        "given_name": here.given_name,
        "family_name": here.family_name,
        "capacity": here.capacity if said else "",
        "starts": dates.us(here.starts_at.astimezone(ZoneInfo(zone)).date()) if here.starts_at and said else "",
        "ends": last(here.ends_at),
        "bundle": here.bundle or "",
        "clinician": ("yes" if here.npi else "no") if said else "",
        "npi": here.npi or "",
        "licence_state": here.licence_state or "",
        "licence_number": here.licence_number or "",
        "licence_until": last(here.licence_until),
    }


def _you(db: Db, here: Registration, typed: dict[str, str]) -> dict[str, Any]:
    jobs = [bundle for bundle in bundles.current(db) if bundle.key not in NOT_CHOSEN]
    return {
        "typed": typed,
        "jobs": jobs if here.route != "third_party" else [],
        "capacities": profile.CAPACITIES,
        "named": here.account_id is None,
        **shown(db, here, "you"),
    }


@router.post("/register/you")
@open_to_anyone(_ANYONE)
def say_who(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Check and keep the profile, and go on where it was left."""
    here = at(request, db, form.get("r", ""), "you", found)
    facts = _you(db, here, _typed(db, here) | {name: form.get(name, "")[:200] for name in _typed(db, here)})
    try:
        said = _read(db, form, facts, named=here.account_id is None)
    except Invalid as problem:
        problem.page, problem.context = "register/you.html", facts
        raise
    if here.account_id is None:
        here.given_name, here.family_name = said.given_name, said.family_name
    here.capacity, here.bundle = said.capacity, said.bundle
    here.starts_at, here.ends_at = said.starts_at, said.ends_at
    licence = said.licence
    here.npi, here.licence_state = (licence.npi, licence.state) if licence else (None, None)
    here.licence_number, here.licence_until = (licence.number, licence.until) if licence else (None, None)
    journey.done(db, here, "you")
    return pages.go(request, address(journey.following(here), here))


def _read(db: Db, form: Form, facts: dict[str, Any], *, named: bool) -> profile.Profile:
    """Read the dates, then check everything, so that one answer names all that is wrong."""
    zone = of(db).settings.time_zone
    moments: dict[str, datetime | None] = {}
    wrong: dict[str, str] = {}
    for field, read in (("starts", dates.start_of), ("ends", dates.end_of), ("licence_until", dates.end_of)):
        text = form.get(field, "").strip()
        try:
            moments[field] = read(dates.typed_day(text, field), zone) if text else None
        except Invalid as problem:
            moments[field] = None
            wrong |= problem.fields
    if form.get("clinician") != "yes":
        wrong.pop("licence_until", None)
    try:
        said = profile.checked(
            form,
            starts_at=moments["starts"],
            ends_at=moments["ends"],
            licence_until=moments["licence_until"],
            jobs=frozenset(bundle.key for bundle in facts["jobs"]),
            named=named,
        )
    except Invalid as problem:
        raise Invalid(fields=problem.fields | wrong) from problem
    if wrong:
        raise Invalid(fields=wrong)
    return said


router.include_router(confirming.router)
router.include_router(login.router)
router.include_router(sending.router)
router.include_router(first_manager.router)
