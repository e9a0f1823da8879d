"""Jobs (bundles): which functions each holds, and new versions: choose, see who gains and loses, publish for a day."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db
from sqlmodel import col, func, select

from idp.catalogue import bundles as versions
from idp.entitlements import bundles
from idp.entitlements.tables import Bundle
from idp.errors import Conflict, Invalid, NotFound
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting
from idp.web.insurer import shared
from idp.web.insurer.shared import MayEdit

router = APIRouter()
PATH = "/insurer/jobs"


@router.get(PATH, include_in_schema=False)
def listed(request: Request, staff: MayEdit, db: Transaction) -> Response:
    """List every job with its functions and what waits for its day."""
    jobs = [
        {"bundle": one, "items": bundles.items(db, one), "waits": versions.coming(db, one.key)}
        for one in bundles.current(db)
    ]
    return pages.page(request, "insurer/jobs.html", jobs=jobs, **shared.frame(db, staff))


@router.get(f"{PATH}/{{key}}", include_in_schema=False)
def one(request: Request, staff: MayEdit, db: Transaction, key: str) -> Response:
    """Show a job with its functions and versions, to change it."""
    found = _found(db, key)
    return pages.page(request, "insurer/job.html", **_facts(db, staff, found, bundles.items(db, found)))


@router.post(f"{PATH}/{{key}}/check", include_in_schema=False)
def check(request: Request, staff: MayEdit, db: Transaction, key: str, form: TheForm) -> Response:
    """Show who would gain and lose what; nothing is published."""
    found = _found(db, key)
    try:
        items = versions.check(db, key, form.list_of("f"))
        effective = shared.first_moment(db, form.get("effective", ""))
    except Invalid as problem:
        problem.page, problem.context = "insurer/job.html", _facts(db, staff, found, form.list_of("f"), form)
        raise
    names, now = shared.names(db), bundles.items(db, found)
    return pages.page(
        request,
        "insurer/job_check.html",
        bundle=found,
        items=items,
        added=[names[key] for key in items if key not in now],
        removed=[names[key] for key in now if key not in items],
        effective=effective,
        typed=form.get("effective", ""),
        seen=_newest(db, key),
        **(shared.told(db, versions.impact(db, key, items)) | shared.frame(db, staff)),
    )


@router.post(f"{PATH}/{{key}}", include_in_schema=False)
def publish(request: Request, staff: MayEdit, db: Transaction, key: str, form: TheForm) -> Response:
    """Publish the version that was previewed, for its day; or take back the one that waits."""
    found, by = _found(db, key), staff.visitor.account.id
    try:
        if form.get("do") == "withdraw":
            versions.withdraw(db, key, by=by)
        else:
            seen = form.get("seen", "")
            versions.publish(
                db,
                key,
                form.list_of("f"),
                seen=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 6 else 0,
                effective_at=shared.first_moment(db, form.get("effective", "")),
                reason=form.get("reason", ""),
                by=by,
            )
    except (Invalid, Conflict) as problem:
        chosen = form.list_of("f") or bundles.items(db, found)
        problem.page = "insurer/job.html"
        problem.context = _facts(db, staff, found, chosen, form) | {"problem": problem.detail}
        raise
    return pages.go(request, f"{PATH}/{key}")


def _found(db: Db, key: str) -> Bundle:
    try:
        return bundles.find(db, key)
    except Invalid:
        raise NotFound from None


def _newest(db: Db, key: str) -> int:
    return db.exec(select(func.max(col(Bundle.version))).where(col(Bundle.key) == key)).one() or 0


def _facts(db: Db, staff: Acting, found: Bundle, chosen: list[str], form: Form | None = None) -> dict[str, Any]:
    made = shared.frame(db, staff)
    apps: dict[str, list[Any]] = {}
    for function in made["functions"]:
        if function.key not in versions.BARRED:
            apps.setdefault(function.app, []).append(function)
    return {
        "bundle": found,
        "chosen": chosen,
        "apps": sorted(apps.items()),
        "fixed": found.key in versions.FIXED,
        "waits": versions.coming(db, found.key),
        "versions": db.exec(
            select(Bundle).where(col(Bundle.key) == found.key).order_by(col(Bundle.version).desc())
        ).all(),
        "typed": form.get("effective", "") if form else "",
        **made,
    }
