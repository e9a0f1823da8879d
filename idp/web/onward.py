"""Where a browser goes when its journey has nothing left to do, or one page more: asked in the commit of the sign-in.

Whoever has just signed in would be sent back to the authorize endpoint to ask the same question again; here the
statement that it asks and the code it issues are part of the commit that opens the session. What authorize would have
to say on a page, or refuse, is left to it.
"""

from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime
from functools import partial

from starlette.requests import Request

from idp.accounts import flows
from idp.accounts.assurance import AAL2, meets
from idp.accounts.entering import Entered, Owner
from idp.accounts.flows import Kept
from idp.audit import log, origin
from idp.database.lane import Work
from idp.errors import Refused
from idp.oauth import arrival, codes, practices
from idp.oauth.arrival import Arrival, SessionSeen
from idp.oauth.authorization_request import PATH, pairs_of_target, understand
from idp.oauth.memory import Picture
from idp.oauth.steps import Journey, SignIn, next_step
from idp.web import cookies
from idp.web.boundary import Service, service_of
from idp.web.signing_in import address

Works = list[Callable[[], Work]]


def issuing(service: Service, journey: Journey) -> tuple[str, Works]:
    """Return where the browser takes its code, and what stores code and record and ends the journey."""
    session = journey.arrival.session
    assert session is not None
    practice = practices.chosen(journey) if journey.request.client.acts_for_provider else None
    issued = codes.issue(journey, service.settings.issuer, practice)
    work: Works = [
        partial(codes.store, issued, journey, session, practice),
        log.person_record(service.database, issued.event, journey.now, journey.arrival.subject_key),
    ]
    if journey.flow is not None:
        work.append(partial(flows.finish, journey.flow, journey.now))
    return issued.location, work


def origin_of(session: SessionSeen) -> dict[str, object]:
    """Return what a session adds to the origin of a request's records."""
    return {
        "actor_id": session.account_id,
        "session_id": session.id,
        "device_id": session.device_id,
        "channel": session.channel,
        "acr": session.acr,
        "amr": tuple(session.amr),
    }


def after_sign_in(
    request: Request, picture: Picture, here: Kept, made: Entered, *, whose: Owner, now: datetime
) -> Callable[[], Work]:
    """Return the work that finds where a browser goes on, for the commit that opens its session; answers an address."""
    if whose.needs_factor(picture.configuration) and not meets(made.session.acr, AAL2):
        return _to(address("/sign-in/confirm", here))
    if here.client_id is None or not here.target.startswith(PATH + "?"):
        return _to(flows.resume(here))
    service = service_of(request)
    browser = cookies.read(request, service.settings, cookies.FLOW)
    context = copy_context()  # the work is done in the writer's thread; its records are this request's

    def judged(found: Arrival) -> tuple[str | None, Works]:
        if found.epoch != picture.epoch or found.session is None:
            return None, []
        try:
            flow = flows.check(found.flow, browser, now)
            asked = understand(picture, service.settings.issuer, now, pairs_of_target(flow.target), pushed=True)
            facts = origin_of(found.session)
            origin.put(replace(origin.current(), **facts, client_id=asked.client.client_id))  # type: ignore[arg-type]
            journey = Journey(asked, found, flow, picture, now)
            step = next_step(journey)
            if step is not None:
                plain = step.path != SignIn.path and not asked.silent
                return (address(step.path, flow) if plain else None), []
            if asked.client.continue_page or asked.response_mode == "form_post":
                return None, []
            return issuing(service, journey)
        except Refused:
            return None, []  # authorize refuses it again, in the right place

    def work() -> Work:
        found = yield from arrival.read(picture, now, secret=made.session.secret, flow_id=here.id)
        where, rest = context.run(judged, found)
        for one in rest:
            yield from one()
        return where or flows.resume(here)

    return work


def _to(where: str) -> Callable[[], Work]:
    def work() -> Work:
        yield from ()
        return where

    return work
