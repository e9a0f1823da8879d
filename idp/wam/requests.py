"""A person asks their access manager for a function, or gives one back at once (T-18, RU-5)."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import CursorResult, exists, update
from sqlmodel import Session, col, func, select

from idp import clock, configuration
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.entitlements import grants
from idp.entitlements.tables import Entitlement
from idp.errors import Conflict, Invalid, NotEntitled, NotFound, TooMany
from idp.notices import outbox
from idp.providers.tables import Affiliation, Provider
from idp.wam import appointments, authority, granting, holdings
from idp.wam.tables import AccessRequest, Receipt

MOST_OPEN = 20
"""Requests of one person at one practice that may wait at once."""
BATCH = 100
MOST_SHOWN = 200
"""Requests an inbox holds, the oldest; it says so where there may be more."""
ANSWERED = 100
"""Answered requests of one person that are listed, the newest."""


class AlreadyDecided(Conflict):
    """Another access manager decided first, or the request ended; the sentence says what it came to."""

    code = "already_decided"
    title = "This was decided already"


def askable(db: Session, account_id: str, provider_id: str, line: str) -> list[Entitlement]:
    """Return what a person could ask for here: what the practice holds, and they have not and don't ask for."""
    has = holdings.functions(db, authority.provider(db, provider_id), line)
    held = {g.entitlement for g in authority.not_ended(db, provider_id, account_id, line) if g.effect == "allow"}
    asked = {r.entitlement for r in of_person(db, account_id, provider_id, waiting=True) if r.line == line}
    return sorted((f for key, f in has.items() if key not in held | asked), key=lambda f: (f.app, f.name))


def ask(db: Session, *, account_id: str, provider_id: str, line: str, entitlement: str, note: str) -> AccessRequest:
    """Ask the access managers of a line for a function; they are told. It waits, nothing opens (RU-5).

    Raises NotFound for a practice one does not work for, Invalid for a function that can't be asked for or a
    missing reason, TooMany past twenty waiting ones, Conflict when it waits already.
    """
    _must_work_for(db, account_id, provider_id)
    note = " ".join(note.split())
    if not note or len(note) > 200:
        raise Invalid(fields={"note": "Say what you need it for, in at most 200 characters."})
    if entitlement not in {f.key for f in askable(db, account_id, provider_id, line)}:
        raise Invalid(fields={"function": "Choose one of the functions on this page."})
    if len(of_person(db, account_id, provider_id, waiting=True)) >= MOST_OPEN:
        raise TooMany("Twenty of your requests wait already. Wait for an answer, or take one back.", retry_after=3600)
    now = clock.now()
    made = AccessRequest(
        account_id=account_id,
        provider_id=provider_id,
        line=line,
        entitlement=entitlement,
        note=note,
        expires_at=now + configuration.current(db).clocks.application_expires,
    )
    if not insert_unless_there(db, AccessRequest, made.model_dump()):
        raise Conflict("You asked for this already. It waits for an access manager.")
    found = db.get(AccessRequest, made.id)
    assert found is not None
    _log(db, "wam.request.submitted", found, by=account_id)
    tell(db, "request_waiting", found)
    return found


def give_up(db: Session, *, account_id: str, provider_id: str, line: str, entitlement: str) -> int:
    """Give back one's own function, at once; return how many grants ended. Nobody has to agree (T-18).

    Raises NotFound for something one does not have here.
    """
    rows = [
        row
        for row in authority.not_ended(db, provider_id, account_id, line)
        if row.entitlement == entitlement and row.effect == "allow"
    ]
    if not rows:
        raise NotFound
    ended = sum(grants.end(db, row, by=account_id, reason="given_up") for row in rows)
    function, person, provider = (
        db.get(Entitlement, entitlement),
        db.get(Account, account_id),
        db.get(Provider, provider_id),
    )
    facts = {
        "name": person.display_name if person else "",
        "function": function.name if function else entitlement,
        "provider": provider.name if provider else "",
    }
    for manager in sorted(appointments.able(db, provider_id, line) - {account_id}):
        outbox.send(db, manager, "function_given_up", facts)
    return ended


def of_person(db: Session, account_id: str, provider_id: str, *, waiting: bool) -> list[AccessRequest]:
    """Return a person's requests at a practice, newest first: all that wait, or the newest 100 that were answered."""
    is_open = col(AccessRequest.status) == "submitted"
    query = select(AccessRequest).where(
        col(AccessRequest.account_id) == account_id,
        col(AccessRequest.provider_id) == provider_id,
        is_open if waiting else ~is_open,
    )
    query = query.order_by(col(AccessRequest.created_at).desc(), col(AccessRequest.id))
    return list(db.exec(query if waiting else query.limit(ANSWERED)).all())


def waiting_at(db: Session, provider_id: str, lines: Sequence[str]) -> list[AccessRequest]:
    """Return what the managers of these lines have to decide, oldest first."""
    return list(
        db.exec(
            select(AccessRequest)
            .where(
                col(AccessRequest.provider_id) == provider_id,
                col(AccessRequest.line).in_(lines),
                col(AccessRequest.status) == "submitted",
                col(AccessRequest.expires_at) > clock.now(),
                exists().where(  # who left meanwhile asks for nothing
                    col(Affiliation.account_id) == col(AccessRequest.account_id),
                    col(Affiliation.provider_id) == col(AccessRequest.provider_id),
                    col(Affiliation.ended_at).is_(None),
                ),
            )
            .order_by(col(AccessRequest.created_at), col(AccessRequest.id))
            .limit(MOST_SHOWN)
        ).all()
    )


