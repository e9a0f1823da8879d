"""An outside company asks a practice to let it work for it; the practice's access manager accepts or denies (W-6).

The company names the practice by its TIN and learns nothing of whether we know it. What is accepted lies within what
was asked for, and is a delegation like any other: within what the practice holds, in lines the manager manages.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, func, select

from idp import clock, configuration
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.entitlements import catalog
from idp.entitlements.chains import Scope
from idp.entitlements.tables import Delegation, Entitlement
from idp.errors import Conflict, Invalid, NotFound, TooMany
from idp.leaving import telling
from idp.notices import outbox
from idp.partners import members
from idp.partners.standing import GOOD
from idp.partners.tables import Partner
from idp.providers import identifiers
from idp.providers.tables import LINES, Provider
from idp.wam import authority, company, delegating, receipts
from idp.wam.requests import AlreadyDecided
from idp.wam.tables import DelegationRequest

MOST_OPEN = 20
"""Requests of one company that may wait at once."""
MOST_OF_A_DAY = 40
"""Requests of one company within a day, those it took back among them: each may write to a practice's managers."""
MOST_OF_A_MONTH = 3
"""Times a company may ask the same practice within thirty days: its managers are written to each time."""
MOST_SHOWN = 200
"""Requests a list holds; it says so where there may be more."""


def askable(db: Session) -> dict[str, Entitlement]:
    """Return what a company may ask for: what can be handed on at all, whoever holds it."""
    found = catalog.everything(db, insurer_side=False)
    return {e.key: e for e in found if e.sensitivity <= delegating.MOST_SENSITIVE and e.app != "Access"}


def ask(db: Session, *, by: str, partner_id: str, tin: str, scope: Scope, note: str) -> DelegationRequest:
    """Ask the practice with this TIN; its access managers are told, where there are any. Nothing opens.

    Raises NotFound for who does not administer the company, Invalid field by field, Conflict for a company that is
    paused or waits for that practice's answer already, TooMany.
    """
    partner = company.must_administer(db, by, partner_id)
    if partner.kind not in delegating.KINDS or partner.status not in GOOD:
        raise Conflict(f"{partner.name} is not in good standing now. It can't ask a practice.")
    said = " ".join(note.split())
    _check(db, tin, scope, said)
    assert scope.ends_at is not None
    number = identifiers.normalise(tin)
    made = DelegationRequest(
        partner_id=partner_id,
        tin_hash=of(db).ring.keyed_hash("tin-hash", number),
        tin_last4=number[-4:],
        entitlements=sorted(set(scope.entitlements)),
        lines=sorted(set(scope.lines)),
        ends_at=scope.ends_at,
        note=said,
        asked_by=by,
        expires_at=clock.now() + configuration.current(db).clocks.application_expires,
    )
    _within_measure(db, made)
    if not insert_unless_there(db, DelegationRequest, made.model_dump()):
        raise Conflict("You asked this practice already. Its answer is waited for.")
    found = db.get(DelegationRequest, made.id)
    assert found is not None
    record(db, "wam.delegation.requested", found, by)
    tell_practice(db, found, partner)
    return found


def of_company(db: Session, partner_id: str) -> list[DelegationRequest]:
    """Return what a company asked for, what waits for an answer first, then the newest."""
    query = select(DelegationRequest).where(col(DelegationRequest.partner_id) == partner_id)
    order = (col(DelegationRequest.status) != "requested", col(DelegationRequest.created_at).desc())
    return list(db.exec(query.order_by(*order).limit(MOST_SHOWN)).all())


def withdraw(db: Session, *, by: str, partner_id: str, request_id: str) -> None:
    """Take a request back. Raises NotFound for another company's, Conflict when it was answered."""
    company.must_administer(db, by, partner_id)
    found = db.get(DelegationRequest, request_id)
    if found is None or found.partner_id != partner_id:
        raise NotFound
    if not take(db, found, status="withdrawn", by=by):
        raise Conflict("This was answered already.")
    record(db, "wam.delegation.request_ended", found, by)


