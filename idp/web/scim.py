"""The machines' lane: SCIM 2.0 for partners, who say here who their people are (RFC 7644).

A token of the client credentials grant with the scope `scim`; the client's partner is the whole world it sees.
"""

import json
import re
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.database import transaction
from idp.errors import NotEntitled, NotFound, Refused
from idp.provisioning import people
from idp.web import saved
from idp.web.bearer import bearer
from idp.web.boundary import Service
from idp.web.guards import open_to_anyone

PREFIX = "/scim/v2"
_PERSON = re.compile(r"/Users/([a-z0-9_]{1,64})", re.ASCII)
_RECEIPT = re.compile(PREFIX + _PERSON.pattern + "/receipt", re.ASCII)
"""The log's signed promise that the partner turned a person off (docs/security-staff.md, signed receipts)."""
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""

    async def asked_of(request: Request) -> Response:
        partner_id = None
        if request.url.path != f"{PREFIX}/ServiceProviderConfig":
            caller = await bearer(service, request, "scim")
            if caller.account_id is not None or caller.client.partner_id is None:
                raise NotEntitled("Only a partner's own system may use this: its client must belong to a partner.")
            partner_id = caller.client.partner_id
        of = _RECEIPT.fullmatch(request.url.path)
        if of is not None and request.method == "GET":
            return await run_in_threadpool(_receipt, service, of[1], str(partner_id))
        asked = await _asked(service, request)
        return await run_in_threadpool(_answer, service, asked, partner_id)

    open_to_anyone("requires a token itself; the service's description is public (RFC 7643 5)")(asked_of)
    methods = _METHODS
    return [Route(PREFIX, asked_of, methods=methods), Route(PREFIX + "/{rest:path}", asked_of, methods=methods)]


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
            person = _PERSON.fullmatch(asked.path)
            if person and asked.method != "GET" and people.turned_off(db, partner_id or "", person[1]) is not None:
                where = f"{asked.base_url}{asked.path}/receipt"
                made.headers["Link"] = f'<{where}>; rel="describedby"; type="application/json"'
    except SCIMException as refusal:
        made = scim.error_response(refusal)
    body = b"" if made.body is None else orjson.dumps(made.body)
    made.headers["Cache-Control"] = "no-store"
    return Response(body, int(made.status), made.headers)


def _receipt(service: Service, person_id: str, partner_id: str) -> Response:
    with transaction(service.database) as db:
        found = people.turned_off(db, partner_id, person_id)
        if found is None:
            raise NotFound
        return saved.signed(found.id, found.promise)


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
