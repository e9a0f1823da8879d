"""A person with two accounts makes them one: proves this one, then the other, then sees both side by side."""

from typing import Any

from fastapi import APIRouter, Request, Response

from idp.accounts import linking
from idp.accounts.tables import Account
from idp.entitlements import grants
from idp.errors import Conflict, StepUp
from idp.federation import upstreams
from idp.merging import merge
from idp.web import cookies, pages
from idp.web.boundary import Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import SignedIn

router = APIRouter()


@router.get("/account/merge")
def begin_page(request: Request, db: Transaction, by: SignedIn) -> Response:
    """Say what making two accounts one means; this account, proved now, is the one that stays."""
    return pages.page(request, "account/merge.html", name=by.account.display_name, logins=_logins(db, by.account))


@router.post("/account/merge")
def begin(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Keep the proof of this account and ask for a login of the other."""
    try:
        pending = merge.begin(db, by.session, browser=pages.browser_of(request))
    except StepUp as wanted:
        return _to_second_step(request, "/account/merge", wanted)
    return pages.go(request, f"/sign-in?other=true&next=/account/merge/{pending.id}")


@router.get("/account/merge/{pending_id}")
def confirm_page(request: Request, db: Transaction, by: SignedIn, pending_id: str) -> Response:
    """Show both accounts side by side; the person says that both are theirs."""
    pending = merge.find(db, pending_id, browser=_browser(request))
    kept, closed = merge.preview(db, pending, by.session)
    return pages.page(request, "account/merge_confirm.html", **_both(db, kept, closed), action=pending.id)


@router.post("/account/merge/{pending_id}")
def confirm(request: Request, db: Transaction, by: SignedIn, pending_id: str, form: TheForm) -> Response:
    """Make them one, or leave both as they are."""
    pending = merge.find(db, pending_id, browser=_browser(request))
    if form.get("answer") != "merge":
        return pages.go(request, "/account/logins")
    try:
        merge.merge(db, pending, by.session)
    except StepUp as wanted:
        return _to_second_step(request, f"/account/merge/{pending_id}", wanted)
    request.state.person = None
    response = pages.page(request, "account/merged.html")
    cookies.drop(response, service_of(request).settings, cookies.SESSION)
    return response


def _to_second_step(request: Request, where: str, wanted: StepUp) -> Response:
    del wanted  # the page asks for whatever the account has, or sets one up
    return pages.go(request, f"/sign-in/confirm?next={where}")


def _browser(request: Request) -> str | None:
    return cookies.read(request, service_of(request).settings, cookies.FLOW)


def _logins(db: Transaction, account: Account) -> list[str]:
    names = upstreams.names(db)
    return [names.get(one.upstream_id or "", "Your user name and password") for one in linking.logins(db, account.id)]


def _both(db: Transaction, kept: Account, closed: Account) -> dict[str, Any]:
    if kept.id == closed.id:
        raise Conflict("These are one account already.")
    return {
        "kept": kept.display_name,
        "kept_logins": _logins(db, kept),
        "closed": closed.display_name,
        "closed_logins": _logins(db, closed),
        "held": grants.count_live(db, closed.id),
    }
