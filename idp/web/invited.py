"""Opening an invitation: who invites, for which practice, and with which login."""

from fastapi import APIRouter, Request, Response

from idp import configuration
from idp.accounts import flows, linking, local_logins, login, opening, password_rules, passwords
from idp.accounts.assertion import Assertion
from idp.accounts.tables import Account, Flow, PendingLink
from idp.database import transaction
from idp.errors import Conflict, Invalid
from idp.federation import upstreams
from idp.registration import accepting, invitations
from idp.wam import receipts
from idp.web import pages
from idp.web.boundary import TheService, Transaction
from idp.web.forms import TheForm
from idp.web.guards import MaybeVisitor, open_to_anyone
from idp.web.linked import pending_of
from idp.web.signing_in import address, browser_facts, came_in, enter, journey, journey_to, onward, shown

router = APIRouter()
_HOLDER = "whoever holds the link was invited; it works once"


@router.get("/invitations/confirm")
@open_to_anyone(_HOLDER)
def confirm_page(request: Request, db: Transaction, found: MaybeVisitor, flow: str = "") -> Response:
    """Show what accepting means, with the login that was proved in this journey."""
    here = journey(request, db, flow)
    offer = _offer(db, here)
    pending = pending_of(request, db, here) if "link" in here.facts else None
    if pending is None and found is None:
        return pages.go(request, address("/sign-in", here))
    names = upstreams.names(db)
    using = names.get(pending.upstream_id, "") if pending else (found.account.display_name if found else "")
    return pages.page(request, "login/invited_confirm.html", offer=offer, using=using, **shown(db, here))


@router.post("/invitations/confirm")
@open_to_anyone(_HOLDER)
def confirm(request: Request, db: Transaction, found: MaybeVisitor, form: TheForm) -> Response:
    """Accept with the outside login just proved (a new account) or as the person who signed in."""
    here = journey(request, db, form.get("flow", ""))
    offer = _offer(db, here)
    if "link" in here.facts:
        account, signed_in = _with_outside_login(request, db, here, offer)
        where = _joined(db, here, signed_in)
        return enter(request, signed_in, where)
    if found is None:
        return pages.go(request, address("/sign-in", here))
    account = _accept(db, offer, account_id=found.account.id)
    flows.note(db, here, "invitation", None)
    flows.note(db, here, "joining", account.id)
    return pages.go(request, onward(db, here, found.session))


def _offer(db: Transaction, here: Flow) -> invitations.Offer:
    return invitations.offer_of(db, str(here.facts.get("invitation", "")))


def _accept(db: Transaction, offer: invitations.Offer, account_id: str | None = None) -> Account:
    """Take the invitation up, with a receipt of what it gave (a company's own invitation is no practice's access)."""
    invitation, receipt = offer.invitation, None
    if invitation.provider_id is not None:
        receipt = receipts.begin(
            db,
            kind="joined",
            provider_id=invitation.provider_id,
            made_by=account_id or invitation.id,
            form_id=receipts.new_form_id(),
        )
    account = accepting.accept(db, invitation.id, account_id=account_id)
    if receipt is not None:
        receipt.account_id = receipt.made_by = account.id
        receipt.facts = {"invitation": invitation.id, "lines": [invitation.line] if invitation.line else []}
    return account


def _with_outside_login(
    request: Request, db: Transaction, here: Flow, offer: invitations.Offer
) -> tuple[Account, opening.SignedIn]:
    pending = pending_of(request, db, here)
    trusted = upstreams.trusted(db, pending.upstream_id, subject=pending.subject)
    account = _accept(db, offer)
    linking.spend(db, pending, by=account.id)
    linking.link(
        db,
        account.id,
        upstream_id=pending.upstream_id,
        issuer=pending.issuer,
        subject=pending.subject,
        facts=pending.facts,
        organization=trusted.display_name,
    )
    assertion = assertion_of(pending, trusted.partner_id, trusted.display_name)
    signed_in = login.by_assertion(db, assertion, browser=browser_facts(request))
    assert signed_in is not None
    flows.note(db, here, "link", None)
    return account, signed_in


