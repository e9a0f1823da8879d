"""People over the API: the roster, one person, inviting one or a file of them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response

from idp.accounts.tables import Account
from idp.database import of
from idp.entitlements import bundles
from idp.errors import NotFound
from idp.wam import authority, holdings, importing, left, receipts, roster
from idp.wam.roster import Entry
from idp.web.boundary import Transaction
from idp.web.console.bodies import Held, Import, Invite, Left, Line, OnePerson, People, Person
from idp.web.console.caller import Manages, Sees
from idp.web.console.once import KeyReused, TheOnce
from idp.web.console.paging import After, Cursor, Limit
from idp.web.console.routing import part
from idp.web.manager import ends, inviting
from idp.web.manager.guard import lines_seen

router = part()


@router.get("/people")
def people(
    db: Transaction,
    acting: Sees,
    *,
    q: Annotated[str, Query(max_length=80, description="Words of names.")] = "",
    limit: Limit = 50,
    after: After = "",
) -> People:
    """List the people of a practice by name; a search is recorded."""
    cursor = Cursor(db, acting, "people", q=q)
    begin = cursor.opened(after)
    found = roster.people(
        db,
        acting.provider.id,
        words=q,
        after=(str(begin[0]), str(begin[1])) if begin else None,
        most=limit,
        lines=lines_seen(db, acting),
    )
    gone: list[tuple[Account, datetime]] = []
    if q.strip() and not after:
        gone = left.found(db, acting.provider.id, q)
        roster.searched(db, acting.provider.id, q.strip(), found.total + len(gone))
    last = found.entries[-1] if found.entries else None
    more = last is not None and found.more
    return People(
        total=found.total,
        people=[_row(one) for one in found.entries],
        left=[Left(account=who.id, name=who.display_name, left_at=at) for who, at in gone],
        next=cursor.next(roster.key_of(last)) if more and last else None,
    )


@router.get("/people/{a}")
def person(db: Transaction, acting: Sees, a: str) -> OnePerson:
    """Show what one person may do here, from whom, until when; looking is recorded."""
    found = authority.person(db, acting.provider.id, a)
    roster.looked_at(db, acting.provider.id, a)
    seen = lines_seen(db, acting)
    return OnePerson(
        account=found.account.id,
        name=found.account.display_name,
        status=found.account.status,
        works_here=found.affiliation is not None,
        manages=authority.lines_of(db, a, acting.provider.id),
        held=[
            Held(
                grant=one.grant.id,
                function=one.function.key,
                name=one.function.name,
                line=one.grant.line_of_business,
                since=one.grant.not_before,
                until=one.grant.expires_at,
                given_by=one.given_by,
                job=one.job,
                paused=one.paused,
                emergency=one.emergency,
            )
            for one in roster.functions_of(db, acting.provider.id, a)
            if one.grant.line_of_business in seen
        ],
    )


@router.post("/people", status_code=201)
def invite(db: Transaction, acting: Manages, once: TheOnce, body: Invite) -> Response:
    """Invite one person; the link is in this answer and nowhere else."""

    def work() -> dict[str, Any]:
        made = inviting.invite(
            db,
            acting,
            name=" ".join(body.name.split()),
            email=body.email.strip(),
            works_as=body.works_as,
            bundle=body.bundle,
            end=body.ends_at if "ends_at" in body.model_fields_set else ends.YEAR,
            line=body.line,
            form_id=once.form_id(acting),
        )
        if made is None:
            raise KeyReused("This key sent an invitation more than a day ago. Use a new one for another.")
        invitation, secret = made
        ends_at = invitation.access_ends_at
        link = f"{of(db).settings.issuer}/invitations/{secret}"
        return {"invitation": invitation.id, "link": link, "expires_at": invitation.expires_at, "ends_at": ends_at}

    return once.answer(db, acting, work, 201)


@router.post("/imports")
def import_people(
    db: Transaction,
    acting: Manages,
    once: TheOnce,
    body: Import,
    *,
    dry_run: Annotated[bool, Query(description="Only say what each line would do.")] = False,
) -> Response:
    """Invite everybody of a CSV file, or nobody: columns name, email, works_as, job, until; at most 2,000 lines."""

    def work() -> dict[str, Any]:
        if not dry_run:
            return {"invited": inviting.invite_all(db, acting, body.csv, body.line, once.form_id(acting)), "lines": []}
        lines = inviting.read(db, acting, body.csv, body.line)
        return {"invited": 0, "lines": [_line(one) for one in lines]}

    return once.answer(db, acting, work)


@router.get("/holdings")
def held(db: Transaction, acting: Sees, line: Line) -> dict[str, Any]:
    """Show what the practice holds in a line: the most its managers can give, as functions and as jobs."""
    functions = holdings.functions(db, acting.provider, line)
    return {
        "line": line,
        "functions": [
            {"function": key, "name": one.name, "app": one.app, "sensitivity": one.sensitivity}
            for key, one in sorted(functions.items())
        ],
        "jobs": [
            {
                "bundle": job.bundle.key,
                "name": job.bundle.name,
                "version": job.bundle.version,
                "functions": list(job.functions),
                "lacking": list(job.lacking),
            }
            for job in holdings.jobs(db, functions)
        ],
        "of": len(bundles.current(db)),
    }


@router.get("/receipts/{r}")
def receipt(db: Transaction, acting: Sees, r: str) -> dict[str, Any]:
    """Show what a change or a removal did."""
    return receipt_of(receipts.at(db, acting.provider.id, r, lines_seen(db, acting)))


@router.get("/receipts/{r}/signed")
def signed_receipt(db: Transaction, acting: Sees, r: str) -> dict[str, Any]:
    """Give out the log's signed promise of what the change recorded: to be kept, and compared with the log later."""
    promise = receipts.at(db, acting.provider.id, r, lines_seen(db, acting)).promise
    if promise is None:
        raise NotFound("This change was made before receipts were signed.")
    return promise


def receipt_of(row: Any) -> dict[str, Any]:
    """Return a receipt as the API gives it."""
    return {
        "receipt": row.id,
        "kind": row.kind,
        "account": row.account_id,
        "made_by": row.made_by,
        "reason": row.reason,
        "at": row.at,
        "did": row.facts,
    }


def _row(one: Entry) -> Person:
    return Person(
        account=one.account.id,
        name=one.account.display_name,
        status=one.account.status,
        works_as=one.affiliation.capacity,
        company=one.partner,
        manages=one.manages,
        jobs=one.jobs,
        functions=one.functions,
        paused=one.paused,
        emergency=one.emergency,
        ends_at=one.ends_at,
        last_seen_at=one.last_seen_at,
    )


def _line(one: importing.Line) -> dict[str, Any]:
    return {
        "line": one.number,
        "name": one.name,
        "email": one.email,
        "works_as": one.works_as,
        "job": one.job,
        "ends_at": one.ends_at,
        "problem": one.problem,
    }
