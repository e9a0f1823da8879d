"""Staff publish a version of the terms: write it, see the difference and whom it asks, publish (T-01 to T-06)."""

from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel import Session as Db
from sqlmodel import col, func, select

from idp import clock
from idp.accounts import terms
from idp.accounts.tables import Account, TermsAcceptance, TermsDocument
from idp.database import of
from idp.errors import Conflict, Invalid
from idp.web import dates, pages
from idp.web.boundary import Transaction
from idp.web.forms import Form, TheForm
from idp.web.guards import Acting, insurer_staff

router = APIRouter()
MaySee = Annotated[Acting, Depends(insurer_staff("audit.search"))]
MayPublish = Annotated[Acting, Depends(insurer_staff("terms.publish"))]
KINDS = {"site": "Site-specific terms (these prevail)", "general": "General terms"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A version as it was typed, checked."""

    kind: str
    version: str
    title: str
    body: str
    changes: str
    effective_at: datetime


@router.get("/insurer/terms")
def versions(request: Request, db: Transaction, staff: MaySee) -> Response:
    """List every version with how many have accepted it."""
    counted = dict(
        db.exec(select(TermsAcceptance.document_id, func.count()).group_by(col(TermsAcceptance.document_id))).all()
    )
    found = db.exec(select(TermsDocument).order_by(col(TermsDocument.effective_at).desc())).all()
    in_force = {one.id for one in terms.current(db)}
    entries = [
        {
            "document": one,
            "accepted": counted.get(one.id, 0),
            "state": "In force" if one.id in in_force else "Coming" if one.effective_at > clock.now() else "Earlier",
        }
        for one in found
    ]
    return pages.page(request, "insurer/terms.html", entries=entries, people=_people(db), kinds=KINDS)


def _people(db: Db) -> int:
    return db.exec(select(func.count()).select_from(Account).where(col(Account.status) == "active")).one()


@router.get("/insurer/terms/new")
def new(request: Request, db: Transaction, staff: MayPublish) -> Response:
    """Ask for the new version."""
    return pages.page(request, "insurer/terms_new.html", kinds=KINDS, typed={})


@router.post("/insurer/terms/check")
def check(request: Request, db: Transaction, staff: MayPublish, form: TheForm) -> Response:
    """Show the difference to the version in force and whom the new one asks; nothing is published."""
    draft = _draft(db, form)
    return pages.page(request, "insurer/terms_check.html", **_preview(db, draft))


@router.post("/insurer/terms")
def publish(request: Request, db: Transaction, staff: MayPublish, form: TheForm) -> Response:
    """Publish what was previewed, and nothing else."""
    draft = _draft(db, form)
    if form.get("digest") != terms.digest_of(draft.body):
        raise Conflict("The text is not the one you checked. Check it again, then publish.")
    terms.publish(
        db,
        kind=draft.kind,
        version=draft.version,
        title=draft.title,
        body=draft.body,
        changes=draft.changes,
        effective_at=draft.effective_at,
    )
    return pages.go(request, "/insurer/terms")


def _draft(db: Db, form: Form) -> Draft:
    """Read the form; raise Invalid naming every field that needs repair."""
    kind, version, title, effective = form.of("kind", "version", "title", "effective")
    body, changes = (form.get(name, "").replace("\r\n", "\n").strip() for name in ("body", "changes"))
    fields: dict[str, str] = {}
    effective_at = clock.now()
    try:
        effective_at = dates.start_of(dates.typed_day(effective, "effective"), of(db).settings.time_zone)
        if effective_at <= clock.now():
            fields["effective"] = "Enter tomorrow or a later day, so that people can read it before."
    except Invalid as problem:
        fields |= problem.fields
    if kind not in KINDS:
        fields["kind-site"] = "Choose which terms."
    if not version or len(version) > 40 or not version.isprintable():
        fields["version"] = "Enter a version, such as 2.1."
    elif db.exec(
        select(TermsDocument.id).where(col(TermsDocument.kind) == kind, col(TermsDocument.version) == version)
    ).first():
        fields["version"] = f"Version {version} was published already. A published version never changes."
    if not title or len(title) > 200:
        fields["title"] = "Enter a title, at most 200 characters."
    if not body:
        fields["body"] = "Enter the text."
    if fields:
        typed = {name: form.get(name, "") for name in ("kind", "version", "title", "body", "changes", "effective")}
        raise Invalid(fields=fields, page="insurer/terms_new.html", context={"kinds": KINDS, "typed": typed})
    return Draft(kind, version, title, body, changes, effective_at)


def _preview(db: Db, draft: Draft) -> dict[str, Any]:
    before = next((one for one in terms.current(db) if one.kind == draft.kind), None)
    old = [p for p in before.body.split("\n\n") if p.strip()] if before else []
    fresh = [p for p in draft.body.split("\n\n") if p.strip()]
    steps = SequenceMatcher(None, old, fresh, autojunk=False).get_opcodes()
    return {
        "draft": draft,
        "before": before,
        "digest": terms.digest_of(draft.body),
        "removed": [p for tag, a, b, _, _ in steps if tag in ("replace", "delete") for p in old[a:b]],
        "added": [p for tag, _, _, a, b in steps if tag in ("replace", "insert") for p in fresh[a:b]],
        "people": _people(db),
        "effective": dates.us(draft.effective_at.astimezone(ZoneInfo(of(db).settings.time_zone)).date()),
        "kinds": KINDS,
    }
