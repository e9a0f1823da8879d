"""The access manager's pages: people of a practice, one person, adding one."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.catalogue import apart
from idp.database import of
from idp.entitlements import catalog
from idp.envelope import CannotOpen
from idp.errors import Invalid, NotFound
from idp.partners.tables import Partner
from idp.registration import taken_up
from idp.wam import appointments, authority, emergency_open, holdings, inactivity, leave, left, receipts, roster
from idp.wam.tables import Receipt
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import (
    changing,
    delegating,
    emergency,
    ends,
    happened,
    heard,
    importing,
    inbox,
    invited,
    inviting,
    managers,
    removing,
    reports,
    resting,
    reviews,
    views,
    vouching,
    wanted,
    why,
)
from idp.web.manager.guard import Manages, Sees, lines_of, lines_seen

router = APIRouter()
router.include_router(importing.router)  # before `/people/{a}`, which would take its address


@router.get("/p/{p}/people")
def people(request: Request, db: Transaction, acting: Sees, *, page: int = 1, s: str = "") -> Response:
    """List the people of a practice; `s` holds sealed search words, so that no name stands in an address."""
    words = _opened(db, acting, s)
    found = roster.people(db, acting.provider.id, words=words, page=page, lines=lines_seen(db, acting))
    return pages.page(
        request,
        "wam/people.html",
        roster=found,
        words=words,
        address=f"?s={s}&" if s else "?",
        managers=len({a.account_id for a in appointments.in_force(db, acting.provider.id, None, clock.now())}),
        left=left.found(db, acting.provider.id, words) if words else [],
        invitations=[] if words else invited.listed(db, acting),
        **_frame(db, acting),
    )


@router.post("/p/{p}/people")
def search(request: Request, db: Transaction, acting: Sees, form: TheForm) -> Response:
    """Search by name: recorded, answered at an address that names nobody (ui.md 2)."""
    words = form.get("words", "").strip()[:80]
    here = f"/p/{acting.provider.id}/people"
    if not words:
        return pages.go(request, here)
    gone = len(left.found(db, acting.provider.id, words))
    roster.searched(db, acting.provider.id, words, roster.people(db, acting.provider.id, words=words).total + gone)
    sealed = of(db).ring.seal("cursors", f"people:{acting.provider.id}", words.encode())
    return pages.go(request, f"{here}?s={urlsafe_b64encode(sealed).decode().rstrip('=')}")


@router.get("/p/{p}/people/new")
def new(request: Request, db: Transaction, acting: Manages, line: str = "") -> Response:
    """Ask who shall join, in which line of business, and as what."""
    if line and line not in lines_of(db, acting):
        raise NotFound
    return pages.page(request, "wam/new.html", **_new_facts(db, acting, {"line": line} if line else {}))


@router.post("/p/{p}/people/new")
def invite(request: Request, db: Transaction, acting: Manages, form: TheForm) -> Response:
    """Make an invitation and show its link, once; the same form again shows that it was made."""
    name, email, capacity, bundle, line = form.of("name", "email", "capacity", "bundle", "line")
    zone = of(db).settings.time_zone
    try:
        made = inviting.invite(
            db,
            acting,
            name=name,
            email=email,
            works_as=capacity,
            bundle=bundle or None,
            end=ends.read(form.get("end", ends.YEAR), form.get("until", "").strip(), zone),
            line=line,
            form_id=form.get("form_id", ""),
        )
    except Invalid as problem:
        problem.page, problem.context = "wam/new.html", _new_facts(db, acting, dict(form))
        raise
    link = f"{of(db).settings.issuer}/invitations/{made[1]}" if made else None
    return pages.page(
        request,
        "wam/invited.html",
        link=link,
        name=name,
        email=email,
        until=made[0].expires_at if made else None,
        line=line,
        **(invited.given(db, acting, made[0]) if made else {}),
        **_frame(db, acting),
    )


@router.get("/p/{p}/people/{a}")
def person(request: Request, db: Transaction, acting: Sees, a: str) -> Response:
    """Show one person: what they may do here, from whom, until when."""
    provider_id = acting.provider.id
    found = authority.person(db, provider_id, a)
    roster.looked_at(db, provider_id, a)
    seen = lines_seen(db, acting)
    held = [one for one in roster.functions_of(db, provider_id, a) if one.grant.line_of_business in seen]
    by_line: dict[str, list[roster.Held]] = {}
    for one in held:
        by_line.setdefault(one.grant.line_of_business, []).append(one)
    tie = found.affiliation
    partner = db.get(Partner, tie.partner_id) if tie and tie.partner_id else None
    managed = [x.line for x in appointments.in_force(db, provider_id, None, clock.now()) if x.account_id == a]
    return pages.page(
        request,
        "wam/person.html",
        who=found.account,
        tie=tie,
        partner=partner.name if partner else None,
        left_at=None if tie else left.when(db, provider_id, a),
        manages=[views.LINE_NAMES[line] for line in managed],
        away=[one for one in leave.of_person(db, a, provider_id) if one.line in seen],
        taken=[
            {"name": one.display_name, "email": views.masked(one.email), "at": one.spent_at}
            for one in taken_up.of_person(db, provider_id, found.account, seen)
        ],
        emergencies=emergency.entries(db, emergency_open.of_person(db, a, provider_id, seen)),
        inactive=inactivity.paused(db, a, provider_id, seen),
        jobs=sorted({h.job for h in held if h.job}),
        changed=_changed(db, acting, a, seen),
        held=list(by_line.items()),
        receipts=_history(db, provider_id, a, seen),
        **views.bars(held, clock.now(), of(db).settings.time_zone),
        **_frame(db, acting),
    )


def _frame(db: Session, acting: Acting) -> dict[str, Any]:
    return views.frame(db, acting.provider, acting.visitor.account.id)


def _changed(db: Session, acting: Acting, a: str, lines: Collection[str]) -> list[dict[str, Any]]:
    """Return the jobs that changed since the person has parts of them on their own: offered, never done by itself."""
    names = {e.key: e.name for e in catalog.everything(db)}
    return [
        {
            "line": one.line,
            "key": one.bundle.key,
            "name": one.bundle.name,
            "keeps": [names.get(key, key) for key in one.keeps],
            "misses": [names.get(key, key) for key in one.misses],
        }
        for one in apart.since(db, a, acting.provider.id)
        if one.line in lines
    ]


def _opened(db: Session, acting: Acting, s: str) -> str:
    if not s:
        return ""
    try:
        sealed = urlsafe_b64decode(s + "=" * (-len(s) % 4))
        return of(db).ring.open("cursors", f"people:{acting.provider.id}", sealed).decode()
    except (ValueError, CannotOpen):
        raise NotFound from None


def _new_facts(db: Session, acting: Acting, typed: dict[str, str]) -> dict[str, Any]:
    facts = _frame(db, acting)
    if not facts["lines"]:
        raise NotFound
    line = typed.get("line") or facts["lines"][0]
    jobs = holdings.jobs(db, holdings.functions(db, acting.provider, line))
    names = ("name", "email", "capacity", "bundle", "end", "until")
    typed = {"capacity": "employee", "end": ends.YEAR, **typed}
    chosen = {name: typed.get(name, "").strip() for name in names}
    if ends.two(chosen["end"], chosen["until"]):
        chosen["end"] = "date"
    year = ends.year(of(db).settings.time_zone)
    return {"line": line, "jobs": jobs, "chosen": chosen, "year": year, "form_id": receipts.new_form_id(), **facts}


def _history(db: Session, provider_id: str, account_id: str, lines: list[str]) -> list[dict[str, Any]]:
    rows = db.exec(
        select(Receipt)
        .where(col(Receipt.provider_id) == provider_id, col(Receipt.account_id) == account_id)
        .order_by(col(Receipt.at).desc(), col(Receipt.id))
        .limit(50)
    ).all()
    rows = [row for row in rows if receipts.seen(row, lines)][:5]
    ids = {r.made_by for r in rows}
    names = {x.id: x.display_name for x in db.exec(select(Account).where(col(Account.id).in_(ids))).all()}
    return [{"at": r.at, "by": names.get(r.made_by, ""), "what": views.summary(r), "href": views.href(r)} for r in rows]


router.include_router(inbox.router)
router.include_router(invited.router)
router.include_router(changing.router)
router.include_router(removing.router)
router.include_router(heard.router)
router.include_router(vouching.router)
router.include_router(why.router)
router.include_router(managers.router)
router.include_router(delegating.router)
router.include_router(wanted.router)
router.include_router(resting.router)
router.include_router(emergency.router)
router.include_router(reviews.router)
router.include_router(reports.router)
router.include_router(happened.router)
