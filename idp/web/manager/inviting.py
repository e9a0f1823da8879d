"""Invite one person, or everybody of a file: what the pages and the API do, once for each form or key."""

from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlmodel import Session as Db

from idp import clock
from idp.accounts import people
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound
from idp.registration import invitations
from idp.registration.tables import Invitation
from idp.wam import appointments, authority, holdings, importing, receipts
from idp.web.guards import Acting
from idp.web.manager import ends, views
from idp.web.manager.guard import lines_of, lines_seen


def invite(
    db: Db,
    acting: Acting,
    *,
    name: str,
    email: str,
    works_as: str,
    bundle: str | None,
    end: ends.End = ends.YEAR,
    line: str,
    form_id: str,
) -> tuple[Invitation, str] | None:
    """Invite one person; return the invitation and its secret, or None when this form was sent before.

    `end` is when the job's access ends. Raises NotYourLine, Invalid field by field, TooMany.
    """
    by, provider_id = acting.visitor.account.id, acting.provider.id
    if receipts.earlier(db, by, form_id) is not None:
        return None
    appointments.hold(db, provider_id)  # mails to one address are counted one after the other
    authority.must_manage(db, by, provider_id, line)
    fields = _wrong_name(name)
    if works_as not in views.CAPACITIES:
        fields["capacity"] = "Choose how the person works for the practice."
    if bundle and bundle not in jobs(db, acting, line):
        fields["bundle"] = "Choose one of the jobs on this page."
    ends_at = ends.moment(end, of(db).settings.time_zone)
    if isinstance(end, datetime) and end <= clock.now():
        fields["until"] = "Enter a day that has not passed."
    elif isinstance(end, datetime) and not bundle:
        fields["until"] = "Choose the job that ends with this day."
    if fields:
        raise Invalid(fields=fields)
    invitations.spare(db, email, provider_id=provider_id)
    try:
        receipt = receipts.begin(db, kind="invitation", provider_id=provider_id, made_by=by, form_id=form_id)
    except receipts.AlreadyDone:
        return None
    invitation, secret = invitations.invite(
        db,
        invited_by=by,
        display_name=name,
        email=email,
        provider_id=provider_id,
        line=line,
        capacity=works_as,
        bundle=bundle or None,
        access_ends_at=ends_at if bundle else None,
    )
    receipt.facts = {"invitation": invitation.id, "line": line, "bundle": bundle or None}
    db.add(receipt)
    return invitation, secret


def _wrong_name(name: str) -> dict[str, str]:
    if not name.strip():
        return {"name": "Enter the person's name."}
    return {"name": "Use at most 120 characters."} if len(name) > 120 else {}


def found(db: Db, acting: Acting, invitation_id: str) -> Invitation:
    """Return an invitation of this practice in the lines one may look at; raise NotFound for every other one."""
    return invitations.of_practice(db, acting.provider.id, invitation_id, lines_seen(db, acting))


def mend(
    db: Db, acting: Acting, invitation_id: str, form_id: str, *, name: str, email: str = ""
) -> tuple[Invitation, str] | None:
    """Mend the name on an invitation nobody took up, and with `email` the address: then as `again`, with a new link.

    Return the new invitation and its secret, or None where the link goes on (or this form was sent before). Raises as
    `again`, Invalid field by field, Conflict for one made for an account that is here already: its name is its own.
    """
    by, was = acting.visitor.account.id, found(db, acting, invitation_id)
    authority.must_manage(db, by, acting.provider.id, was.line)
    if was.account_id is not None:
        raise Conflict("This invitation is for an account of somebody who is here already. Take it back instead.")
    if fields := _wrong_name(name):
        raise Invalid(fields=fields)
    if email and people.normalised_email(email) != was.email:
        return again(db, acting, invitation_id, form_id, name=name, email=email)
    if " ".join(name.split()) != was.display_name:
        invitations.rename(db, was.id, name, by=by)
    return None