def waiting_at(db: Session, provider: Provider, lines: Sequence[str]) -> list[DelegationRequest]:
    """Return what the managers of these lines have to answer at a practice, oldest first."""
    if provider.tin_hash is None:
        return []
    rows = db.exec(
        select(DelegationRequest)
        .where(
            col(DelegationRequest.tin_hash) == provider.tin_hash,
            col(DelegationRequest.status) == "requested",
            col(DelegationRequest.expires_at) > clock.now(),
        )
        .order_by(col(DelegationRequest.created_at), col(DelegationRequest.id))
    )
    return list(islice((row for row in rows if set(map(str, row.lines)) & set(lines)), MOST_SHOWN))


def find(db: Session, request_id: str, provider: Provider, lines: Sequence[str]) -> DelegationRequest:
    """Return a request to this practice in one of these lines; anything else is NotFound."""
    found = db.get(DelegationRequest, request_id, populate_existing=True)
    if found is None or provider.tin_hash is None or found.tin_hash != provider.tin_hash:
        raise NotFound
    if not set(map(str, found.lines)) & set(lines):
        raise NotFound
    return found


def accept(
    db: Session,
    request: DelegationRequest,
    provider: Provider,
    *,
    by: str,
    scope: Scope,
    redelegable: bool = False,
    form_id: str,
) -> Delegation:
    """Let the company work for the practice, for no more than it asked; both sides are told.

    Raises Invalid for more than was asked for, AlreadyDecided, and what `delegating.delegate` raises.
    """
    known = receipts.earlier(db, by, form_id)
    if known is not None:
        return delegating.of_practice(db, provider.id, str(known.facts.get("delegation", "")))
    fields = {}
    if not set(scope.entitlements) <= set(map(str, request.entitlements)):
        fields["f"] = "Choose from the functions the company asked for."
    if not set(scope.lines) <= set(map(str, request.lines)):
        fields["line"] = "Choose from the lines of business the company asked for."
    if scope.ends_at is not None and scope.ends_at > request.ends_at:
        fields["until"] = "The company asked for an earlier day."
    if fields:
        raise Invalid(fields=fields)
    _decide(db, request, "approved", by=by, reason="")
    made = delegating.delegate(
        db,
        by=by,
        provider_id=provider.id,
        partner_id=request.partner_id,
        scope=scope,
        redelegable=redelegable,
        form_id=form_id,
    )
    request.delegation_id = made.id
    db.add(request)
    record(db, "wam.delegation.request_accepted", request, by, provider_id=provider.id)
    return made


def deny(db: Session, request: DelegationRequest, provider: Provider, *, by: str, reason: str) -> None:
    """Deny it with a reason the company reads. Raises NotYourLine, Invalid without a reason, AlreadyDecided."""
    mine = set(authority.lines_of(db, by, provider.id)) & set(map(str, request.lines))
    authority.must_manage(db, by, provider.id, min(mine, default=str(request.lines[0])))
    said = " ".join(reason.split())
    if not said or len(said) > 200:
        raise Invalid(fields={"reason": "Say why, in at most 200 characters. The company reads it."})
    _decide(db, request, "denied", by=by, reason=said)
    record(db, "wam.delegation.request_denied", request, by, provider_id=provider.id)
    tell_company(db, request, "delegation_denied", reason=said)


def _check(db: Session, tin: str, scope: Scope, said: str) -> None:
    fields = {}
    if not identifiers.tin_is_valid(tin):
        fields["tin"] = "Enter the practice's TIN: nine digits, such as 12-3456789."
    if not scope.entitlements or not set(scope.entitlements) <= askable(db).keys():
        fields["f"] = "Choose at least one of the functions on this page."
    if not scope.lines or not set(scope.lines) <= set(LINES):
        fields["line"] = "Choose at least one line of business."
    if not said or len(said) > 200:
        fields["note"] = "Say what you do for the practice, in at most 200 characters."
    fields |= delegating.end_date(scope.ends_at)
    if fields:
        raise Invalid(fields=fields)


