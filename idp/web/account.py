"""A person's own pages: what can I do, where am I signed in."""

from fastapi import APIRouter, Request, Response

from idp.accounts import devices, linking, readiness, second_factor, sessions
from idp.accounts.tables import Device
from idp.errors import NotFound
from idp.oauth import consents
from idp.oauth.tables import Client
from idp.registration import waiting
from idp.web import merging, my_access, my_leaving, my_logins, my_requests, my_second_step, pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn

router = APIRouter()


@router.get("/account")
def home(request: Request, db: Transaction, by: SignedIn) -> Response:
    """Answer in one screen: what, from whom, until when, which logins, which devices."""
    account_id = by.account.id
    if readiness.awaits_approval(db, account_id):
        return pages.go(request, "/register/waiting")
    return pages.page(
        request,
        "account/home.html",
        waiting=[one for one in waiting.of_person(db, account_id) if one.application.status == "submitted"],
        practices=my_access.practices(db, account_id),
        to_do=my_access.to_do(db, account_id),
        logins=len(linking.logins(db, account_id)),
        has_factor=second_factor.has(db, account_id),
        devices=len(devices.known_to(db, account_id)),
        sessions=len(sessions.live_of(db, account_id)),
        apps=[one for one in (db.get(Client, c.client_id) for c in consents.of_person(db, account_id)) if one],
    )


@router.post("/account/apps/{client_id}/remove")
def take_back(request: Request, db: Transaction, by: SignedIn, client_id: str, form: TheForm) -> Response:
    """End what this person allowed an app, and the app's tokens with it."""
    if not consents.end(db, by.account.id, client_id):
        raise NotFound
    return pages.go(request, "/account")


@router.get("/account/activity")
def activity(request: Request, db: Transaction, by: SignedIn, ended: int = -1) -> Response:
    """List where this person is signed in, and the devices they used."""
    live = sessions.live_of(db, by.account.id)
    names = {one.id: one.label for one in (db.get(Device, s.device_id) for s in live if s.device_id) if one}
    return pages.page(
        request,
        "account/activity.html",
        sessions=[(s, names.get(s.device_id or "", "A browser"), s.id == by.session.id) for s in live],
        devices=[(d, d.id == by.session.device_id) for d in devices.known_to(db, by.account.id)],
        ended=ended,
    )


@router.post("/account/activity/sign-out-others")
def sign_out_others(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """End every other session of this person now."""
    ended = sessions.end_all(db, by.account.id, because="signed_out_by_owner", by=by.account.id, keep=by.session.id)
    return pages.go(request, f"/account/activity?ended={ended}")


@router.post("/account/activity/sign-out/{session_id}")
def sign_out_one(request: Request, db: Transaction, by: SignedIn, session_id: str, form: TheForm) -> Response:
    """End one session of this person; somebody else's looks like one that is not there."""
    session = next((s for s in sessions.live_of(db, by.account.id) if s.id == session_id), None)
    if session is None:
        raise NotFound
    sessions.end(db, session, because="signed_out_by_owner", by=by.account.id)
    return pages.go(request, "/account/activity?ended=1")


@router.post("/account/activity/forget/{device_id}")
def forget_device(request: Request, db: Transaction, by: SignedIn, device_id: str, form: TheForm) -> Response:
    """Take a device off the ones this account knows."""
    if not devices.forget(db, by.account.id, device_id):
        raise NotFound
    return pages.go(request, "/account/activity")


router.include_router(my_leaving.router)
router.include_router(my_logins.router)
router.include_router(merging.router)
router.include_router(my_second_step.router)
router.include_router(my_requests.router)
