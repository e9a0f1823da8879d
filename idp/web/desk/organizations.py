"""A practice as the insurer knows it: looked up by staff, and read by its own access managers (O-01, O-06, T-30)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from idp.audit import log
from idp.audit.events import Event
from idp.errors import Invalid
from idp.providers import finding, organisations, profile
from idp.providers.profile import Profile, Span
from idp.providers.tables import Provider
from idp.web import pages
from idp.web.boundary import Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import Acting, insurer_staff
from idp.web.manager import views
from idp.web.manager.guard import Sees

router = APIRouter()
MayLook = Annotated[Acting, Depends(insurer_staff("audit.search"))]
PATH = "/insurer/organizations"
WORDS = {
    "portal": "Portal",
    "continuity": "Continuity of care",
    "agreement": "Agreement",
    "participation": "In the network",
    "licence": "State license",
    "credentialing": "Credentialing",
    "dea": "DEA registration",
    "board": "Board certification",
    "malpractice": "Malpractice cover",
    "education": "Education",
    "residency": "Residency",
}
ARRANGEMENTS = {
    "fee_for_service": "Fee for service",
    "discounted_fee_for_service": "Discounted fee for service",
    "capitation": "Capitation (panel reports are open)",
    "salary": "Salary (its clinicians are the insurer's own workforce)",
}
STATES = {"coming": "Begins later", "in_force": "In force", "ended": "Ended"}
_SOON = timedelta(days=90)
_MOST_BARS = 40


@router.get(PATH, include_in_schema=False)
def look_up(request: Request, staff: MayLook) -> Response:
    """Ask for a TIN, an NPI or a name."""
    return pages.page(request, "insurer/organizations.html", acting=_desk(staff), found=None, words="")


@router.post(PATH, include_in_schema=False)
def answer(request: Request, staff: MayLook, db: Transaction, form: TheForm) -> Response:
    """Show what was found. What was typed may be somebody's SSN: it stands in no address and in no record."""
    words = form.get("words", "")[:200]
    try:
        found = finding.find(db, words)
    except Invalid as refusal:
        refusal.page = "insurer/organizations.html"
        refusal.context = {"acting": _desk(staff), "found": None, "words": ""}
        raise
    log.record(db, Event("providers.organizations.searched", details={"by": found.by, "found": len(found.providers)}))
    if len(found.providers) == 1:
        return pages.go(request, f"{PATH}/{found.providers[0].id}")
    shown = words if found.by == "name" else ""
    return pages.page(request, "insurer/organizations.html", acting=_desk(staff), found=found, words=shown)


@router.get(f"{PATH}/{{x}}", include_in_schema=False)
def one(request: Request, staff: MayLook, db: Transaction, x: str) -> Response:
    """Show an organisation's gates, contracts, practitioners and their dates; looking is recorded."""
    provider = organisations.find(db, x)
    log.record(db, Event("providers.organization.viewed", provider=provider.id))
    facts = _facts(request, profile.read(db, provider))
    return pages.page(request, "insurer/organization.html", acting=_desk(staff), **facts)


@router.get("/p/{p}/profile", include_in_schema=False)
def own(request: Request, acting: Sees, db: Transaction) -> Response:
    """Show a practice's access managers what the insurer knows of it."""
    frame = views.frame(db, acting.provider, acting.visitor.account.id)
    facts = _facts(request, profile.read(db, acting.provider))
    return pages.page(request, "wam/profile.html", **frame | facts)


def _desk(staff: Acting) -> dict[str, Any]:
    return {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id}


def _facts(request: Request, found: Profile) -> dict[str, Any]:
    zone = service_of(request).settings.time_zone
    return {
        "found": found,
        "words": WORDS,
        "states": STATES,
        "arrangement": ARRANGEMENTS[found.provider.payment_arrangement],
        "standing": _status(found.provider),
        "line_names": views.LINE_NAMES,
        "soon": [span for span in (*found.spans, *found.facts) if _ends_soon(span, found.at)],
        **_picture(found, zone),
    }


def _status(provider: Provider) -> tuple[str, str]:
    return {"active": ("Active", "ok"), "suspended": ("On hold", "bad"), "ended": ("Ended", "bad")}[provider.status]


def _ends_soon(span: Span, now: datetime) -> bool:
    return span.state(now) == "in_force" and span.ends_at is not None and span.ends_at <= now + _SOON


def _picture(found: Profile, zone: str) -> dict[str, Any]:
    """Return the drawn dates: one bar each, six months back and thirteen ahead, as on a person's page."""
    spans = [*found.spans, *found.facts]
    seen = [span for span in spans if span.ends_at is None or span.ends_at > found.at - views.BACK][:_MOST_BARS]
    rows = [(_name(span), span.starts_at, span.ends_at) for span in seen]
    ending = sum(_ends_soon(span, found.at) for span in spans)
    in_force = sum(span.state(found.at) == "in_force" for span in spans)
    finding_ = f"{in_force} of {len(spans)} in force today; {ending} of them end within 90 days."
    return views.drawn(rows, found.at, zone) | {"finding": finding_}


def _name(span: Span) -> str:
    what = WORDS[span.what]
    told = f"{what}, {views.LINE_NAMES[span.line]}" if not span.who else f"{span.who}: {what}"
    return told if len(told) <= 34 else told[:33] + "…"
