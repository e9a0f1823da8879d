"""The plain way through user name and password, in the lane; every other case goes to the routes of login.py.

Plain is a journey in which nothing happened yet but the request and a typed name, in a browser where nobody is
signed in. Here stands no rule that login.py lacks: what is refused, shown and recorded is the same.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from idp import clock, configuration
from idp.accounts import attempts, entering, flows, login, passwords, plain_login
from idp.accounts.entering import Entered, Overtaken
from idp.accounts.flows import Kept
from idp.accounts.login import Tried
from idp.accounts.opening import SignedIn
from idp.accounts.plain_login import Met
from idp.audit import log
from idp.database import reading, transaction, unconnected
from idp.database.lane import Work
from idp.errors import TooMany
from idp.federation import offers
from idp.oauth.memory import Picture, read
from idp.web import cookies, onward, pages
from idp.web.bearer import memory_of
from idp.web.boundary import Service, service_of
from idp.web.errors import wants_page
from idp.web.fast import ForPages
from idp.web.forms import Form, checked
from idp.web.guards import open_to_anyone, visitor
from idp.web.login import sign_in_facts
from idp.web.signing_in import (
    LONGEST_NAME,
    LONGEST_PASSWORD,
    address,
    asked,
    browser_facts,
    by_password,
    shown_for,
    with_secrets,
)

_ANYONE = "people come here to say who they are"
PLAIN_FACTS = frozenset({"wants", "identifier"})
_FORM = "application/x-www-form-urlencoded"


class Said(NamedTuple):
    """What a page tells of a refusal that is the same for everybody."""

    detail: str


@open_to_anyone(_ANYONE)
async def sign_in(request: Request) -> Response:
    """Ask who comes; keep the name that was typed."""
    if request.method == "POST":
        return await _say_who(request)
    now = clock.now()
    met, picture = await _met(request, only_flow(request), now)
    here = _plain_journey(request, met, now)
    if asked(here, "idp"):
        raise ForPages
    return await asking_who(request, picture, here)


def begins_plainly(request: Request, here: Kept) -> bool:
    """Say whether authorize may show the first page of a new journey itself, without sending the browser there."""
    settings = service_of(request).settings
    nobody = cookies.read(request, settings, cookies.SESSION) is None
    page = "text/html" in request.headers.get("accept", "")  # whoever else asks gets the page's address
    return nobody and page and PLAIN_FACTS.issuperset(here.facts) and not asked(here, "idp")


async def asking_who(request: Request, picture: Picture, here: Kept) -> Response:
    """Show the page that asks who comes."""
    service = service_of(request)
    last = await read(service.lane, offers.last_used_on(cookies.read(request, service.settings, cookies.DEVICE)))
    db = unconnected(service.database)
    configuration.put(db, picture.configuration)
    facts = sign_in_facts(request, db, here, {"remembered": last, **_app(picture, here)})
    own = {"flow": here.id, "challenge": facts["passkey"]["challenge"]}
    back = address("/sign-in", here)
    return pages.page(
        request, "login/sign_in.html", settings=picture.configuration, each_own=own, own_address=back, **facts
    )


async def _say_who(request: Request) -> Response:
    form = await _form(request)
    service, now = service_of(request), clock.now()
    met, _ = await _met(request, form.get("flow", ""), now)
    here = _plain_journey(request, met, now)
    typed = form.get("username", "").strip()
    if not typed or len(typed) > LONGEST_NAME:
        raise ForPages
    kept = flows.noted(here, "identifier", typed)
    await service.lane.write(lambda: flows.keep(kept), light=True)
    # Not the next page itself: going back to the answer of a form is a question no browser asks well.
    return pages.go(request, address("/sign-in/password", here))


@open_to_anyone(_ANYONE)
async def password(request: Request) -> Response:
    """Show the page that asks for the password, and check what it sends."""
    if request.method == "POST":
        return await _check(request)
    now = clock.now()
    met, picture = await _met(request, only_flow(request), now)
    here = _plain_journey(request, met, now)
    if "identifier" not in here.facts:
        raise ForPages
    return await _page(request, picture, here)


def only_flow(request: Request) -> str:
    """Return the journey a page is asked for in; raise ForPages where anything else is asked too."""
    query: list[tuple[str, str]] = parse_qsl(request.scope["query_string"].decode("latin-1"))
    if request.method != "GET" or [name for name, _ in query] != ["flow"]:
        raise ForPages
    return query[0][1]


async def _check(request: Request) -> Response:
    form = await _form(request)
    service, now = service_of(request), clock.now()
    name = form.get("user_name", "")
    met, picture = await _met(request, form.get("flow", ""), now, name)
    here = _plain_journey(request, met, now)
    if here.facts.get("identifier") != name:  # the journey says whom the page asked, whatever the form says
        raise ForPages
    try:
        return await _entered(request, picture, met, here, form.get("password", "")[:LONGEST_PASSWORD])
    except (login.WrongPassword, TooMany) as refusal:
        if isinstance(refusal, login.WrongPassword) and wants_page(request):
            return await _page(request, picture, here, status=refusal.status, refusal=Said(refusal.detail))
        refusal.page = "login/password.html"
        refusal.context = {"settings": picture.configuration, **await _shown(service, picture, here)}
        raise


async def _page(request: Request, picture: Picture, here: Kept, status: int = 200, **more: Any) -> Response:
    """Show the page that asks for the password, rendered once for everybody."""
    shown = await _shown(service_of(request), picture, here)
    own, typed, settings = {"flow": here.id}, {"identifier": shown.pop("identifier")}, picture.configuration
    return pages.page(
        request,
        "login/password.html",
        status=status,
        settings=settings,
        each_own=own,
        as_typed=typed,
        **shown,
        **more,
    )


async def _entered(request: Request, picture: Picture, met: Met, here: Kept, typed: str) -> Response:
    service, settings = service_of(request), picture.configuration
    database = service.database
    trial = plain_login.tried(database, met, here.facts["identifier"])
    await _count(service, trial, settings.passwords)
    good, better = await run_in_threadpool(passwords.verify, database, typed, trial.stored, settings.passwords)
    if not good:
        raise await _wrong(service, met, trial)
    browser = browser_facts(request)
    finish = partial(login.after_password, database, trial, good=good, better=better, browser=browser)
    if good and better is None and met.plain:
        assert met.whose is not None
        now = clock.now()
        made = entering.entering(
            met.whose, plain_login.PROOF, device_id=met.device_id, browser=browser, settings=settings, now=now
        )
        further = onward.after_sign_in(request, picture, here, made, whose=met.whose, now=now)
        opening = plain_login.opening(
            database, met, trial, made, browser, clocks=settings.clocks, onward=further, now=now
        )
        where = await opened(service, opening)
        if where is not None:
            return entered(request, made, where)
    return await run_in_threadpool(_otherwise, request, here.id, finish)


async def _wrong(service: Service, met: Met, trial: Tried) -> login.WrongPassword:
    """Record that a password was not right; return the refusal."""
    refusal, now = login.wrong(trial), clock.now()
    if met.whose is None:  # nobody's: there is no person to keep anything for
        await service.lane.write(rows=[log.machine_row(service.database, refusal.event, now)])
    else:
        await service.lane.write(log.person_record(service.database, refusal.event, now, met.whose.subject_key))
    refusal.then = ()
    return refusal


async def opened(service: Service, opening: Callable[[], Work]) -> str | None:
    """Open a session in the next group and return where to go on; None where something it rests on has changed."""
    try:
        where: str | None = await service.lane.write(opening)
    except Overtaken:
        return None
    return where


def entered(request: Request, made: Entered, where: str) -> Response:
    """Send a person on who has just proved who they are."""
    response = pages.go(request, where)
    with_secrets(request, response, made.session.secret, made.device_secret)
    return response


def _otherwise(request: Request, flow_id: str, finish: Callable[..., SignedIn]) -> Response:
    """Do what follows a hash in the pages' lane: refuse, or enter by its many ways."""
    with transaction(service_of(request).database) as db:
        present = visitor(request, db)
    return by_password(request, flow_id, finish(replaces=present.session if present else None))