def assertion_of(pending: PendingLink, partner_id: str, organization: str) -> Assertion:
    """Return what a held outside login asserted, for the sign-in that follows at once."""
    return Assertion(
        upstream_id=pending.upstream_id,
        issuer=pending.issuer,
        subject=pending.subject,
        auth_time=pending.auth_time,
        acr=pending.acr,
        amr=tuple(pending.amr),
        facts=pending.facts,
        partner_id=partner_id,
        organization=organization,
    )


def _joined(db: Transaction, here: Flow, signed_in: opening.SignedIn) -> str:
    flows.note(db, here, "invitation", None)
    flows.note(db, here, "joining", signed_in.account.id)
    came_in(db, here, signed_in.session)
    return onward(db, here, signed_in.session)


@router.get("/invitations/register")
@open_to_anyone(_HOLDER)
def register_page(request: Request, db: Transaction, flow: str = "") -> Response:
    """Ask for a user name and a password."""
    here = journey(request, db, flow)
    return pages.page(request, "login/register.html", user_name="", offer=_offer(db, here), **shown(db, here))


@router.post("/invitations/register")
@open_to_anyone(_HOLDER)
def register(request: Request, service: TheService, form: TheForm) -> Response:
    """Create the account with a user name and password; hashed before the transaction that does it."""
    user_name, password = form.get("user_name", "").strip(), form.get("password", "")
    with transaction(service.database) as db:
        here = journey(request, db, form.get("flow", ""))
        offer = _offer(db, here)
        rules = configuration.current(db)
        again = {"user_name": user_name[:128], "offer": offer, **shown(db, here)}
    try:
        local_logins.check_name(user_name)
        practice = offer.provider.name if offer.provider else ""
        about = (user_name, offer.invitation.display_name, rules.insurer.name, practice)
        password_rules.check(password, with_factor=False, about=about)
        hashed = passwords.hashed(service.database.ring, password, rules.passwords)
        with transaction(service.database) as db:
            here = journey(request, db, here.id)
            account = _accept(db, _offer(db, here))
            added = local_logins.add(db, account.id, user_name, hashed)
            signed_in = login.by_new_login(db, added, browser=browser_facts(request))
            where = _joined(db, here, signed_in)
    except Invalid as refusal:
        refusal.page, refusal.context = "login/register.html", again
        raise
    except Conflict as refusal:
        raise Invalid(fields={"user_name": refusal.detail}, page="login/register.html", context=again) from refusal
    return enter(request, signed_in, where)


@router.get("/invitations/{secret}")
@open_to_anyone(_HOLDER)
def open_invitation(request: Request, db: Transaction, secret: str) -> Response:
    """Show who invites, for which practice and job; looking does not use the link up."""
    return pages.page(request, "login/invited.html", offer=invitations.look_up(db, secret[:200]), secret=secret)


@router.post("/invitations/{secret}")
@open_to_anyone(_HOLDER)
def start(request: Request, db: Transaction, secret: str, form: TheForm) -> Response:
    """Begin the journey of accepting, by the way in that was chosen."""
    offer = invitations.look_up(db, secret[:200])
    ways = {"organization": "/sign-in/organizations", "existing": "/sign-in", "local": "/invitations/register"}
    way = ways.get(form.get("way", ""))
    if offer.invitation.account_id is not None:
        way = "/sign-in"
    if way is None:
        fields = {"way-organization": "Choose how you want to sign in."}
        raise Invalid(fields=fields, page="login/invited.html", context={"offer": offer, "secret": secret})
    here = journey_to(request, db, "/account")
    flows.note(db, here, "invitation", offer.invitation.id)
    return pages.go(request, address(way, here))
