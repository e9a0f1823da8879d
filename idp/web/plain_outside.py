"""The plain way to an organization's login and back, in the lane; every other case goes to the routes of outside.py.

Plain is a journey in which nothing happened yet, in a browser where nobody is signed in, and a login that is known and
active. Here stands no rule that outside.py lacks: what is refused, shown and recorded is the same.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp import clock
from idp.accounts import entering, flows
from idp.accounts.flows import Kept
from idp.federation import flow as federation_flow
from idp.federation import pending, plain
from idp.federation.contract import AnswerRefused, TrustedUpstream
from idp.federation.flow import Chosen, Finished
from idp.federation.pending import Pending, ReturnRefused
from idp.federation.plain import Came
from idp.oauth.memory import Picture, read
from idp.outbound import OutboundFailed
from idp.web import cookies, onward, outside, pages
from idp.web.bearer import memory_of
from idp.web.boundary import service_of
from idp.web.fast import ForPages
from idp.web.guards import open_to_anyone
from idp.web.plain_sign_in import PLAIN_FACTS, entered, only_flow, opened
from idp.web.signing_in import browser_facts, federation_of

PREFIX = "/login/"


@open_to_anyone("people come here to sign in at their organization")
async def leave(request: Request, upstream_id: str) -> Response:
    """Send the browser to the organization's own sign-in, where nobody has to be asked first."""
    service, federation, now = service_of(request), federation_of(service_of(request)), clock.now()
    came, picture = await _came(request, upstream_id, flow_id=only_flow(request))
    here = _journey(request, came, now)
    chosen = Chosen(_trusted(came), picture.configuration.clocks)
    hint: str | None = await read(service.lane, outside.hint_for(here, upstream_id))
    attempt = federation_flow.trying(service.database, chosen, now, max_age=outside.age_asked(here), login_hint=hint)
    if not federation.at_hand(attempt):
        raise ForPages
    try:
        send = federation_flow.ask(federation, attempt)
    except (OutboundFailed, AnswerRefused):
        raise ForPages from None
    browser = pages.browser_of(request)
    begun = pending.begun(
        service.database.ring, attempt, browser=browser, flow_id=here.id, ends=now + chosen.clocks.flow
    )
    await service.lane.write(partial(pending.insert, begun), light=True)
    return outside.send_browser(request, send)


@open_to_anyone("people come back here from their organization")
async def back(request: Request, upstream_id: str) -> Response:
    """Use the try up, prove the answer, and let in the one account with this login."""
    if request.method != "GET":
        raise ForPages
    fields = outside.once(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    service, now = service_of(request), clock.now()
    came, picture = await _came(request, upstream_id, state=fields.get("state"))
    tried = _tried(request, came, upstream_id, now)
    here = _journey(request, came, now)
    if came.has_session or not PLAIN_FACTS.issuperset(here.facts):
        raise ForPages
    chosen = Chosen(_trusted(came), picture.configuration.clocks)
    if not await service.lane.write(partial(pending.spend, tried, now)):
        raise ForPages  # which finds, and records, that somebody was first
    finished = await run_in_threadpool(_proved, request, chosen, tried, fields)
    return await _arrived(request, picture, came, here, finished)


def _proved(request: Request, chosen: Chosen, tried: Pending, fields: dict[str, str]) -> Finished:
    service = service_of(request)
    with outside.other_ways(request, service, chosen.upstream.id):
        return federation_flow.proved(federation_of(service), chosen, tried, fields)


async def _arrived(request: Request, picture: Picture, came: Came, here: Kept, finished: Finished) -> Response:
    service, settings, assertion = service_of(request), picture.configuration, finished.assertion
    now = clock.now()
    one: plain.Known | None = await read(service.lane, plain.known(assertion, came.device_id, now))
    if one is not None and clock.micros(now) < here.expires_at:
        browser = browser_facts(request)
        made = entering.entering(
            one.whose,
            plain.proof_of(one, assertion),
            device_id=came.device_id,
            browser=browser,
            settings=settings,
            now=now,
        )
        opening = plain.opening(
            service.database,
            one,
            assertion,
            made,
            browser,
            here=here,
            clocks=settings.clocks,
            onward=onward.after_sign_in(request, picture, here, made, whose=one.whose, now=now),
            now=now,
        )
        where = await opened(service, opening)
        if where is not None:
            return entered(request, made, where)
    return await run_in_threadpool(outside.arrived, request, assertion.upstream_id, finished)


async def _came(
    request: Request, upstream_id: str, *, flow_id: str = "", state: str | None = None
) -> tuple[Came, Picture]:
    """Read the try, with the settings of the very epoch the statement saw."""
    service = service_of(request)
    memory, settings = memory_of(service), service.settings
    if "\x00" in flow_id:
        raise ForPages
    came: Came = await read(
        service.lane,
        plain.read(
            service.database.ring,
            upstream_id,
            session=cookies.read(request, settings, cookies.SESSION),
            device=cookies.read(request, settings, cookies.DEVICE),
            flow_id=flow_id,
            state=state,
        ),
    )
    picture = await memory.picture(service.lane)
    if picture.epoch < came.epoch:
        picture = await memory.renew(service.lane, picture.epoch)
    return came, picture


def _journey(request: Request, came: Came, now: datetime) -> Kept:
    browser = cookies.read(request, service_of(request).settings, cookies.FLOW)
    try:
        return flows.check(came.flow, browser, now)
    except flows.FlowLost:
        raise ForPages from None


def _trusted(came: Came) -> TrustedUpstream:
    if came.upstream is None:
        raise ForPages
    return came.upstream


def _tried(request: Request, came: Came, upstream_id: str, now: datetime) -> Pending:
    browser = cookies.read(request, service_of(request).settings, cookies.FLOW)
    try:
        tried = pending.judged(came.tried, upstream_id, browser, now)
    except ReturnRefused:
        raise ForPages from None
    if tried.purpose != "sign_in" or tried.answer is not None or tried.spent_at is not None:
        raise ForPages
    return tried


_WAYS: dict[str, tuple[Callable[[Request, str], Awaitable[Response]], Route]] = {
    "": (leave, Route(PREFIX + "{upstream}", leave)),
    "callback": (back, Route(PREFIX + "{upstream}/callback", back)),
}
"""What follows the upstream to the way there, and the route its counters name."""


async def endpoint(request: Request) -> Response:
    """Answer the plain case of a path below PREFIX."""
    upstream_id, _, rest = request.scope["path"].removeprefix(PREFIX).partition("/")
    if rest not in _WAYS or not upstream_id:
        raise ForPages
    way, request.scope["route"] = _WAYS[rest]
    return await way(request, upstream_id)