def find(db: Session, request_id: str, provider_id: str, lines: Sequence[str]) -> AccessRequest:
    """Return a request of this practice and these lines; anything else is NotFound (W-2)."""
    found = db.get(AccessRequest, request_id, populate_existing=True)
    if found is None or found.provider_id != provider_id or found.line not in lines:
        raise NotFound
    return found


def approve(db: Session, request: AccessRequest, *, by: str, ends_at: datetime | None, form_id: str) -> Receipt:
    """Give what was asked for until a date, by the road every change takes; return its receipt.

    Raises AlreadyDecided, NotEntitled for one's own request, and what `granting.apply` raises.
    """
    _may_decide(db, request, by)
    _decide(db, request, "approved", by=by, reason="")
    rows = authority.not_ended(db, request.provider_id, request.account_id, request.line)
    held = granting.held(rows)
    wish, _ = granting.wish(
        db,
        request.provider_id,
        request.line,
        functions=[*held, request.entitlement],
        bundle=None,
        starts_at=None,
        ends_at=ends_at,
    )
    receipt = granting.apply(
        db,
        by=by,
        provider_id=request.provider_id,
        account_id=request.account_id,
        line=request.line,
        wish=wish,
        seen=granting.seen_of(rows),
        reason=f"asked for: {request.note}"[:200],
        form_id=form_id,
    )
    receipt.facts = receipt.facts | {"request": request.id}
    db.add(receipt)
    _answer(db, request, "request_approved")
    return receipt


def deny(db: Session, request: AccessRequest, *, by: str, reason: str) -> None:
    """Deny a request with a reason the person reads. Raises as `approve` does, Invalid without a reason."""
    _may_decide(db, request, by)
    said = " ".join(reason.split())
    if not said or len(said) > 200:
        raise Invalid(fields={"reason": "Say why, in at most 200 characters. The person reads it."})
    _decide(db, request, "denied", by=by, reason=said)
    _answer(db, request, "request_denied")


def withdraw(db: Session, request_id: str, account_id: str) -> bool:
    """Take one's own request back; return False when it is not there, not one's own or decided."""
    request = db.get(AccessRequest, request_id)
    if request is None or request.account_id != account_id or not take(db, request, status="withdrawn"):
        return False
    _log(db, "wam.request.ended", request, by=account_id)
    return True


def take(db: Session, request: AccessRequest, *, status: str, by: str | None = None, reason: str = "") -> bool:
    """Move a request on by one conditional update; False when somebody was first."""
    taken = db.execute(
        update(AccessRequest)
        .where(col(AccessRequest.id) == request.id, col(AccessRequest.status) == "submitted")
        .values(status=status, decided_by=by, decided_at=clock.now(), reason=reason)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    db.refresh(request)
    return taken.rowcount == 1


def tell(db: Session, template: str, request: AccessRequest) -> None:
    """Mail the access managers of the line about a request."""
    facts = facts_of(db, request)
    for manager in sorted(appointments.able(db, request.provider_id, request.line) - {request.account_id}):
        outbox.send(db, manager, template, facts)


def count_waiting(db: Session, provider_id: str) -> int:
    """Return how many requests wait at a practice."""
    query = select(func.count()).where(
        col(AccessRequest.provider_id) == provider_id, col(AccessRequest.status) == "submitted"
    )
    return int(db.exec(query).one())


def _must_work_for(db: Session, account_id: str, provider_id: str) -> None:
    if authority.person(db, provider_id, account_id).affiliation is None:
        raise NotFound


def _may_decide(db: Session, request: AccessRequest, by: str) -> None:
    authority.must_manage(db, by, request.provider_id, request.line)
    if by == request.account_id:
        raise NotEntitled("Nobody decides about their own request. Ask another access manager.", code="may_not_give")


def _decide(db: Session, request: AccessRequest, what: str, *, by: str, reason: str) -> None:
    """The first decision holds, the second sees the outcome (W-2)."""
    if request.expires_at <= clock.now() or not take(db, request, status=what, by=by, reason=reason):
        who = db.get(Account, request.decided_by) if request.decided_by else None
        said = f"{who.display_name} {request.status} this" if who else "This ended without a decision"
        refused = Event(
            "wam.change.refused",
            account=request.account_id,
            provider=request.provider_id,
            outcome="refused",
            reason="already_decided",
            details={"request": request.id, "by": by},
        )
        raise AlreadyDecided(f"{said}. What you chose was not done.", then=(partial(log.record, event=refused),))
    _log(db, f"wam.request.{what}", request, by=by)


def _answer(db: Session, request: AccessRequest, template: str) -> None:
    outbox.send(db, request.account_id, template, facts_of(db, request))


def facts_of(db: Session, request: AccessRequest) -> dict[str, str]:
    """Return what mails say of a request."""
    person, function, provider = (
        db.get(Account, request.account_id),
        db.get(Entitlement, request.entitlement),
        db.get(Provider, request.provider_id),
    )
    return {
        "name": person.display_name if person else "",
        "function": function.name if function else request.entitlement,
        "provider": provider.name if provider else "",
        "reason": request.reason,
        "request": request.id,
        "inbox": f"{of(db).settings.issuer}/p/{request.provider_id}/inbox",
    }


def _log(db: Session, event: str, request: AccessRequest, *, by: str) -> None:
    log.record(
        db,
        Event(
            event,
            account=request.account_id,
            provider=request.provider_id,
            entitlement=request.entitlement,
            details={"request": request.id, "line": request.line, "by": by, "status": request.status},
        ),
    )
