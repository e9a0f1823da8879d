"""A person's own pages: what can I do, where am I signed in."""

from fastapi import APIRouter, Request, Response

from idp.accounts import devices, linking, people, readiness, second_factor, sessions
from idp.errors import NotFound
from idp.oauth import consents
from idp.oauth.tables import Client
from idp.partners import members
from idp.registration import waiting
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, open_to_anyone
from idp.web.me import (
    access,
    activity,
    emergency,
    findings,
    leaving,
    logins,
    merging,
    notices,
    past,
    questions,
    requests,
    second_step,
    working,
)

router = APIRouter()


@router.get("/")
@open_to_anyone("it leads to the home page, which asks who is there")
def front_door(request: Request) -> Response:
    """Lead whoever comes to the service's own address to their home page, by way of signing in."""
    return pages.go(request, "/account")


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
        practices=access.practices(db, account_id),
        ended=past.ended(db, account_id),
        companies=members.administered(db, account_id),
        to_do=questions.to_do(db, account_id) + working.to_do(db, account_id) + access.to_do(db, account_id),
        findings=findings.of_person(db, account_id),
        logins=len(linking.logins(db, account_id)),
        has_factor=second_factor.has(db, account_id),
        devices=len(devices.known_to(db, account_id)),
        sessions=len(sessions.live_of(db, account_id)),
        addresses=len(people.contacts(db, account_id)),
        apps=[one for one in (db.get(Client, c.client_id) for c in consents.of_person(db, account_id)) if one],
    )


@router.post("/account/apps/{client_id}/remove")
def take_back(request: Request, db: Transaction, by: SignedIn, client_id: str, form: TheForm) -> Response:
    """End what this person allowed an app, and the app's tokens with it."""
    if not consents.end(db, by.account.id, client_id):
        raise NotFound
    return pages.go(request, "/account")


router.include_router(activity.router)
router.include_router(leaving.router)
router.include_router(logins.router)
router.include_router(notices.router)
router.include_router(merging.router)
router.include_router(second_step.router)
router.include_router(requests.router)
router.include_router(emergency.router)
router.include_router(questions.router)
