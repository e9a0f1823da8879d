"""An app names the organization by its address (HL7 UDAP tiered OAuth): lead there, or tell the app that we can't."""

from fastapi import APIRouter, Request, Response

from idp.database import transaction
from idp.errors import OAuthRefused
from idp.federation import communities
from idp.web import allowing, pages
from idp.web.boundary import Service, TheService
from idp.web.guards import open_to_anyone
from idp.web.signing_in import address, asked, federation_of, journey

router = APIRouter()


@router.get("/sign-in/organization")
@open_to_anyone("goes where the app's request, kept in this browser's journey, asked to go")
def organization(request: Request, service: TheService, flow: str = "") -> Response:
    """Find the organization through a trust community; no transaction is open while anybody is asked."""
    with transaction(service.database) as db:
        here = journey(request, db, flow)
        named = asked(here, "idp") or ""
        understood = allowing.understood(request, db, here) if here.client_id else None
    try:
        found = communities.provider_for(federation_of(service), _search(service), named)
    except communities.NoSuchProvider as refusal:
        if understood is None:
            raise
        raise OAuthRefused(
            "invalid_idp",
            "The identity provider named cannot be used to sign in here.",
            redirect_uri=understood.redirect_uri,
            state=understood.state,
            response_mode=understood.response_mode,
        ) from refusal
    return pages.go(request, address(f"/login/{found}", here))


def _search(service: Service) -> communities.Search:
    found: communities.Search = service.parts.setdefault("idp_search", communities.Search())
    return found