def _within_measure(db: Session, made: DelegationRequest) -> None:
    of_this = select(func.count()).where(col(DelegationRequest.partner_id) == made.partner_id)
    waits = db.exec(of_this.where(col(DelegationRequest.status) == "requested")).one()
    since = col(DelegationRequest.created_at) > clock.now() - timedelta(days=30)
    same = db.exec(of_this.where(col(DelegationRequest.tin_hash) == made.tin_hash, since)).one()
    today = col(DelegationRequest.created_at) > clock.now() - timedelta(days=1)
    if db.exec(of_this.where(today)).one() >= MOST_OF_A_DAY:
        raise TooMany("You asked forty times within a day. Go on tomorrow.", retry_after=86_400)
    if waits >= MOST_OPEN:
        raise TooMany("Twenty of your requests wait already. Wait for an answer, or take one back.", retry_after=3600)
    if same >= MOST_OF_A_MONTH:
        raise TooMany("You asked this practice three times within a month. Talk to it.", retry_after=86_400)


def take(db: Session, row: DelegationRequest, *, status: str, by: str, reason: str = "") -> bool:
    """Move a request on from waiting, once; False where it waits no more."""
    values = {"status": status, "decided_by": by, "decided_at": clock.now(), "reason": reason}
    taken = db.execute(
        update(DelegationRequest)
        .where(col(DelegationRequest.id) == row.id, col(DelegationRequest.status) == "requested")
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    db.refresh(row)
    return taken.rowcount == 1


def _decide(db: Session, row: DelegationRequest, status: str, *, by: str, reason: str) -> None:
    """The first decision holds, the second sees the outcome (W-2)."""
    if row.expires_at <= clock.now() or not take(db, row, status=status, by=by, reason=reason):
        who = db.get(Account, row.decided_by) if row.status in ("approved", "denied") and row.decided_by else None
        said = f"{who.display_name} {row.status} this" if who else "This ended without a decision"
        raise AlreadyDecided(f"{said}. What you chose was not done.")


def tell_company(db: Session, row: DelegationRequest, template: str, **more: str) -> None:
    """Write to the company's administrators what became of a request."""
    partner = db.get(Partner, row.partner_id)
    facts = {"company": partner.name if partner else "", "tin": row.tin_last4, **more}
    for member in members.in_force(db, row.partner_id, administrators=True):
        outbox.send(db, member.account_id, template, facts)


def practice_of(db: Session, row: DelegationRequest) -> Provider | None:
    """Return the practice a request means, or None where we know none; never told to the company."""
    known = select(Provider).where(col(Provider.tin_hash) == row.tin_hash, col(Provider.status) != "ended")
    return db.exec(known).first()


def tell_practice(db: Session, row: DelegationRequest, partner: Partner) -> None:
    """Write to the access managers of the lines asked for, where we know the practice."""
    provider = practice_of(db, row)
    if provider is None:
        return
    page = f"{of(db).settings.issuer}/p/{provider.id}/inbox"
    facts = {"company": partner.name, "provider": provider.name, "note": row.note, "inbox": page}
    told = {m for line in row.lines for m in telling.managers_of(db, provider.id, str(line))}
    for account_id in sorted(told):
        outbox.send(db, account_id, "delegation_wanted", facts)


def record(db: Session, event: str, row: DelegationRequest, by: str, provider_id: str | None = None) -> None:
    """Record what became of a request."""
    details = {
        "request": row.id,
        "partner": row.partner_id,
        "tin_last4": row.tin_last4,
        "functions": row.entitlements,
        "lines": row.lines,
        "to": clock.iso(row.ends_at),
        "delegation": row.delegation_id,
        "by": by,
    }
    log.record(db, Event(event, provider=provider_id, reason=row.reason or None, details=details))


Asked = tuple[DelegationRequest, str]
"""A request, and its company's name."""


def named(db: Session, rows: Sequence[DelegationRequest]) -> list[Asked]:
    """Return requests with their companies' names."""
    return [(row, partner.name if (partner := db.get(Partner, row.partner_id)) else "") for row in rows]
