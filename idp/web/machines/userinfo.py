"""GET and POST /oauth/userinfo (OpenID Connect Core 5.3)."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.database.lane import Stale
from idp.errors import NotSignedIn, OAuthRefused, Unavailable
from idp.oauth.access_tokens import Checked
from idp.oauth.person import asked_claims, disclosed, known_of
from idp.web.bearer import caller_of, in_force, token_of
from idp.web.boundary import service_of
from idp.web.guards import open_to_anyone
from idp.web.machines.reading import form_of

TRIES = 4


@open_to_anyone("the access token is checked in the request itself")
async def endpoint(request: Request) -> Response:
    """Tell an app what its scopes and claims let it know of the person."""
    service = service_of(request)
    token = await _token(request)
    for n in range(TRIES):
        checked = await in_force(service, token, with_person=True, recall="people" if n == 0 else "nothing")
        body, event = _told(checked)
        row = log.machine_row(service.database, event, clock.now())
        try:
            await service.lane.write(rows=[row], rests_on=checked.rests_on)
        except Stale:
            continue
        return Response(orjson.dumps(body), 200, None, "application/json")
    raise Unavailable("Access is being changed just now. Ask again in a moment.")


def _told(checked: Checked) -> tuple[dict[str, Any], Event]:
    """Return what is told, and the record of it."""
    caller = caller_of(checked, ("openid",))
    if checked.standing is None or caller.account_id is None:
        raise NotSignedIn(
            "The access token is not a person's.",
            code="invalid_token",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    known = known_of(checked.more, checked.standing)
    asked = asked_claims(checked.more[6], "userinfo")
    body: dict[str, Any] = {"sub": caller.account_id, **disclosed(known, caller.scopes, asked)}
    event = Event(
        "oauth.userinfo.read",
        account=caller.account_id,
        client=caller.client.client_id,
        session=caller.session_id,
        details={"claims": sorted(body)},
    )
    return body, event


async def _token(request: Request) -> str:
    """Return the token of the header, or of a POST body (RFC 6750 2.2); never of the URL."""
    if request.method == "POST" and request.headers.get("content-type"):
        form = await form_of(request)
        token = form.get("access_token")
        if token is not None:
            if "authorization" in request.headers:
                raise OAuthRefused("invalid_request", "Send the token in one way only.")
            return token
    return token_of(request)
