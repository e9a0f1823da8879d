"""The support desk: looks a person up and explains; there is nothing here that gives or takes access.

Every look is in the log, and the page says so. What a supporter may do besides looking is theirs by other functions.
"""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log, search
from idp.audit.events import Event
from idp.entitlements import asking, explaining, told
from idp.entitlements.decision import OURSELVES, Question, decide
from idp.entitlements.sentences import sentence
from idp.entitlements.tables import Entitlement
from idp.errors import Invalid, NotFound
from idp.providers.tables import LINES, Affiliation, Provider
from idp.wam import appointments, roster
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.desk import reading, then
from idp.web.forms import TheForm
from idp.web.guards import Acting
from idp.web.insurer import shared
from idp.web.insurer.shared import MaySupport

router = APIRouter()
PATH = "/support"
MOST = 25
TIES = 50
"""Practices of a person that the page tells of, the latest."""


@router.get(PATH, include_in_schema=False)
def look_up(request: Request, staff: MaySupport, db: Transaction) -> Response:
    """Ask for a name, an address, or the number of a decision."""
    return pages.page(request, "insurer/support.html", found=None, words="", more=False, **shared.frame(db, staff))


@router.post(PATH, include_in_schema=False)
def answer(request: Request, staff: MaySupport, db: Transaction, form: TheForm) -> Response:
    """Show who was found, or why a decision was made whose number an app showed; recorded without the words."""
    words = " ".join(form.get("words", "").split())[:100]
    if len(words) < 2:
        raise Invalid(
            fields={"words": "Enter at least two letters of a name, or a whole user name, e-mail or number."},
            page="insurer/support.html",
            context={"found": None, "words": words, "more": False, **shared.frame(db, staff)},
        )
    if words.startswith("dec_"):
        return _of_decision(request, staff, db, words)
    if words.startswith("acc_"):
        rows = [one for one in (db.get(Account, words),) if one is not None]
    else:
        rows = [row[0] for row in reading.fitting(db, select(Account), words, MOST + 1)]
    log.record(db, Event("support.people.searched", details={"found": len(rows)}))
    if len(rows) == 1:
        return pages.go(request, f"{PATH}/people/{rows[0].id}")
    return pages.page(
        request,
        "insurer/support.html",
        found=rows[:MOST],
        words=words,
        more=len(rows) > MOST,
        **shared.frame(db, staff),
    )


@router.get(f"{PATH}/people/{{a}}", include_in_schema=False)
def person(
    request: Request, staff: MaySupport, db: Transaction, a: str, *, p: str = "", f: str = "", line: str = "medical"
) -> Response:
    """Show where a person works, what they hold and who gives it; with `f` and `p`, why they can or can't. Recorded."""
    account = db.get(Account, a)
    if account is None:
        raise NotFound
    log.record(db, Event("support.person.viewed", account=account.id, details={"function": f[:60]} if f else {}))
    ties = _ties(db, account.id)
    return pages.page(
        request,
        "insurer/support_person.html",
        who=account,
        places=[_place(db, account.id, tie, provider) for tie, provider in ties[:TIES]],
        more_places=len(ties) > TIES,
        why=_why(db, account.id, p, f, line) if p and f and line in LINES else None,
        asked={"p": p, "f": f, "line": line},
        **shared.frame(db, staff),
    )


def _of_decision(request: Request, staff: Acting, db: Db, number: str) -> Response:
    """Go to the checks of the decision that has this number; the number is no secret, and nothing else opens by it."""
    rows = search.newest(db, search.Filters(decision=number, event=then.EVENT), 1)
    log.record(db, Event("support.people.searched", details={"found": len(rows)}))
    found = search.record(db, int(rows[0].seq)) if rows else None
    where = then.why("support", found.said, found.row.at) if found else None
    if where is None:
        raise Invalid(
            fields={"words": "No decision about a person has this number. Check it, or look for the person."},
            page="insurer/support.html",
            context={"found": None, "words": number, "more": False, **shared.frame(db, staff)},
        )
    return pages.go(request, where)


def _ties(db: Db, account_id: str) -> list[tuple[Affiliation, Provider]]:
    rows = db.exec(
        select(Affiliation, Provider)
        .join(Provider, col(Provider.id) == col(Affiliation.provider_id))
        .where(col(Affiliation.account_id) == account_id)
        .order_by(col(Affiliation.starts_at).desc())
        .limit(TIES + 1)
    ).all()
    return [(tie, provider) for tie, provider in rows]


def _place(db: Db, account_id: str, tie: Affiliation, provider: Provider) -> dict[str, Any]:
    over = tie.ended_at is not None or (tie.ends_at is not None and tie.ends_at <= clock.now())
    managers = {x.account_id for x in appointments.in_force(db, provider.id, None, clock.now())}
    return {
        "provider": provider,
        "over": over,
        "held": [] if over else roster.functions_of(db, provider.id, account_id),
        "managers": sorted(roster.names_of(db, managers).values()) if managers else [],
        "manages": account_id in managers,
    }


def _why(db: Db, account_id: str, provider_id: str, key: str, line: str) -> dict[str, Any] | None:
    """Explain as of now, without the sign-in's strength; recorded as a simulated decision."""
    function, provider = db.get(Entitlement, key), db.get(Provider, provider_id)
    if function is None or provider is None:
        return None
    question = Question(account_id, key, provider_id, OURSELVES, line=line, at=clock.now(), assume_authenticated=True)
    facts = asking.look_in_session(db, question)
    decision = replace(decide(facts), simulated=True)
    log.record(db, told.event(question, decision))
    return {
        "explanation": explaining.explain(facts, decision),
        "said": sentence(decision),
        "function": function,
        "practice": provider,
    }
