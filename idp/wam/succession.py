"""Access managers add, replace and end access managers: authority passes on, what was given stays (W-9)."""

from sqlmodel import Session

from idp import clock
from idp.accounts.tables import Account
from idp.database import of
from idp.entitlements import pauses
from idp.entitlements.tables import Appointment
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.notices import outbox
from idp.providers.tables import Provider
from idp.wam import appointments, authority, receipts, reviews
from idp.wam.tables import Receipt

REASONS = {"left": "Left the practice", "role_change": "Changed role", "other": "Another reason"}
NEEDED_IAL = 2
"""Managing access needs a person whose identity was proven (domain.md 5)."""


def candidates(db: Session, provider_id: str, line: str, by: str) -> list[Account]:
    """Return who could become an access manager here: active people of the practice itself, identity proven."""
    managing = {a.account_id for a in appointments.in_force(db, provider_id, line, clock.now())} | {by}
    return [
        who
        for who in authority.employees(db, provider_id)
        if who.id not in managing and who.status == "active" and who.ial >= NEEDED_IAL
    ]


def appoint(db: Session, *, by: str, provider_id: str, line: str, account_id: str) -> Appointment:
    """Appoint a person of the practice as another access manager and tell all of them.

    Raises NotYourLine, NotFound for somebody of another practice, NotEntitled for oneself, Invalid for a person
    who can't be one, Conflict for a 16th or one who is already.
    """
    if not account_id:
        raise Invalid(fields={"account": "Choose a person."})
    appointments.hold(db, provider_id)
    authority.must_manage(db, by, provider_id, line)
    person = authority.person(db, provider_id, account_id, lock=True)
    if account_id == by:
        raise NotEntitled("Nobody appoints themselves. You are an access manager already.", code="may_not_give")
    why = _why_not(db, provider_id, line, person.account)
    if person.affiliation is None or person.affiliation.partner_id is not None:
        why = "Only people of the practice itself can be access managers."
    if why is not None:
        raise Invalid(fields={"account": why})
    receipt = _receipt(db, provider_id, account_id, by, "appointed")
    made = appointments.appoint(db, account_id=account_id, provider_id=provider_id, line=line, by=by, verified_by=by)
    receipt.facts = {"appointment": made.id, "line": line}
    _tell(db, "manager_appointed", made, {"by": _name(db, by)})
    return made


def end(db: Session, *, by: str, provider_id: str, appointment_id: str, reason: str) -> Appointment:
    """End an appointment, one's own too, flag what the person gave for the others, and tell all of them.

    Raises NotYourLine, NotFound, Invalid without a reason, LastManager for the only one, Conflict when it
    had ended.
    """
    if reason not in REASONS:
        raise Invalid(fields={"reason": "Choose why."})
    appointments.hold(db, provider_id)
    found = db.get(Appointment, appointment_id)
    if found is None or found.provider_id != provider_id:
        raise NotFound
    authority.must_manage(db, by, provider_id, found.line)
    receipt = _receipt(db, provider_id, found.account_id, by, reason)
    receipt.facts = {"appointment": found.id, "line": found.line, "ended": True}
    if not appointments.end(db, found, by=by, reason=reason):
        raise Conflict("This appointment had ended already.")
    db.refresh(found)
    reviews.after_departure(db, provider_id, found.line, found.account_id, by=by)
    left = len(appointments.able(db, provider_id, found.line))
    more = {"left": f"{left}. Appoint a second one" if left < appointments.WARN_BELOW else str(left)}
    _tell(db, "manager_ended", found, more)
    return found


def _receipt(db: Session, provider_id: str, account_id: str, by: str, reason: str) -> Receipt:
    """Keep what this transaction records from here on as a receipt."""
    return receipts.begin(
        db,
        kind="appointment",
        provider_id=provider_id,
        account_id=account_id,
        made_by=by,
        form_id=receipts.new_form_id(),
        reason=reason,
    )


def _why_not(db: Session, provider_id: str, line: str, account: Account) -> str | None:
    if account.status != "active":
        return "This person's account is not active."
    if pauses.desk_pauses(db, account.id, provider_id):
        return "This person's access here is paused by our security desk. Only the desk can lift that."
    if account.ial < NEEDED_IAL:
        return "This person's identity has to be proven to us first. Call access support."
    return None


def _tell(db: Session, template: str, about: Appointment, more: dict[str, str]) -> None:
    """Write to every access manager of the line and to the person it is about."""
    provider = db.get(Provider, about.provider_id)
    here = f"{of(db).settings.issuer}/p/{about.provider_id}"
    facts = {
        "name": _name(db, about.account_id),
        "provider": provider.name if provider else "",
        "line": about.line.replace("_", " "),
        "people": f"{here}/managers",
        "reviews": f"{here}/reviews",
        **more,
    }
    told = appointments.able(db, about.provider_id, about.line) | {about.account_id}
    for account_id in sorted(told):
        outbox.send(db, account_id, template, facts)


def _name(db: Session, account_id: str) -> str:
    account = db.get(Account, account_id)
    return account.display_name if account else "Access support"
