"""A login we don't know yet: prove an existing one, or open an invitation; then both open one account."""

from typing import Any

from fastapi import APIRouter, Request, Response

from idp.accounts import flows, linking
from idp.accounts.tables import Flow, PendingLink
from idp.errors import Invalid
from idp.federation import upstreams
from idp.registration import invitations
from idp.web import cookies, pages
from idp.web.boundary import Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, SignedIn, open_to_anyone
from idp.web.signing_in import address, journey, onward, shown

router = APIRouter()


def pending_of(request: Request, db: Transaction, here: Flow) -> PendingLink:
    """Return the outside login that was proved in this journey; raise LinkLost."""
    browser = cookies.read(request, service_of(request).settings, cookies.FLOW)
    return linking.find(db, str(here.facts.get("link", "")), browser=browser, flow_id=here.id)


def _page(db: Transaction, here: Flow, pending: PendingLink) -> dict[str, Any]:
    return {
        "organization": upstreams.names(db).get(pending.upstream_id, pending.issuer),
        "outside": linking.masked(pending.facts.get("email")) or pending.facts.get("name") or "",
        "received": sorted(pending.facts),
        "until": pending.expires_at,
        **shown(db, here),
    }


@router.get("/link")
@open_to_anyone("shows a login that was proved in this browser and is nobody's yet")
def link_page(request: Request, db: Transaction, flow: str = "") -> Response:
    """Ask how to go on; never says whether an account with that e-mail exists."""
    here = journey(request, db, flow)
    return pages.page(request, "login/link.html", **_page(db, here, pending_of(request, db, here)))


@router.post("/link")
@open_to_anyone("keeps the choice in this browser's journey")
def choose(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Go on to an existing login or to an invitation."""
    here = journey(request, db, form.get("flow", ""))
    pending = pending_of(request, db, here)
    choice = form.get("choice", "")
    if choice == "existing":
        if found is not None:
            return pages.go(request, address("/link/confirm", here))
        return pages.go(request, address("/sign-in", here))
    if choice == "new":
        return pages.go(request, address("/register", here))
    problem = "Choose how to go on."
    field = "choice-existing"
    if choice == "invitation":
        typed = form.get("invitation", "").strip().rstrip("/").rpartition("/")[2]
        field = "invitation"
        problem = "Open or paste the link you were sent."
        if typed:
            flows.note(db, here, "invitation", invitations.look_up(db, typed[:200]).invitation.id)
            return pages.go(request, address("/invitations/confirm", here))
    raise Invalid(fields={field: problem}, page="login/link.html", context=_page(db, here, pending))


@router.get("/link/confirm")
def confirm_page(request: Request, db: Transaction, by: SignedIn, flow: str = "") -> Response:
    """Show both logins side by side; the person confirms that both are theirs."""
    here = journey(request, db, flow)
    pending = pending_of(request, db, here)
    linking.require_fresh_proof(db, by.session)
    existing = next((one for one in linking.logins(db, by.account.id) if one.id == by.session.login_id), None)
    names = upstreams.names(db)
    mine = names.get(existing.upstream_id or "", "Your user name and password") if existing else ""
    proved_at = by.session.factor_time or by.session.auth_time
    facts: dict[str, Any] = {
        "name": by.account.display_name,
        "mine": mine,
        "mine_at": proved_at,
        "theirs_at": pending.created_at,
    }
    return pages.page(request, "login/link_confirm.html", **facts, **_page(db, here, pending))


@router.post("/link/confirm")
def confirm(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Add the login to the account, or leave both as they are."""
    here = journey(request, db, form.get("flow", ""))
    pending = pending_of(request, db, here)
    if form.get("answer") == "add":
        name = upstreams.names(db).get(pending.upstream_id, pending.issuer)
        upstreams.trusted(db, pending.upstream_id, subject=pending.subject)
        linking.confirm(db, pending, by.session, organization=name)
    else:
        linking.spend(db, pending, by=by.account.id)
    flows.note(db, here, "link", None)
    return pages.go(request, onward(db, here, by.session))
