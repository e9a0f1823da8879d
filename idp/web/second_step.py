"""Confirm it's you: a passkey, the code of an authenticator app or a recovery code; and setting these up."""

from io import BytesIO
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from idp.accounts import flows, linking, passkeys, second_factor, stepping_up
from idp.accounts.assurance import PHR
from idp.accounts.tables import Flow
from idp.database import transaction
from idp.errors import Invalid, NotFound, TooMany
from idp.web import pages
from idp.web import passkeys as passkey_pages
from idp.web.boundary import TheService, Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, Visitor, open_to_anyone
from idp.web.passkeys import confirm_facts, confirmed, enroll_facts, wanted, wants_sign_in
from idp.web.signing_in import (
    address,
    browser_facts,
    enter,
    journey,
    journey_to,
    must_be_signed_in,
    shown,
    with_cookies,
)

router = APIRouter()
_ONLY_PASSKEY = "This needs a passkey. A code can be passed on to somebody else, a passkey can't."


@router.get("/sign-in/confirm")
def confirm_page(
    request: Request,
    db: Transaction,
    by: SignedIn,
    flow: str = "",
    where: Annotated[str, Query(alias="next")] = "",
) -> Response:
    """Ask for a second step that is strong enough; a person without one sets it up instead.

    A page of ours says with `acr` what it needs (RFC 9470); an app's wish stands in the journey.
    """
    if not flow:
        begun = journey_to(request, db, where)
        if request.query_params.get("acr") == PHR:
            flows.note(db, begun, "wants", {"acr": PHR})
        return pages.go(request, address("/sign-in/confirm", begun))
    here = journey(request, db, flow)
    if _lacks(db, here, by):
        return pages.go(request, address("/sign-in/enroll", here))
    return pages.page(request, "login/confirm.html", **confirm_facts(request, db, here, by))


def _lacks(db: Transaction, here: Flow, by: Visitor) -> bool:
    """Say whether this person has no second step of the kind the journey needs."""
    if wanted(here) == PHR:
        return not passkeys.of_account(db, by.account.id)
    return not second_factor.has(db, by.account.id)


@router.post("/sign-in/confirm")
@open_to_anyone("requires a session itself: the tries are counted in a transaction of their own")
def confirm(request: Request, service: TheService, form: TheForm) -> Response:
    """Check the code; the session's secret changes with its strength (security.md 18)."""
    by = must_be_signed_in(request)
    with transaction(service.database) as db:
        here = journey(request, db, form.get("flow", ""))
        again = confirm_facts(request, db, here, by)
    if wanted(here) == PHR:
        raise Invalid(_ONLY_PASSKEY, page="login/confirm.html", context=again)
    try:
        signed_in = stepping_up.by_code(
            service.database,
            account_id=by.account.id,
            session_id=by.session.id,
            code=form.get("code", "")[:64],
            browser=browser_facts(request),
            again=wants_sign_in(here),
            remember="remember" in form,
        )
    except stepping_up.WrongCode as refusal:
        fields = {"code": refusal.detail}
        raise Invalid(fields=fields, page="login/confirm.html", context=again) from refusal
    except TooMany as refusal:
        refusal.page, refusal.context = "login/confirm.html", again
        raise
    with transaction(service.database) as db:
        here = journey(request, db, here.id)
        where = confirmed(db, here, signed_in)
    return enter(request, signed_in, where)


@router.get("/sign-in/enroll")
def enroll_page(
    request: Request, db: Transaction, by: SignedIn, flow: str = "", where: Annotated[str, Query(alias="next")] = ""
) -> Response:
    """Offer the kinds of second step, or show the key that was made and ask for its first code."""
    linking.require_fresh_proof(db, by.session)
    if not flow:
        return pages.go(request, address("/sign-in/enroll", journey_to(request, db, where)))
    here = journey(request, db, flow)
    return pages.page(request, "login/enroll.html", **enroll_facts(request, db, here, by))


@router.post("/sign-in/enroll")
def enroll(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Make a key for an authenticator app."""
    linking.require_fresh_proof(db, by.session)
    here = journey(request, db, form.get("flow", ""))
    second_factor.enrol(db, by.account)
    return pages.go(request, address("/sign-in/enroll", here))


@router.get("/sign-in/enroll/qr.svg")
def picture(db: Transaction, by: SignedIn) -> Response:
    """Draw the key that is being set up; a file of ours, so the strict policy allows it as an image."""
    linking.require_fresh_proof(db, by.session)
    begun = second_factor.begun(db, by.account)
    if begun is None:
        raise NotFound
    drawn = BytesIO()
    import segno  # for the few who enrol; it costs a start 30 ms

    segno.make(begun.uri, error="m").save(drawn, kind="svg", scale=5, border=4, dark="#000", light="#fff")
    return Response(drawn.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


@router.post("/sign-in/enroll/confirm")
def enrolled(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Check the first code, strengthen the session, and show the recovery codes once."""
    linking.require_fresh_proof(db, by.session)
    here = journey(request, db, form.get("flow", ""))
    begun = second_factor.begun(db, by.account)
    if begun is None:
        return pages.go(request, address("/sign-in/enroll", here))
    try:
        codes = second_factor.confirm(db, by.account.id, begun.factor_id, "".join(form.get("code", "").split()))
    except Invalid as refusal:
        refusal.page, refusal.context = "login/enroll.html", enroll_facts(request, db, here, by)
        raise
    signed_in = stepping_up.stepped_up(db, by.session, kind="otp", browser=browser_facts(request))
    where = confirmed(db, here, signed_in)
    if not codes:
        return enter(request, signed_in, where)
    page = pages.page(request, "login/recovery_codes.html", codes=codes, onward=where, **shown(db, here))
    with_cookies(request, page, signed_in)
    return page


router.include_router(passkey_pages.router)
