"""Emergency access at a practice: who took what and why; end it, say whether it was justified (SE-4)."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.accounts import humans
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import catalog, gives
from idp.errors import Conflict, Invalid, NotEntitled
from idp.wam import emergency, emergency_bars, emergency_done, roster
from idp.wam.tables import EmergencyUse
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Manages, Sees, lines_seen

router = APIRouter()


@router.get("/p/{p}/emergency")
def listed(request: Request, db: Transaction, acting: Sees) -> Response:
    """List the practice's uses of emergency access, newest first."""
    return pages.page(request, "wam/emergency.html", **_facts(db, acting))


@router.get("/p/{p}/emergency/{x}")
def one(request: Request, db: Transaction, acting: Sees, x: str) -> Response:
    """Show one use and, where it is open to them, the review."""
    return pages.page(request, "wam/emergency_one.html", **_one(db, acting, x))


@router.post("/p/{p}/emergency/{x}")
def review(request: Request, db: Transaction, acting: Manages, x: str, form: TheForm) -> Response:
    """End a use, or say whether it was justified."""
    facts, by = _one(db, acting, x), acting.visitor.account.id
    use = emergency.find(db, x)
    with pages.shown_again("wam/emergency_one.html", facts, Invalid, Conflict, NotEntitled):
        if form.get("what") == "end":
            emergency.end_for_practice(db, use, by=by)
        elif form.get("what") == "lift":
            emergency_bars.lift(db, use, by=by, why=form.get("why", ""))
        else:
            emergency.review(db, use, by=by, verdict=form.get("verdict", ""), note=form.get("note", ""))
    return pages.go(request, f"/p/{acting.provider.id}/emergency")


def looked_at(db: Db, use: EmergencyUse) -> dict[str, Any]:
    """Return what was done in the time of a use, in words, for who judges it; looking is recorded."""
    found = emergency_done.done(db, use)
    functions = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    log.record(
        db,
        Event(
            "entitlements.emergency.viewed", account=use.account_id, provider=use.provider_id, details={"use": use.id}
        ),
    )
    return {
        "done": found,
        "unused": [functions.get(key, key) for key in found.unused],
        "done_names": functions | gives.PURPOSES,
    }


def entries(db: Db, uses: Sequence[EmergencyUse]) -> list[dict[str, Any]]:
    """Return uses in words."""
    names = roster.names_of(db, {i for use in uses for i in (use.account_id, use.reviewed_by, use.lifted_by) if i})
    functions = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    now = clock.now()
    return [
        {
            "use": use,
            "name": names.get(use.account_id, ""),
            "reviewer": names.get(use.reviewed_by or "", ""),
            "lifter": names.get(use.lifted_by or "", ""),
            "barred": use.verdict == "not_justified" and use.lifted_at is None,
            "functions": [functions.get(str(key), str(key)) for key in use.functions],
            "running": use.ended_at is None and use.ends_at > now,
            "late": use.reviewed_at is None and use.due_at <= now,
            "verdict": emergency.VERDICTS.get(use.verdict or "", ""),
        }
        for use in uses
    ]


def _days(db: Db, use: EmergencyUse) -> str:
    zone = ZoneInfo(of(db).settings.time_zone)
    days = [moment.astimezone(zone).strftime("%m/%d/%Y") for moment in (use.starts_at, use.ended_at or use.ends_at)]
    return urlencode({"since": days[0], "until": days[1]})


def _facts(db: Db, acting: Acting) -> dict[str, Any]:
    found = emergency.of_practice(db, acting.provider.id, lines_seen(db, acting))
    return {
        "entries": entries(db, found),
        "more": len(found) >= emergency.MOST_SHOWN,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }


def _one(db: Db, acting: Acting, x: str) -> dict[str, Any]:
    use = emergency.find_here(db, x, acting.provider.id, lines_seen(db, acting))
    return {
        "one": entries(db, [use])[0],
        "own": acting.visitor.account.id in humans.same(db, use.account_id),
        "liftable": emergency_bars.may_lift(db, use, by=acting.visitor.account.id, desk=False),
        "verdicts": emergency.VERDICTS,
        "log": f"/p/{use.provider_id}/log?who={use.account_id}&kind=entitlements.decision.&{_days(db, use)}",
        **looked_at(db, use),
        "action": f"/p/{acting.provider.id}/emergency/{use.id}",
        "problem": None,
        **views.frame(db, acting.provider, acting.visitor.account.id),
    }
