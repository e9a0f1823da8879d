"""Where a person is signed in, on which devices, and what happened to their account lately (T-37, RU-7)."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import devices, places, sessions
from idp.accounts.tables import Device, Login, Session
from idp.audit import origin, own
from idp.errors import NotFound
from idp.federation import upstreams
from idp.leaving import people
from idp.web import cookies, pages
from idp.web.boundary import Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import SignedIn

router = APIRouter()
_SIGN_IN = "accounts.login.succeeded"
SAID = {
    _SIGN_IN: "Signed in",
    "accounts.login.refused": "A sign-in was refused",
    "accounts.login.linked": "A login was added",
    "accounts.login.unlinked": "A login was removed",
    "accounts.login.held": "A login was paused",
    "accounts.login.released": "A paused login was confirmed",
    "accounts.factor.added": "A second step was added",
    "accounts.factor.removed": "A second step was removed",
    "accounts.factor.refused": "A second step was refused",
    "accounts.password.changed": "The password was changed",
    "accounts.recovery.done": "Got back in with two proofs",
    "accounts.recovery.refused": "Getting back in was refused",
    "accounts.recovery.stopped": "Getting back in was stopped",
    "accounts.session.ended": "Signed out",
    "accounts.device.met": "First sign-in on a new device",
    "accounts.address.added": "An address for notices was added",
    "accounts.address.removed": "An address for notices was removed",
    "accounts.account.suspended": "The account was locked or put on hold",
    "accounts.account.reinstated": "The account was opened again",
    "accounts.terms.accepted": "Terms were accepted",
    "accounts.attestation.made": "You confirmed why you may act",
}
"""What a person reads of the log, in words about themselves."""
_REASONS = {
    "wrong_password": "wrong password",
    "login_removed": "that login was removed",
    "account_inactive": "the account is on hold",
    "eligibility_ceased": "access ended",
    "signed_out": "you signed out",
    "signed_out_by_owner": "you ended it from another place",
    "replaced": "you signed in again in the same browser",
    "password_changed": "the password changed",
    "factor_removed": "a second step was removed",
    "misuse_reported": "misuse was reported",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One place a person is signed in at, as the page shows it."""

    session: Session
    device: str
    login: str
    place: str
    here: bool


@router.get("/account/activity")
def activity(request: Request, db: Transaction, by: SignedIn, ended: int = -1) -> Response:
    """List where this person is signed in, the devices they used, and what happened lately."""
    account_id = by.account.id
    here = origin.current().address
    recent = own.of_person(db, account_id, SAID.keys())
    return pages.page(
        request,
        "account/activity.html",
        places=_places(db, by.account.id, by.session.id, here),
        devices=[(d, d.id == by.session.device_id) for d in devices.known_to(db, account_id)],
        recent=[
            (one, SAID[one.event], _more(one), places.words(one.address, here) if one.address else "") for one in recent
        ],
        ended=ended,
    )


def _places(db: Db, account_id: str, mine: str, here: str | None) -> list[Place]:
    live = sessions.live_of(db, account_id)
    names = upstreams.names(db)
    began = own.of_person(db, account_id, [_SIGN_IN], sessions=[s.id for s in live], limit=200) if live else []
    came_from = {one.session_id: one.address for one in began}
    labels = dict(db.exec(select(Device.id, Device.label).where(col(Device.id).in_({s.device_id for s in live}))).all())
    logins = {one.id: one for one in db.exec(select(Login).where(col(Login.account_id) == account_id)).all()}
    found = []
    for one in live:
        login = logins.get(one.login_id)
        name = names.get(login.upstream_id or "", "User name and password") if login else "A login you removed"
        place = places.words(came_from.get(one.id), here)
        found.append(Place(one, labels.get(one.device_id or "", "A browser"), name, place, one.id == mine))
    return sorted(found, key=lambda one: not one.here)


def _more(one: own.Happened) -> str:
    """Say why, where it is known, and on what."""
    parts = [_REASONS.get(one.reason or "", ""), devices.label_of(one.user_agent) if one.user_agent else ""]
    return ", ".join(part for part in parts if part)


@router.post("/account/activity/sign-out-others")
def sign_out_others(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """End every other session of this person now, with the tokens born from them."""
    ended = sessions.end_all(db, by.account.id, because="signed_out_by_owner", by=by.account.id, keep=by.session.id)
    return pages.go(request, f"/account/activity?ended={ended}")


@router.post("/account/activity/sign-out-everywhere")
def sign_out_everywhere(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """End every session, this one too, every token of an app and every journey that was begun."""
    people.sign_out(db, by.account.id, because="signed_out_by_owner", by=by.account.id)
    response = pages.go(request, "/signed-out?why=everywhere")
    cookies.drop(response, service_of(request).settings, cookies.SESSION)
    return response


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
