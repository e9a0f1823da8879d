"""Confirm it's you: the code of an authenticator app or a recovery code, and setting the app up."""

from io import BytesIO
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from idp.accounts import flows, linking, login, second_factor
from idp.accounts.tables import Flow
from idp.database import transaction
from idp.errors import Invalid, NotFound, TooMany
from idp.web import pages
from idp.web.boundary import TheService, Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, open_to_anyone
from idp.web.signing_in import (
    address,
    browser_facts,
    came_in,
    enter,
    journey,
    journey_to,
    must_be_signed_in,
    onward,
    shown,
    with_cookies,
)

router = APIRouter()


@router.get("/sign-in/confirm")
def confirm_page(
    request: Request, db: Transaction, by: SignedIn, flow: str = "", where: Annotated[str, Query(alias="next")] = ""
) -> Response:
    """Ask for a code; a person without a second step sets one up instead."""
    if not flow:
        return pages.go(request, address("/sign-in/confirm", journey_to(request, db, where)))
    here = journey(request, db, flow)
    if not second_factor.has(db, by.account.id):
        return pages.go(request, address("/sign-in/enroll", here))
    return pages.page(request, "login/confirm.html", name=by.account.display_name, **shown(db, here))


@router.post("/sign-in/confirm")
@open_to_anyone("requires a session itself: the tries are counted in a transaction of their own")
def confirm(request: Request, service: TheService, form: TheForm) -> Response:
    """Check the code; the session's secret changes with its strength (security.md 18)."""
    by = must_be_signed_in(request)
    with transaction(service.database) as db:
        here = journey(request, db, form.get("flow", ""))
        again = {"name": by.account.display_name, **shown(db, here)}
    try:
        signed_in = login.by_code(
            service.database,
            account_id=by.account.id,
            session_id=by.session.id,
            code=form.get("code", "")[:64],
            browser=browser_facts(request),
            again=_wants_sign_in(here),
        )
    except login.WrongCode as refusal:
        fields = {"code": refusal.detail}
        raise Invalid(fields=fields, page="login/confirm.html", context=again) from refusal
    except TooMany as refusal:
        refusal.page, refusal.context = "login/confirm.html", again
        raise
    with transaction(service.database) as db:
        here = journey(request, db, here.id)
        where = _confirmed(db, here, signed_in)
    return enter(request, signed_in, where)


def _wants_sign_in(here: Flow) -> bool:
    """Say whether the app asked for signing in anew, which the own second step answers (decisions.md 6)."""
    return here.client_id is not None and here.session_id is None


def _confirmed(db: Transaction, here: Flow, signed_in: login.SignedIn) -> str:
    if _wants_sign_in(here):
        came_in(db, here, signed_in.session)
    flows.complete(db, here, "second_factor", session=signed_in.session.id)
    return onward(db, here, signed_in.session)


@router.get("/sign-in/enroll")
def enroll_page(
    request: Request, db: Transaction, by: SignedIn, flow: str = "", where: Annotated[str, Query(alias="next")] = ""
) -> Response:
    """Explain the second step, or show the key that was made and ask for its first code."""
    linking.require_fresh_proof(db, by.session)
    if not flow:
        return pages.go(request, address("/sign-in/enroll", journey_to(request, db, where)))
    here = journey(request, db, flow)
    begun = second_factor.begun(db, by.account)
    return pages.page(request, "login/enroll.html", enrolment=begun, **shown(db, here))


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
        refusal.page, refusal.context = "login/enroll.html", {"enrolment": begun, **shown(db, here)}
        raise
    signed_in = login.stepped_up(db, by.session, kind="otp", browser=browser_facts(request))
    where = _confirmed(db, here, signed_in)
    if not codes:
        return enter(request, signed_in, where)
    page = pages.page(request, "login/recovery_codes.html", codes=codes, onward=where, **shown(db, here))
    with_cookies(request, page, signed_in)
    return page