def again(
    db: Db, acting: Acting, invitation_id: str, form_id: str, *, name: str | None = None, email: str | None = None
) -> tuple[Invitation, str] | None:
    """Send the same invitation with a new link, by whoever asks now; the old link ends in the same moment.

    `name` and `email` take the place of what it had. Return the new invitation and its secret, or None when this
    form was sent before. What it gives must be the
    sender's to give today. Raises NotFound, NotYourLine, TooMany, Conflict for one that is over or gives nothing more.
    """
    by, was = acting.visitor.account.id, found(db, acting, invitation_id)
    if receipts.earlier(db, by, form_id) is not None:
        return None
    appointments.hold(db, acting.provider.id)
    authority.must_manage(db, by, acting.provider.id, was.line)
    if was.bundle and was.bundle not in jobs(db, acting, was.line):
        raise Conflict(
            f"{acting.provider.name} can't give this job any more. Withdraw this, and invite the person anew."
        )
    if was.access_ends_at is not None and was.access_ends_at <= clock.now():
        raise Conflict("The last day of this access has passed. Withdraw this, and invite the person anew.")
    address = was.email if email is None else email
    invitations.spare(db, address, provider_id=acting.provider.id)
    try:
        receipt = receipts.begin(db, kind="invitation", provider_id=acting.provider.id, made_by=by, form_id=form_id)
    except receipts.AlreadyDone:
        return None
    invitations.withdraw(db, was.id, by=by, replaced=True)
    made, secret = invitations.invite(
        db,
        invited_by=by,
        display_name=was.display_name if name is None else name,
        email=address,
        provider_id=was.provider_id,
        account_id=was.account_id,
        line=was.line,
        capacity=was.capacity,
        bundle=was.bundle,
        access_ends_at=was.access_ends_at,
    )
    receipt.facts = {"invitation": made.id, "instead_of": was.id, "line": made.line, "bundle": made.bundle}
    db.add(receipt)
    return made, secret


def withdraw(db: Db, acting: Acting, invitation_id: str) -> Invitation:
    """Take an invitation back that nobody took up. Raises NotFound, NotYourLine, Conflict when it is over already."""
    by, was = acting.visitor.account.id, found(db, acting, invitation_id)
    authority.must_manage(db, by, acting.provider.id, was.line)
    invitations.withdraw(db, was.id, by=by)
    db.refresh(was)
    return was


def state(invitation: Invitation) -> Literal["open", "used", "withdrawn", "expired"]:
    """Say what became of an invitation: open, used, withdrawn or expired."""
    if invitation.spent_at is not None:
        return "used"
    if invitation.ended_at is not None:
        return "withdrawn"
    return "open" if clock.now() < invitation.expires_at else "expired"


def read(db: Db, acting: Acting, text: str, line: str) -> list[importing.Line]:
    """Return every line of a file with what is wrong with it; nothing is done. Raises NotFound for a foreign line."""
    if line not in lines_of(db, acting):
        raise NotFound
    known = frozenset(one.email for one in invitations.open_at(db, acting.provider.id))
    of_cell = partial(ends.of_cell, zone=of(db).settings.time_zone)
    return importing.read(
        text,
        jobs=jobs(db, acting, line),
        capacities=views.CAPACITIES,
        ends=of_cell,
        known=known,
        filled=invitations.filled(db, provider_id=acting.provider.id),
    )


def invite_all(db: Db, acting: Acting, text: str, line: str, form_id: str) -> int:
    """Invite everybody of a file, or nobody; return how many, 0 when this form was sent before. Raises Invalid."""
    by, provider_id = acting.visitor.account.id, acting.provider.id
    if receipts.earlier(db, by, form_id) is not None:
        return 0
    appointments.hold(db, provider_id)  # nobody is invited by two files at once
    lines = read(db, acting, text, line)
    authority.must_manage(db, by, provider_id, line)
    wrong = [one.number for one in lines if one.problem]
    if wrong:
        raise Invalid(fields={"file": f"Nobody was invited: line {', '.join(map(str, wrong[:5]))} has to be mended."})
    try:
        receipt = receipts.begin(db, kind="invitation", provider_id=provider_id, made_by=by, form_id=form_id)
    except receipts.AlreadyDone:
        return 0
    made: list[Any] = [
        invitations.invite(
            db,
            invited_by=by,
            display_name=one.name,
            email=one.email,
            provider_id=provider_id,
            line=line,
            capacity=one.works_as,
            bundle=one.job,
            access_ends_at=one.ends_at,
        )[0].id
        for one in lines
    ]
    receipt.facts = {"invitations": made, "line": line}
    db.add(receipt)
    log.record(db, Event("wam.people.imported", provider=provider_id, details={"people": len(made), "by": by}))
    return len(made)


def jobs(db: Db, acting: Acting, line: str) -> dict[str, str]:
    """Return key -> name of the jobs this practice can give in a line."""
    held = holdings.functions(db, acting.provider, line)
    return {job.bundle.key: job.bundle.name for job in holdings.jobs(db, held)}
