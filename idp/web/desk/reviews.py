"""Access reviews for security staff, and the day's digest they also get by mail."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from idp.audit import log
from idp.audit.events import Event
from idp.audit.search import Filters
from idp.security import access_reviews
from idp.web.boundary import Transaction
from idp.web.desk import shown
from idp.web.guards import Acting, insurer_staff
from idp.web.pages import page

router = APIRouter()


@router.get("/security/reviews", include_in_schema=False)
def reviews(
    request: Request, staff: Annotated[Acting, Depends(insurer_staff("audit.search"))], db: Transaction
) -> Response:
    """Show every review aid; looking is recorded with how many signs there were."""
    found = {name: (title, look(db)) for name, (title, look) in access_reviews.KINDS.items()}
    log.record(db, Event("security.reviews.viewed", details={name: len(signs) for name, (_, signs) in found.items()}))
    mentioned = [shown.Mentioned(sign.account_id, sign.provider_id) for _, signs in found.values() for sign in signs]
    return page(
        request,
        "audit/reviews.html",
        acting=shown.acting(staff),
        found=found,
        names=shown.names(db, mentioned),
        search=lambda sign: shown.address(Filters(person=sign.account_id, provider=sign.provider_id)),
        most=access_reviews.MOST,
    )
