"""Jobs at a practice: what each brings here, who has it, and what a version to come changes for each of them."""

# ruff: noqa: FAST003 - the guard in the signature takes `p`

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp.catalogue import bundles as versions
from idp.catalogue.impact import Affected, named
from idp.entitlements import bundles, catalog
from idp.wam import holdings
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.guards import Acting
from idp.web.manager import views
from idp.web.manager.guard import Sees, lines_of

router = APIRouter()


@router.get("/p/{p}/jobs")
def jobs(request: Request, db: Transaction, acting: Sees) -> Response:
    """List the jobs this practice can give, by line, with what changes soon."""
    return pages.page(
        request,
        "wam/jobs.html",
        entries=told(db, acting),
        **views.frame(db, acting.provider, acting.visitor.account.id),
    )


def told(db: Db, acting: Acting) -> list[dict[str, Any]]:
    """Return each job of each line this person manages: functions, how many have it, and the version to come."""
    names = {e.key: e.name for e in catalog.everything(db)}
    made = []
    impacts: dict[str, Sequence[Affected]] = {}
    for line in lines_of(db, acting):
        for job in holdings.jobs(db, holdings.functions(db, acting.provider, line)):
            coming = versions.coming(db, job.bundle.key)
            affected = []
            if coming is not None:
                if job.bundle.key not in impacts:  # of all lines at once
                    wanted = bundles.items(db, coming)
                    found = versions.impact(db, job.bundle.key, wanted, provider_id=acting.provider.id)
                    impacts[job.bundle.key] = found.affected
                affected = [
                    {
                        "account": one.who.account_id,
                        "name": one.name,
                        "gains": [names.get(key, key) for key in one.who.gains],
                        "loses": [names.get(key, key) for key in one.who.loses],
                        "keeps": [names.get(key, key) for key in one.who.keeps],
                        "misses": [names.get(key, key) for key in one.who.misses],
                        "apart": one.who.apart,
                    }
                    for one in named(db, [a for a in impacts[job.bundle.key] if a.line == line])
                ]
            made.append(
                {
                    "key": job.bundle.key,
                    "name": job.bundle.name,
                    "for": job.bundle.description,
                    "line": line,
                    "version": job.bundle.version,
                    "functions": [names[key] for key in job.functions],
                    "lacking": [names[key] for key in job.lacking],
                    "people": versions.people(db, job.bundle.key, acting.provider.id, line),
                    "coming": coming,
                    "affected": affected,
                }
            )
    return made
