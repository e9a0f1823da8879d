"""What only SAML upstreams need: our metadata, for the partner's software to load."""

from fastapi import APIRouter, Response

from idp.errors import NotFound
from idp.federation import saml_trust, upstreams
from idp.web.boundary import Transaction
from idp.web.guards import open_to_anyone

router = APIRouter()


@router.get("/login/{upstream}/metadata")
@open_to_anyone("addresses and certificates, for the partner's software to load")
def metadata(db: Transaction, upstream: str) -> Response:
    """Return how this upstream knows us (SAML Metadata 2.4.4)."""
    found = upstreams.find(db, upstream)
    if found.kind != "saml":
        raise NotFound
    return Response(saml_trust.our_metadata(db, found), media_type="application/samlmetadata+xml")
