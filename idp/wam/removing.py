"""Remove a person's access, one function or all of it, and prove what ended (W-5)."""

from datetime import datetime
from functools import partial

from sqlmodel import Session, col, func, select

from idp import clock
from idp.accounts.tables import Session as BrowserSession
from idp.accounts.tables import TokenFamily
from idp.entitlements import grants, pauses
from idp.entitlements.tables import Appointment, Assignment
from idp.errors import Invalid, NotEntitled
from idp.leaving import people
from idp.signals import revocations
from idp.wam import appointments, authority, dual_control, receipts
from idp.wam.tables import Receipt

REASONS = {
    "left": "Left the practice",
    "role_change": "Changed role",
    "misuse": "Misuse (also signs them out everywhere)",
    "other": "Another reason",
}


def remove(
    db: Session,
    *,
    by: str,
    provider_id: str,
    account_id: str,
    function: str | None,
    lines: list[str],
    reason: str,
    note: str = "",
    left_at: datetime | None = None,
    form_id: str,
) -> Receipt:
    """End one function, or everything a person has here, in the lines given; return the receipt.

    `left_at` is when the person left: the clock of "within one hour" starts there. Removing all ends the
    tie to the practice too, unless other lines that this manager does not manage remain. Raises NotFound
    for somebody of another practice, NotYourLine, Invalid for an unknown reason or nothing to remove,
    LastManager for the only access manager of a line, NotEntitled for removing oneself whole.
    """
    known = receipts.earlier(db, by, form_id)
    if known is not None:
        return known
    _check(reason, note, left_at)
    if function is None:
        appointments.hold(db, provider_id)
    for line in lines:
        authority.must_manage(db, by, provider_id, line)
    person = authority.person(db, provider_id, account_id, lock=True)
    if function is None and account_id == by:
        raise NotEntitled("You can't remove yourself. Another access manager can.", code="may_not_give")
    try:
        receipt = receipts.begin(
            db,
            kind="removal",
            provider_id=provider_id,
            account_id=account_id,
            made_by=by,
            form_id=form_id,
            reason=reason,
        )
    except receipts.AlreadyDone as done:
        return done.receipt
    before = _presence(db, account_id, provider_id)
    rows = [
        g
        for g in authority.not_ended(db, provider_id, account_id)
        if g.line_of_business in lines and function in (None, g.entitlement) and not pauses.is_desk_pause(g)
    ]
    if function is not None:
        if not rows:
            raise Invalid("This function has been removed already.")
        whole = False
    else:
        if not rows and person.affiliation is None:
            raise Invalid("This person's access has ended already.")
        whole = _nothing_elsewhere(db, account_id, provider_id, lines)
        _keep_a_manager(db, account_id, provider_id, lines)
    dual_control.end_of(db, account_id, provider_id, lines, function, by=by)
    because = reason if not note else f"{reason}: {note.strip()}"
    if whole:
        people.leave(db, account_id, provider_id, reason=reason, by=by)
    else:
        for row in rows:
            grants.end(db, row, by=by, reason=because)
        if function is None:
            _end_jobs(db, account_id, provider_id, lines, by=by, because=because)
    after = _presence(db, account_id, provider_id)
    receipt.facts = {
        "function": function,
        "lines": lines,
        "whole": whole,
        "functions": sorted({g.entitlement for g in rows if g.effect == "allow"}),
        "sessions": before[0] - after[0],
        "families": before[1] - after[1],
        "left_at": clock.iso(left_at) if left_at else None,
        "note": bool(note),
    }
    receipt.at = clock.now()
    db.add(receipt)
    db.flush()
    revocations.when_numbered(db, partial(_numbered, receipt))
    return receipt


def _numbered(receipt: Receipt, first: int, last: int) -> None:
    """Keep which revocations the removal made, so that it can be shown who heard of them."""
    receipt.facts = {**receipt.facts, "numbers": [first, last]}


def _check(reason: str, note: str, left_at: datetime | None) -> None:
    fields = {}
    if reason not in REASONS:
        fields["reason"] = "Choose why the access ends."
    elif reason == "other" and not note.strip():
        fields["note"] = "Say in a few words why the access ends."
    if len(note) > 200:
        fields["note"] = "Use at most 200 characters."
    if left_at is not None and left_at > clock.now():
        fields["left"] = "Enter a time that is not in the future."
    if fields:
        raise Invalid(fields=fields)


def _presence(db: Session, account_id: str, provider_id: str) -> tuple[int, int]:
    """Count live sessions of a person, and live token families at this practice."""
    live_sessions = db.exec(
        select(func.count()).where(col(BrowserSession.account_id) == account_id, col(BrowserSession.ended_at).is_(None))
    ).one()
    live_families = db.exec(
        select(func.count()).where(
            col(TokenFamily.account_id) == account_id,
            col(TokenFamily.provider_id) == provider_id,
            col(TokenFamily.ended_at).is_(None),
        )
    ).one()
    return live_sessions, live_families


def _nothing_elsewhere(db: Session, account_id: str, provider_id: str, lines: list[str]) -> bool:
    """Say whether everything the person has here lies in the lines this manager manages."""
    held = {g.line_of_business for g in authority.not_ended(db, provider_id, account_id) if g.effect == "allow"}
    held |= {a.line for a in appointments.in_force(db, provider_id, None, clock.now()) if a.account_id == account_id}
    return held <= set(lines)


def _keep_a_manager(db: Session, account_id: str, provider_id: str, lines: list[str]) -> None:
    for line in lines:
        if appointments.is_last(db, account_id, provider_id, line):
            raise appointments.LastManager("This is the only access manager. Appoint another one first.")


def _end_jobs(db: Session, account_id: str, provider_id: str, lines: list[str], *, by: str, because: str) -> None:
    """End the jobs and the manager's authority of a person in some lines."""
    for assignment in db.exec(
        select(Assignment).where(
            col(Assignment.account_id) == account_id,
            col(Assignment.provider_id) == provider_id,
            col(Assignment.line).in_(lines),
            col(Assignment.ended_at).is_(None),
        )
    ).all():
        assignment.ended_at = clock.now()
        db.add(assignment)
    for appointment in db.exec(
        select(Appointment).where(
            col(Appointment.account_id) == account_id,
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line).in_(lines),
            col(Appointment.ended_at).is_(None),
        )
    ).all():
        appointments.end(db, appointment, by=by, reason=because)
