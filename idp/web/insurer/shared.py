"""What the pages of the insurer's staff share: who may come, the frame, an effective day, an impact in words."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends
from sqlmodel import Session as Db

from idp.catalogue.impact import SHOWN, Impact, named
from idp.database import of
from idp.entitlements import catalog
from idp.wam import holdings
from idp.web import dates
from idp.web.guards import Acting, insurer_staff
from idp.web.manager.views import LINE_NAMES

MayEdit = Annotated[Acting, Depends(insurer_staff("catalogue.manage"))]
MayExcept = Annotated[Acting, Depends(insurer_staff("duty.except"))]
MaySupport = Annotated[Acting, Depends(insurer_staff("support.view"))]


def frame(db: Db, staff: Acting) -> dict[str, Any]:
    """Return what every page of the staff needs."""
    return {
        "acting": {"name": staff.provider.name, "tin_last4": None, "id": staff.provider.id},
        "line_names": LINE_NAMES,
        "kinds": holdings.WORDS,
        "functions": catalog.everything(db),
        "problem": None,
    }


def names(db: Db) -> dict[str, str]:
    """Return key -> name of every function."""
    return {e.key: e.name for side in (False, True) for e in catalog.everything(db, insurer_side=side)}


def first_moment(db: Db, typed: str) -> datetime:
    """Return when a typed day begins; raise Invalid naming the field `effective`."""
    return dates.start_of(dates.typed_day(typed, "effective"), of(db).settings.time_zone)


def told(db: Db, impact: Impact) -> dict[str, Any]:
    """Return an impact as a page shows it."""
    known = names(db)
    people = [
        {
            "name": one.name,
            "practice": one.practice,
            "line": LINE_NAMES[one.who.line],
            "gains": [known.get(key, key) for key in one.who.gains],
            "loses": [known.get(key, key) for key in one.who.loses],
            "out": [known.get(key, key) for key in one.who.stays_out],
            "keeps": [known.get(key, key) for key in one.who.keeps],
            "idle": [known.get(key, key) for key in one.who.idle],
            "misses": [known.get(key, key) for key in one.who.misses],
            "apart": one.who.apart,
            "note": one.who.note,
        }
        for one in named(db, impact.affected)
    ]
    return {"impact": impact, "people": people, "more": max(0, len(impact.affected) - SHOWN)}
