"""The signed evidence of a review, for auditors: as a document and as data; taking it is recorded."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from typing import Any

from fastapi import APIRouter, Response
from sqlmodel import Session as Db

from idp import clock
from idp.audit import checkpoint
from idp.database import of
from idp.errors import NotFound
from idp.settings import NotConfigured
from idp.wam import evidence, reports, reviews
from idp.web.boundary import TheService, Transaction
from idp.web.guards import Acting, open_to_anyone
from idp.web.manager.guard import Sees, lines_of

router = APIRouter()


@router.get("/p/{p}/reviews/{x}/evidence.json", include_in_schema=False)
def as_data(db: Transaction, acting: Sees, x: str) -> Response:
    """Return the evidence as signed data."""
    return data(db, acting, x)


@router.get("/p/{p}/reviews/{x}/evidence.pdf", include_in_schema=False)
def as_document(db: Transaction, acting: Sees, x: str) -> Response:
    """Return the evidence as a document, with the signed data attached inside."""
    return document(db, acting, x)


@router.get("/evidence/key.pem", include_in_schema=False)
@open_to_anyone("the public half of the key that evidence is signed with: made to be given out")
def key(service: TheService) -> Response:
    """Give out the public key."""
    try:
        public = checkpoint.load_key(service.settings.audit_key_file).public_key()
    except NotConfigured:
        raise NotFound from None
    return Response(checkpoint.public_pem(public), media_type="application/x-pem-file")


def data(db: Db, acting: Acting, x: str) -> Response:
    """Return the evidence of a review of this person's lines as data; raises as `evidence.made`."""
    return _file(evidence.bytes_of(_made(db, acting, x)), "application/json", "evidence.json")


def document(db: Db, acting: Acting, x: str) -> Response:
    """Return it as a document."""
    from idp.wam import printed  # its library is loaded when somebody prints

    made = _made(db, acting, x)
    by, zone = acting.visitor.account.display_name, of(db).settings.time_zone
    made_pdf = printed.pdf(made["pack"], evidence.bytes_of(made), by=by, at=clock.now(), zone=zone)
    return _file(made_pdf, "application/pdf", "evidence.pdf")


def _made(db: Db, acting: Acting, x: str) -> dict[str, Any]:
    lines = lines_of(db, acting)
    review = reviews.find(db, x[:64], acting.provider.id, lines)
    made = evidence.made(db, review)
    reports.looked(db, acting.provider.id, "wam.report.exported", kind="evidence", review=review.id)
    return made


def _file(content: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=kind, headers=headers)