async def _count(service: Service, trial: Tried, rules: Any) -> None:
    """Count the try before it is evaluated; raise Throttled."""
    if not rules.throttle:
        return
    # Light: a worker that is killed has counted; what power takes is the tries of the last moment, once.
    counting = partial(attempts.counting, trial.key, rules, clock.now())
    counted = await service.lane.write(counting, light=True)
    if counted is None:
        raise await run_in_threadpool(_throttled, service, trial, rules.max_failures)


def _throttled(service: Service, trial: Tried, most: int) -> TooMany:
    with reading(service.database) as db:
        return attempts.refusal(db, trial.key, most)


async def _form(request: Request) -> Form:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise ForPages
    try:
        items = parse_qsl((await request.body()).decode(), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise ForPages from None
    return checked(request, items)


async def _met(request: Request, flow_id: str, now: datetime, name: str | None = None) -> tuple[Met, Picture]:
    """Read journey, browser and person, with the settings of the very epoch the statement saw."""
    service = service_of(request)
    memory, settings = memory_of(service), service.settings
    if "\x00" in flow_id:
        raise ForPages
    met: Met = await read(
        service.lane,
        plain_login.read(
            issuer=settings.issuer,
            now=now,
            flow_id=flow_id,
            session=cookies.read(request, settings, cookies.SESSION),
            device=cookies.read(request, settings, cookies.DEVICE),
            user_name=name,
        ),
    )
    picture = await memory.picture(service.lane)
    if picture.epoch < met.epoch:
        picture = await memory.renew(service.lane, picture.epoch)
    return met, picture


def _plain_journey(request: Request, met: Met, now: datetime) -> Kept:
    """Return this browser's journey if nothing happened in it yet; raise FlowLost, ForPages."""
    browser = cookies.read(request, service_of(request).settings, cookies.FLOW)
    here = flows.check(met.flow, browser, now)
    if met.has_session or not PLAIN_FACTS.issuperset(here.facts):
        raise ForPages
    return here


async def _shown(service: Service, picture: Picture, here: Kept) -> dict[str, Any]:
    typed = here.facts["identifier"]
    organization = await read(service.lane, offers.at_domain(typed))
    return {"identifier": typed, "organization": organization, **_app(picture, here)}


def _app(picture: Picture, here: Kept) -> dict[str, Any]:
    client = picture.clients.get(here.client_id or "")
    return shown_for(here, client.name if client else None)


ENDPOINTS: dict[str, Callable[[Request], Awaitable[Response]]] = {
    "/sign-in": sign_in,
    "/sign-in/password": password,
}
"""Path to the endpoint that answers its plain case."""
