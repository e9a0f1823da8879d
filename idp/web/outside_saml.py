"""What only SAML upstreams need: our metadata for the partner's software, and the messages of single logout."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from idp import clock, configuration
from idp.database import reading
from idp.errors import NotFound, Refused
from idp.federation import logout, saml_trust, signing_out, upstreams
from idp.federation.contract import AnswerRefused, Told
from idp.outbound import OutboundFailed
from idp.web import pages
from idp.web.boundary import Service, TheService, Transaction
from idp.web.guards import open_to_anyone
from idp.web.outside import posted, send_browser
from idp.web.signing_in import federation_of

router = APIRouter()


@router.get("/login/{upstream}/metadata")
@open_to_anyone("addresses and certificates, for the partner's software to load")
def metadata(db: Transaction, upstream: str) -> Response:
    """Return how this upstream knows us (SAML Metadata 2.4.4)."""
    found = upstreams.find(db, upstream)
    if found.kind != "saml":
        raise NotFound
    return Response(saml_trust.our_metadata(db, found), media_type="application/samlmetadata+xml")


@router.get("/login/{upstream}/slo")
@open_to_anyone("the organization's signed logout message is the proof")
def logout_by_address(request: Request, service: TheService, upstream: str) -> Response:
    """End what a logout request in an address names, or read the answer to ours (Bindings 3.4)."""
    query = request.scope["query_string"].decode("ascii", "replace")
    if "SAMLResponse" in request.query_params and "SAMLRequest" not in request.query_params:
        return _answered(request, service, upstream, query, request.query_params.get("RelayState"))
    return _carried_out(request, service, upstream, query, request.query_params.get("RelayState"))


@router.post("/login/{upstream}/slo")
@open_to_anyone("the organization's signed logout message is the proof")
def logout_by_form(
    request: Request, service: TheService, upstream: str, fields: Annotated[dict[str, str], Depends(posted)]
) -> Response:
    """End what a posted logout request names, or read the answer to ours (Bindings 3.5)."""
    if "SAMLResponse" in fields and "SAMLRequest" not in fields:
        return _answered(request, service, upstream, fields["SAMLResponse"], fields.get("RelayState"))
    return _carried_out(request, service, upstream, fields.get("SAMLRequest", ""), fields.get("RelayState"))


def _answered(request: Request, service: Service, upstream: str, came: str, relay_state: str | None) -> Response:
    """Keep what the organization said; the page that shows it asks for this browser's cookie itself."""
    _must_be_saml(service, upstream)
    flow_id = signing_out.answered(federation_of(service), upstream, came, relay_state)
    return pages.go(request, f"/signed-out?{urlencode({'flow': flow_id})}")


def _must_be_saml(service: Service, upstream: str) -> None:
    with reading(service.database) as db:
        if upstreams.find(db, upstream).kind != "saml":
            raise NotFound


def _carried_out(request: Request, service: Service, upstream: str, came: str, relay_state: str | None) -> Response:
    """End the sessions, then send the browser back with our answer."""
    if relay_state is not None and len(relay_state) > _LONGEST:
        raise Refused("Your organization's message could not be read.", code="unreadable_answer")
    federation = federation_of(service)
    _must_be_saml(service, upstream)
    logout.receive(federation, upstream, came)
    with reading(service.database) as db:
        trusted = upstreams.trusted(db, upstream)
        clocks = configuration.current(db).clocks
    told = Told(trusted, clock.now(), clocks.leeway, clocks.upstream_metadata)
    try:
        back = federation.connector("saml").answer_sign_out(told, came, relay_state)
    except (AnswerRefused, OutboundFailed):
        back = None  # the sessions have ended; only the way back is not known now
    return send_browser(request, back) if back is not None else pages.go(request, "/signed-out")


_LONGEST = 1024
"""Characters of the partner's RelayState; the standard allows 80 bytes."""
