"""A person's logins, password and second step: listed, added, changed, removed (RU-4)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from idp import configuration
from idp.accounts import linking, local_logins, login, moved, password_rules, password_words, passwords, second_factor
from idp.accounts.tables import Login
from idp.database import transaction
from idp.errors import Conflict, Invalid, NotFound, TooMany
from idp.federation import offers, upstreams
from idp.web import cookies, pages
from idp.web.boundary import TheService, Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, open_to_anyone
from idp.web.signing_in import browser_facts, must_be_signed_in

router = APIRouter()
_LOCAL = "Your user name and password"


@router.get("/account/logins")
def logins(request: Request, db: Transaction, by: SignedIn) -> Response:
    """List the logins of this account, what each sends us and when it last did (T-28)."""
    names = upstreams.names(db)
    found = linking.logins(db, by.account.id)
    works = linking.usable(db, by.account.id)
    return pages.page(
        request,
        "account/logins.html",
        logins=[(one, _name(names, one), _facts(one), one.id in works) for one in found],
        mine=by.session.login_id,
        addable=offers.offered(db),
        have={one.upstream_id for one in found},
        has_password=local_logins.of_account(db, by.account.id) is not None,
    )


def _facts(one: Login) -> list[tuple[str, str]]:
    """Return each fact kept of a login, in words; an address is shown in part."""
    kept = one.facts or {}
    shown = []
    for name in sorted(kept):
        value = kept[name]
        if name == "email":
            value = linking.masked(value)
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        shown.append((name.replace("_", " "), str(value)))
    return shown


@router.post("/account/logins/{login_id}/still-mine")
def still_mine(request: Request, db: Transaction, by: SignedIn, login_id: str, form: TheForm) -> Response:
    """Let a held login in again: its owner, signed in freshly with another one, says it is still theirs."""
    linking.require_fresh_proof(db, by.session)
    one = next((each for each in linking.logins(db, by.account.id) if each.id == login_id), None)
    if one is None:
        raise NotFound
    if one.held_because is not None:
        who = "Its organization told us" if one.held_because == moved.ORGANIZATION else "Our security desk asked us"
        raise Conflict(f"{who} not to use this login. Ask them, or call us.")
    moved.release(db, one, by=by.account.id, because="owner")
    return pages.go(request, "/account/logins")


def _name(names: dict[str, str], one: Login) -> str:
    return names.get(one.upstream_id, one.issuer) if one.upstream_id else _LOCAL


@router.get("/account/logins/{login_id}/remove")
def remove_page(request: Request, db: Transaction, by: SignedIn, login_id: str) -> Response:
    """Say what removing a login means, and which ones stay; the last one has no button."""
    linking.require_fresh_proof(db, by.session)
    return pages.page(request, "account/login_remove.html", **_removal(db, by.account.id, login_id))


def _removal(db: Transaction, account_id: str, login_id: str) -> dict[str, Any]:
    names = upstreams.names(db)
    found = linking.logins(db, account_id)
    one = next((each for each in found if each.id == login_id), None)
    if one is None:
        raise NotFound
    return {"login": one, "name": _name(names, one), "stays": [_name(names, o) for o in found if o.id != login_id]}


@router.post("/account/logins/{login_id}/remove")
def remove(request: Request, db: Transaction, by: SignedIn, login_id: str, form: TheForm) -> Response:
    """Remove a login at once; the sessions it opened end with it, this one too where it did."""
    linking.require_fresh_proof(db, by.session)
    facts = _removal(db, by.account.id, login_id)
    try:
        linking.unlink(db, by.account.id, login_id, by=by.account.id, name=facts["name"])
    except Conflict as refusal:
        refusal.page, refusal.context = "account/login_remove.html", facts
        raise
    if by.session.login_id != login_id:
        return pages.go(request, "/account/logins")
    response = pages.go(request, "/signed-out")
    cookies.drop(response, service_of(request).settings, cookies.SESSION)
    return response


@router.get("/account/password")
def password_page(request: Request, db: Transaction, by: SignedIn) -> Response:
    """Ask for the present password and a new one."""
    if local_logins.of_account(db, by.account.id) is None:
        raise NotFound
    linking.require_fresh_proof(db, by.session)
    return pages.page(request, "account/password.html", least=_least(db, by.account.id))


def _least(db: Transaction, account_id: str) -> int:
    return password_rules.WITH_FACTOR if second_factor.has(db, account_id) else password_rules.ALONE


@router.post("/account/password")
@open_to_anyone("requires a session itself: no transaction may be open while passwords are hashed")
def change_password(request: Request, service: TheService, form: TheForm) -> Response:
    """Change the password with proof of the present one; every other session ends (security.md 10, 23)."""
    by = must_be_signed_in(request)
    new = form.get("new_password", "")
    with transaction(service.database) as db:
        linking.require_fresh_proof(db, by.session)
        found = local_logins.of_account(db, by.account.id)
        if found is None:
            raise NotFound
        with_factor = second_factor.has(db, by.account.id)
        rules = configuration.current(db)
        again = {"least": _least(db, by.account.id)}
        about = password_words.about(db, by.account.id)
    try:
        password_rules.check(new, with_factor=with_factor, about=about, field="new_password")
        present = form.get("password", "")[:4096]
        login.prove_password(service.database, by.account.id, present, browser_facts(request))
    except (Invalid, TooMany) as refusal:
        refusal.page, refusal.context = "account/password.html", again
        raise
    hashed = passwords.hashed(service.database.ring, new, rules.passwords)
    with transaction(service.database) as db:
        ended = local_logins.change_password(db, by.account.id, hashed, keep_session=by.session.id)
    return pages.page(request, "account/password_changed.html", ended=ended)
