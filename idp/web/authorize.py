"""The authorize endpoint: one read, one group commit, and the browser goes on (RFC 6749 3.1)."""

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Route

from idp import clock, entropy
from idp.accounts import flows, sessions
from idp.accounts.flows import Kept
from idp.audit import origin
from idp.database.lane import Work
from idp.errors import OAuthRefused, Unavailable
from idp.oauth import arrival
from idp.oauth import pushed as pushing
from idp.oauth.arrival import Arrival
from idp.oauth.authorization_request import PATH, pairs_of, pairs_of_target, understand
from idp.oauth.memory import Picture, read
from idp.oauth.steps import Journey, SignIn, next_step
from idp.web import allowing, cookies, logout, onward, pages, plain_sign_in
from idp.web.bearer import memory_of
from idp.web.boundary import Service, service_of
from idp.web.guards import open_to_anyone
from idp.web.machines.conduct import TRIES
from idp.web.machines.reading import form_of

router = APIRouter()
router.include_router(logout.router)
router.include_router(allowing.router)
Pairs = list[tuple[str, str]]


@open_to_anyone("apps send people here who are not signed in yet; nothing happens before client and address are proven")
async def endpoint(request: Request) -> Response:
    """Lead the person to the first unmet step, or back to the app with a code.

    A posted request (Core 3.1.2.1) goes on as a GET, which carries our cookies.
    """
    if request.method == "POST":
        return pages.go(request, f"{PATH}?{urlencode(await form_of(request))}")
    service = service_of(request)
    pairs = pairs_of(request.scope["query_string"])
    picture, found = await _arrived(request, service, pairs)
    flow, pairs = _flow_of(request, found, pairs)
    now = clock.now()
    pushed = pushing.named_in(dict(pairs)) if flow is None else None
    if pushed is not None:
        pairs = await _pushed(service, *pushed)
    checked = pushed is not None or (flow is not None and flow.client_id is not None)
    asked = understand(picture, service.settings.issuer, now, pairs, pushed=checked)
    session = found.session
    if session is not None:
        origin.narrow(**onward.origin_of(session))
    origin.narrow(client_id=asked.client.client_id)
    journey = Journey(asked, found, flow, picture, now)
    step = next_step(journey)
    if step is not None:
        if asked.silent:
            asked.refuse(step.error, "A page would have to be shown.")
        query = urlencode(pairs) if pushed is not None else request.scope["query_string"].decode("ascii")
        # Not for a pushed request, which is used up: loading its page anew, or going back to it, would be refused.
        begins = flow is None and pushed is None and step.path == SignIn.path
        flow = await _keep(request, service, journey, query, anew=step.path == SignIn.path)
        if begins and plain_sign_in.begins_plainly(request, flow):
            return await plain_sign_in.asking_who(request, picture, flow)
        return pages.go(request, f"{step.path}?{urlencode({'flow': flow.id})}")
    location = await _issue(service, journey)
    if flow is not None and asked.client.continue_page:
        shown = partial(pages.page, app_name=asked.client.name, location=location)
        return await run_in_threadpool(shown, request, "oauth/continue.html")
    if asked.response_mode == "form_post":
        return await run_in_threadpool(pages.form_post, request, asked.redirect_uri, location)
    return pages.go(request, location)


async def _pushed(service: Service, name: str, client_id: str) -> Pairs:
    """Return the parameters of a pushed request, which is used up by this."""
    found: Pairs | None = await service.lane.write(partial(pushing.spend, name, client_id, clock.micros(clock.now())))
    if found is None:
        raise OAuthRefused(
            "invalid_request_uri",
            "This request was used before, took too long, or is another app's. Start again there.",
        )
    return found


async def _arrived(request: Request, service: Service, pairs: Pairs) -> tuple[Picture, Arrival]:
    """Read who arrives, with the picture of the very epoch the statement saw."""
    memory = memory_of(service)
    picture = await memory.picture(service.lane)
    named = dict(pairs)
    if "\x00" in named.get("flow", ""):
        raise flows.FlowLost
    for _ in range(TRIES):
        found: Arrival = await read(
            service.lane,
            arrival.read(
                picture,
                clock.now(),
                secret=cookies.read(request, service.settings, cookies.SESSION),
                flow_id=named.get("flow"),
                client_id=named.get("client_id", "").replace("\x00", "") or None,
            ),
        )
        if found.epoch == picture.epoch:
            return picture, found
        picture = await memory.renew(service.lane, picture.epoch)
    raise Unavailable("The configuration is changing. Try again in a moment.")


def _flow_of(request: Request, found: Arrival, pairs: Pairs) -> tuple[Kept | None, Pairs]:
    """Return the flow a browser comes back to and its request, or the request in the address."""
    names = {name for name, _ in pairs}
    if "flow" not in names or "client_id" in names:
        return None, pairs
    browser = cookies.read(request, service_of(request).settings, cookies.FLOW)
    flow = flows.check(found.flow, browser, clock.now())
    return flow, pairs_of_target(flow.target)


async def _keep(request: Request, service: Service, journey: Journey, query: str, *, anew: bool) -> Kept:
    """Keep the request on the server; its pages find there what the app asked them for."""
    flow, work = journey.flow, list[Callable[[], Work]]()
    if flow is None:
        flow = _begun(request, journey, query)
        work.append(partial(flows.insert, flow, journey.now))
    elif anew and flow.session_id is not None:
        flow = flows.changed(flow, session_id=None)
        work.append(partial(flows.keep, flow))
    await _write(service, journey, *work, light=True)
    return flow


def _begun(request: Request, journey: Journey, query: str) -> Kept:
    asked = journey.request
    flow_id = entropy.new_id("flw")
    again = bool(asked.prompts & {"login", "select_account"}) or asked.max_age is not None or asked.subject is not None
    wants = {
        "app_name": asked.client.name,
        "form_action": asked.redirect_origin,
        "cancel": f"/oauth/authorize/cancel?{urlencode({'flow': flow_id})}",
        "login_hint": (asked.login_hint or "")[:200],
        "idp": asked.idp,
        "acr": asked.acr,
        "again": again,
    }
    session = journey.arrival.session
    return flows.new(
        flow_id=flow_id,
        browser=pages.browser_of(request),
        target=f"{PATH}?{query}",
        client_id=asked.client.client_id,
        session_id=session.id if session is not None and not SignIn().unmet(journey) else None,
        facts={"wants": {name: value for name, value in wants.items() if value}},
        ends=journey.now + journey.picture.configuration.clocks.flow,
    )


async def _issue(service: Service, journey: Journey) -> str:
    """Store a code and its record, and end the journey; return where the browser takes the code."""
    location, work = onward.issuing(service, journey)
    await _write(service, journey, *work)
    return location


async def _write(service: Service, journey: Journey, *work: Callable[[], Work], light: bool = False) -> None:
    """Commit together with the note that the person is still there; nothing when there is nothing to write.

    `light`: the work is of one statement, and may be lost with the machine's power.
    """
    session = journey.arrival.session
    due = session is not None and sessions.is_due(session.last_seen_at, journey.now)
    if not work and not due:
        return

    def all_of_it() -> Work:
        if session is not None and due:
            yield from sessions.saw_in_lane(session.id, journey.now)
        for one in work:  # made anew each time: a group that failed is done again, item by item
            yield from one()

    await service.lane.write(all_of_it, light=light and len(work) + due == 1)


def routes(service: Service) -> list[BaseRoute]:
    """Return the endpoint as a route of the lane."""
    return [Route(PATH, endpoint, methods=["GET", "POST"])]
