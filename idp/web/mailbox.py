"""Development only: the mails we would have sent."""

from fastapi import APIRouter, Request, Response

from idp import configuration
from idp.errors import NotFound
from idp.notices import outbox, reading
from idp.web import pages
from idp.web.boundary import TheService, Transaction
from idp.web.guards import open_to_anyone

router = APIRouter()


@router.get("/mailbox")
@open_to_anyone("exists in development only, where there is nobody to protect; 404 everywhere else")
def mailbox(request: Request, db: Transaction, service: TheService) -> Response:
    """Show the newest hundred mails as their readers would see them."""
    if not service.settings.development:
        raise NotFound
    insurer = configuration.current(db).insurer
    ring = service.database.ring
    mails = [(mail, *reading.shown(mail, service.settings, ring, insurer)) for mail in outbox.recent(db)]
    return pages.page(request, "account/mailbox.html", mails=mails)
