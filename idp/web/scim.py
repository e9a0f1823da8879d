"""The machines' lane: SCIM 2.0 for partners, who say here who their people are (RFC 7644).

A token of the client credentials grant with the scope `scim`; the client's partner is the whole world it sees.
"""

import json
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.database import transaction
from idp.errors import NotEntitled, Refused
from idp.web.bearer import bearer
from idp.web.boundary import Service
from idp.web.guards import open_to_anyone

PREFIX = "/scim/v2"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""

    async def people(request: Request) -> Response:
        partner_id = None
        if request.url.path != f"{PREFIX}/ServiceProviderConfig":
            caller = await bearer(service, request, "scim")
            if caller.account_id is not None or caller.client.partner_id is None:
                raise NotEntitled("Only a partner's own system may use this: its client must belong to a partner.")
            partner_id = caller.client.partner_id
        asked = await _asked(service, request)
        return await run_in_threadpool(_answer, service, asked, partner_id)

    open_to_anyone("requires a token itself; the service's description is public (RFC 7643 5)")(people)
    return [Route(PREFIX, people, methods=_METHODS), Route(PREFIX + "/{rest:path}", people, methods=_METHODS)]


async def _asked(service: Service, request: Request) -> object:
    from scim2_server.requests import ScimRequest  # here: a tenth of a second that few starts need

    path = request.url.path.removeprefix(PREFIX) or "/"
    names = [name for name, _ in request.query_params.multi_items()]
    if len(names) != len(set(names)):
        raise Refused("Send each parameter once.", code="invalid_request")
    return ScimRequest(
        method=request.method,
        base_url=service.settings.issuer + PREFIX,
        path=path,
        query=dict(request.query_params),
        headers=[(name, value) for name, value in request.headers.items() if name != "authorization"],
        body=await request.body(),
    )


def _answer(service: Service, asked: object, partner_id: str | None) -> Response:
    """Let the library answer inside one transaction; a refusal or a bug leaves nothing behind."""
    from scim2_models import SCIMException
    from scim2_server.handler import ScimHandler
    from scim2_server.requests import ScimRequest
    from scim2_server.service import ScimService

    from idp.provisioning.description import provider
    from idp.provisioning.storage import PartnerPeople

    assert isinstance(asked, ScimRequest)
    assert asked.body is None or isinstance(asked.body, bytes)
    scim = service.parts.get("scim")
    if scim is None:
        scim = service.parts["scim"] = ScimService(provider())
    assert isinstance(scim, ScimService)
    try:
        _once(asked.body or b"")
        with transaction(service.database) as db:
            made = ScimHandler(scim, PartnerPeople(db, partner_id or "")).handle(asked)
    except SCIMException as refusal:
        made = scim.error_response(refusal)
    body = b"" if made.body is None else orjson.dumps(made.body)
    made.headers["Cache-Control"] = "no-store"
    return Response(body, int(made.status), made.headers)


def _once(body: bytes) -> None:
    """Refuse a body that says a thing twice; attribute names do not depend on case (RFC 7643 2.1, security.md 83)."""
    from scim2_models import InvalidSyntaxException

    def once(pairs: list[tuple[str, Any]]) -> None:
        if len({name.casefold() for name, _ in pairs}) != len(pairs):
            raise InvalidSyntaxException(detail="A member is there twice.")

    try:
        json.loads(body or b"{}", object_pairs_hook=once)
    except RecursionError:
        raise InvalidSyntaxException(detail="The body is nested too deeply.") from None
    except ValueError:
        pass  # not JSON: the library says so in the protocol's words
