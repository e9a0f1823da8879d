"""Two managers for what moves money: one asks, another confirms, and it begins a day later (domain.md 6).

Redirected payments are the main fraud in this field. Nothing is given before the second word; every access manager
hears of both, so that a stolen session is noticed while there is still time. What waits is for the work, and by the
authority, of the moment it was asked in: where one of the two ended, it is asked for anew, with a new day of waiting.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, CursorResult, exists, or_, update
from sqlmodel import Session, col, select

from idp import clock, configuration
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import grants
from idp.entitlements.tables import Entitlement, Grant
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.notices import outbox
from idp.providers.tables import Affiliation, Provider
from idp.wam import appointments, authority, holdings, receipts
from idp.wam.tables import HeldChange

OPEN = timedelta(days=7)
"""How long a change waits for the second word."""


def hold(
    db: Session,
    *,
    by: str,
    provider_id: str,
    account_id: str,
    line: str,
    entitlement: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    reason: str,
) -> HeldChange:
    """Record that a manager wants to give a function that needs two; tell every manager of the line.

    Raises Conflict while the same is waiting already.
    """
    for row in waiting(db, provider_id, [line]):
        if row.account_id == account_id and row.entitlement == entitlement:
            raise Conflict("This waits for a second access manager already.")
    made = HeldChange(
        provider_id=provider_id,
        account_id=account_id,
        line=line,
        entitlement=entitlement,
        starts_at=starts_at,
        ends_at=ends_at,
        asked_by=by,
        reason=reason,
        expires_at=clock.now() + OPEN,
    )
    db.add(made)
    db.flush()
    _log(db, "wam.change.held", made, by)
    _tell(db, "change_held", made)
    return made


def waiting(db: Session, provider_id: str, lines: Sequence[str]) -> list[HeldChange]:
    """Return the changes of these lines that wait for a second word, oldest first."""
    return list(
        db.exec(
            select(HeldChange)
            .where(
                col(HeldChange.provider_id) == provider_id,
                col(HeldChange.line).in_(lines),
                col(HeldChange.status) == "waiting",
                col(HeldChange.expires_at) > clock.now(),
                _same_work(),
            )
            .order_by(col(HeldChange.created_at), col(HeldChange.id))
        ).all()
    )


def _same_work() -> ColumnElement[bool]:
    """Return the condition that the person still works here by the approval they had when it was asked for."""
    return exists().where(
        col(Affiliation.account_id) == col(HeldChange.account_id),
        col(Affiliation.provider_id) == col(HeldChange.provider_id),
        col(Affiliation.created_at) <= col(HeldChange.created_at),
        col(Affiliation.ended_at).is_(None),
        or_(col(Affiliation.ends_at).is_(None), col(Affiliation.ends_at) > clock.now()),
    )


def end_of(
    db: Session, account_id: str, provider_id: str, lines: Sequence[str], function: str | None, *, by: str
) -> None:
    """Close what waits about functions just taken away from a person; all hear of it as of a refusal."""
    for held in waiting(db, provider_id, lines):
        if held.account_id == account_id and function in (None, held.entitlement):
            _close(db, held, by)


def find(db: Session, held_id: str, provider_id: str, lines: Sequence[str]) -> HeldChange:
    """Return a change of this practice and these lines; anything else is NotFound."""
    found = db.get(HeldChange, held_id, populate_existing=True)
    if found is None or found.provider_id != provider_id or found.line not in lines:
        raise NotFound
    return found


def begins(db: Session, held: HeldChange) -> datetime:
    """Return when a change would begin if it were confirmed now: a day after it was asked for, at the earliest."""
    after = held.created_at + configuration.current(db).clocks.payment_hold
    return max(after, clock.now(), held.starts_at or after)


def confirm(db: Session, held: HeldChange, *, by: str) -> Grant:
    """Give what another manager asked for, from the end of the hold on; once.

    Raises NotYourLine when this manager or the one who asked no longer manages the line, NotEntitled for the
    asker or the person it is for, Conflict when it is over, and what `grants.grant` raises.
    """
    authority.must_manage(db, by, held.provider_id, held.line)
    if by in (held.asked_by, held.account_id):
        raise NotEntitled("A second access manager has to confirm this.", code="may_not_give")
    authority.must_manage(db, held.asked_by, held.provider_id, held.line, since=held.created_at)
    person = authority.person(db, held.provider_id, held.account_id, lock=True)
    if person.affiliation is None:
        raise Conflict("This person no longer works for this practice.")
    if person.affiliation.created_at > held.created_at:
        raise Conflict("This person left after this was asked for. Ask anew: the day of waiting begins then.")
    if held.entitlement not in holdings.functions(db, authority.provider(db, held.provider_id), held.line):
        raise Invalid("This practice does not hold this function any more.")
    starts = begins(db, held)
    _receipt(db, held, by, starts)
    _decide(db, held, "confirmed", by)
    rows = authority.not_ended(db, held.provider_id, held.account_id, held.line)
    before = [row for row in rows if row.entitlement == held.entitlement and row.effect == "allow"]
    if starts > clock.now():  # what they have goes on until the new one begins
        grants.end_by(db, before, starts, by=by, reason="replaced")
    else:
        for row in before:
            grants.end(db, row, by=by, reason="replaced")
    made = grants.grant(
        db,
        account_id=held.account_id,
        provider_id=held.provider_id,
        line=held.line,
        entitlement=held.entitlement,
        by=held.asked_by,
        reason=held.reason,
        not_before=starts,
        expires_at=held.ends_at,
        confirmed_by=by,
    )
    _log(db, "wam.change.confirmed", held, by, grant=made.id)
    _tell(db, "change_confirmed", held)
    return made


def _receipt(db: Session, held: HeldChange, by: str, starts: datetime) -> None:
    """Write the receipt of the second word, with the log's promise of what comes now; raise Conflict for a second."""
    try:
        receipt = receipts.begin(
            db,
            kind="change",
            provider_id=held.provider_id,
            account_id=held.account_id,
            made_by=by,
            form_id=f"second-{held.id}",
            reason=held.reason,
        )
    except receipts.AlreadyDone:
        raise Conflict("You confirmed this already.") from None
    receipt.facts = {
        "confirmed": held.id,
        "line": held.line,
        "bundle": None,
        "from": clock.iso(starts),
        "to": clock.iso(held.ends_at) if held.ends_at else None,
        "added": [held.entitlement],
        "changed": [],
        "removed": [],
        "held": [],
        "stay": 0,
    }
    db.add(receipt)


