"""Sign-out that an app asks for (OpenID Connect RP-Initiated Logout 1.0)."""

from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response

from idp import clock
from idp.accounts import flows, sessions
from idp.oauth.authorization_request import pairs_of
from idp.oauth.logout import LogoutRequest, understand
from idp.web import cookies, pages, upstream_logout
from idp.web.bearer import memory_of
from idp.web.boundary import TheService, Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, Visitor, open_to_anyone
from idp.web.machines.reading import form_of

router = APIRouter()
PATH = "/oauth/logout"


@router.get(PATH)
@open_to_anyone("a valid hint, or a click, ends only the session of this browser")
def sign_out(request: Request, db: Transaction, service: TheService, found: MaybeVisitor) -> Response:
    """End the session on a valid hint for it; ask in every other case."""
    asked = _understood(request, db, request.scope["query_string"])
    if found is not None and asked.session_id == found.session.id and asked.subject == found.account.id:
        return _done(request, asked, _ended(request, db, found))
    if found is None:
        return _done(request, asked) if asked.session_id is not None else _page(request, "oauth/signed_out.html", asked)
    flow = flows.begin(
        db,
        browser=pages.browser_of(request),
        target=f"{PATH}?{request.scope['query_string'].decode('ascii')}",
        client_id=asked.client.client_id if asked.client else None,
    )
    action = f"{PATH}/confirm?{urlencode({'flow': flow.id})}"
    return _page(request, "oauth/sign_out.html", asked, action=action)


@router.post(PATH)
@open_to_anyone("RP-Initiated Logout 2: the request may be posted; it goes on as a GET, which carries our cookies")
async def sign_out_posted(request: Request) -> Response:
    """Accept a posted request."""
    fields = await form_of(request) if request.headers.get("content-type") else {}
    return pages.go(request, f"{PATH}?{urlencode(fields)}" if fields else PATH)


@router.post(f"{PATH}/confirm")
@open_to_anyone("the click of the confirmation page; the form key proves that it was ours")
def sign_out_confirmed(
    request: Request, db: Transaction, found: MaybeVisitor, form: TheForm, flow: str = ""
) -> Response:
    """End the session after a click, or keep it."""
    settings = service_of(request).settings
    journey = flows.find(db, flow, cookies.read(request, settings, cookies.FLOW))
    asked = _understood(request, db, urlsplit(journey.target).query.encode("ascii"))
    flows.end(db, journey)
    if "stay" in form:
        return pages.go(request, "/account")
    return _done(request, asked, _ended(request, db, found) if found is not None else "")


def _ended(request: Request, db: Transaction, found: Visitor) -> str:
    """End the session; return the query of the page that offers its organization's sign-out, "" for a login of ours."""
    leads = upstream_logout.came_from(request, db, found.session)
    sessions.end(db, found.session, because="signed_out", by=found.account.id)
    return leads


def _understood(request: Request, db: Transaction, query: bytes) -> LogoutRequest:
    service = service_of(request)
    picture = memory_of(service).in_transaction(db)
    return understand(picture, service.settings.issuer, clock.now(), pairs_of(query))


def _done(request: Request, asked: LogoutRequest, leads: str = "") -> Response:
    request.state.person = None
    response: Response
    if asked.goes_to is not None:
        response = pages.go(request, asked.goes_to)
    elif leads:
        response = pages.go(request, f"/signed-out{leads}")
    else:
        response = _page(request, "oauth/signed_out.html", asked)
    cookies.drop(response, service_of(request).settings, cookies.SESSION)
    return response


def _page(request: Request, template: str, asked: LogoutRequest, action: str = "") -> Response:
    parts = urlsplit(asked.goes_to or "")
    return pages.page(
        request,
        template,
        form_action=f"{parts.scheme}://{parts.netloc}" if parts.netloc else None,
        app=asked.client.name if asked.client else None,
        action=action,
    )
