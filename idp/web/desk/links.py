"""Access support: an account's logins and link journal; undo, split, release (security staff)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from idp.accounts import humans, journal, linking, moved
from idp.accounts.tables import Account, Login
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, Invalid, NotFound
from idp.federation import upstreams
from idp.merging import split
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff

router = APIRouter()
MayLook = Annotated[Acting, Depends(insurer_staff("audit.search"))]
Support = Annotated[Acting, Depends(insurer_staff("security.access.revoke"))]
PATH = "/security/links"
ENTRIES = 100
"""Lines of the journal that the page shows, the newest."""


@router.get(PATH, include_in_schema=False)
def look(request: Request, staff: MayLook, db: Transaction, account: str = "") -> Response:
    """Show an account's logins and everything that was done to them; looking is recorded."""
    if not account:
        return pages.page(request, "audit/links.html", acting=_acting(staff), found=None, account="")
    return pages.page(request, "audit/links.html", **_facts(staff, db, account))


@router.post(f"{PATH}/undo", include_in_schema=False)
def undo(request: Request, staff: Support, db: Transaction, form: TheForm) -> Response:
    """Take back a line, a merge or a split."""
    account, what, because = form.of("account", "what", "because")
    by = staff.visitor.account.id
    _not_oneself(db, staff, account)
    try:
        if what.startswith("lop_"):
            found = journal.operation(db, what)
            _not_oneself(db, staff, found.account_id, found.other_id)
            split.undo_operation(db, what, by=by, because=because)
        else:
            _not_oneself(db, staff, journal.entry(db, what).account_id)
            split.undo_entry(db, what, by=by, because=because)
    except (Invalid, Conflict) as refusal:
        refusal.page, refusal.context = "audit/links.html", _facts(staff, db, account)
        raise
    return pages.go(request, f"{PATH}?account={account}")


@router.post(f"{PATH}/split", include_in_schema=False)
def take_apart(request: Request, staff: Support, db: Transaction, form: TheForm) -> Response:
    """Move the chosen logins to an account of their own."""
    account, name, because = form.of("account", "name", "because")
    _not_oneself(db, staff, account)
    try:
        split.split(db, account, form.list_of("login"), name=name, by=staff.visitor.account.id, because=because)
    except (Invalid, Conflict) as refusal:
        refusal.page, refusal.context = "audit/links.html", _facts(staff, db, account)
        raise
    return pages.go(request, f"{PATH}?account={account}")


@router.post(f"{PATH}/release", include_in_schema=False)
def release(request: Request, staff: Support, db: Transaction, form: TheForm) -> Response:
    """Let a held login in again."""
    account, login_id, because = form.of("account", "login", "because")
    _not_oneself(db, staff, account)
    login = db.get(Login, login_id)
    if login is None or login.account_id != account:
        raise NotFound
    if not because:
        raise Invalid(fields={"because": "Say why."}, page="audit/links.html", context=_facts(staff, db, account))
    moved.release(db, login, by=staff.visitor.account.id, because=because[:200])
    return pages.go(request, f"{PATH}?account={account}")


def _not_oneself(db: Transaction, staff: Acting, *accounts: str) -> None:
    """Nobody repairs their own account, nor one that became part of it: that is somebody else's to judge."""
    if humans.same(db, staff.visitor.account.id).intersection(accounts):
        raise Conflict("This is your own account. Ask a colleague.")


def _facts(staff: Acting, db: Transaction, account_id: str) -> dict[str, Any]:
    found = db.get(Account, account_id) if account_id.isascii() and account_id.isprintable() else None
    if found is None:
        raise NotFound("There is no account with this id.")
    log.record(db, Event("accounts.links.viewed", account=account_id))
    names, entries = upstreams.names(db), journal.of_account(db, account_id)
    return {
        "acting": {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id},
        "account": account_id,
        "found": found,
        "logins": [(one, _name(names, one)) for one in linking.logins(db, account_id)],
        "entries": [(e, _name(names, db.get(Login, e.login_id))) for e in entries[:ENTRIES]],
        "entries_total": len(entries),
        "operations": journal.operations_of(db, account_id),
    }


def _name(names: dict[str, str], login: Login | None) -> str:
    if login is None:
        return "a login"
    return names.get(login.upstream_id or "", "user name and password")


def _acting(staff: Acting) -> dict[str, Any]:
    return {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id}