def refuse(db: Session, held: HeldChange, *, by: str) -> None:
    """Refuse it, or take it back; once. Raises NotYourLine, Conflict when it is over."""
    authority.must_manage(db, by, held.provider_id, held.line)
    _close(db, held, by)


def _close(db: Session, held: HeldChange, by: str) -> None:
    _decide(db, held, "refused", by)
    _log(db, "wam.change.refused", held, by)
    _tell(db, "change_refused", held)


def _decide(db: Session, held: HeldChange, status: str, by: str) -> None:
    decided = db.execute(
        update(HeldChange)
        .where(
            col(HeldChange.id) == held.id,
            col(HeldChange.status) == "waiting",
            col(HeldChange.expires_at) > clock.now(),
        )
        .values(status=status, decided_by=by, decided_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    assert isinstance(decided, CursorResult)
    if decided.rowcount != 1:
        raise Conflict("This was decided already, or waited too long. Nothing of yours was done.")
    db.refresh(held)


def _tell(db: Session, template: str, held: HeldChange) -> None:
    provider = db.get(Provider, held.provider_id)
    function = db.get(Entitlement, held.entitlement)
    names = {i: (db.get(Account, i)) for i in (held.account_id, held.asked_by, held.decided_by or "")}
    shown = {i: a.display_name if a else "" for i, a in names.items()}
    facts = {
        "provider": provider.name if provider else "",
        "function": function.name if function else held.entitlement,
        "name": shown[held.account_id],
        "by": shown[held.asked_by],
        "second": shown[held.decided_by or ""],
        "from": clock.iso(begins(db, held)),
        "inbox": f"{of(db).settings.issuer}/p/{held.provider_id}/inbox",
    }
    for account_id in sorted(appointments.able(db, held.provider_id, held.line) | {held.account_id}):
        outbox.send(db, account_id, template, facts)


def _log(db: Session, event: str, held: HeldChange, by: str, **more: str) -> None:
    log.record(
        db,
        Event(
            event,
            account=held.account_id,
            provider=held.provider_id,
            entitlement=held.entitlement,
            details={"held": held.id, "line": held.line, "asked_by": held.asked_by, "by": by, **more},
        ),
    )
