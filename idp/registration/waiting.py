"""What a person who applied sees, and what time does to an application: reminders, escalation, expiry (domain.md 7)."""

from dataclasses import dataclass

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.notices import outbox
from idp.providers import organisations
from idp.providers.tables import Provider
from idp.registration import first_manager, managers, practices
from idp.registration.tables import Application, FirstManagerClaim

BATCH = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One application as its person sees it; names stay masked until approval."""

    application: Application
    opened: bool
    """Gate 1: the insurer opened the portal to the organisation."""
    managers: list[str]
    claim: FirstManagerClaim | None
    name: str
    """The organisation's name, once approved; before that nobody learns whose a TIN is."""
    client_id: str | None = None
    """The app in which the person began to register, once approved: there they go on."""


def of_person(db: Db, account_id: str) -> list[Entry]:
    """Return a person's applications, newest first."""
    found = db.exec(
        select(Application)
        .where(col(Application.account_id) == account_id)
        .order_by(col(Application.created_at).desc(), col(Application.tin_last4))
        .limit(100)
    ).all()
    return [_entry(db, application) for application in found]


def _entry(db: Db, application: Application) -> Entry:
    provider = practices.provider_of(db, application.tin_hash)
    deciding = managers.in_force(db, provider.id, application.line) if provider else []
    opened = (
        provider is not None
        and provider.status == "active"
        and organisations.has_line(db, provider.id, application.line, clock.now())
    )
    return Entry(
        application,
        opened,
        [managers.masked(manager) for manager in deciding],
        first_manager.of_application(db, application.id),
        provider.name if provider and application.status == "approved" else "",
        application.client_id if application.status == "approved" else None,
    )


def withdraw(db: Db, application_id: str, account_id: str) -> bool:
    """Take one's own application back; return False when it is not there, not one's own or decided."""
    return end(db, application_id, account_id=account_id, reason="withdrawn")


def end(db: Db, application_id: str, *, account_id: str, reason: str) -> bool:
    """Take back an application that waits, for a reason of ours; return False when it does not wait."""
    if not _end(db, application_id, "withdrawn", account_id=account_id):
        return False
    details = {"application": application_id}
    log.record(db, Event("registration.application.ended", account=account_id, reason=reason, details=details))
    return True


def _end(db: Db, application_id: str, status: str, *, account_id: str) -> bool:
    ended = db.execute(
        update(Application)
        .where(
            col(Application.id) == application_id,
            col(Application.account_id) == account_id,
            col(Application.status) == "submitted",
        )
        .values(status=status, decided_at=clock.now())
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        return False
    db.execute(
        update(FirstManagerClaim)
        .where(
            col(FirstManagerClaim.application_id) == application_id,
            col(FirstManagerClaim.status).in_(("open", "proven")),
        )
        .values(status="ended")
    )
    return True


def tend(db: Db) -> int:
    """Remind, escalate and expire what has waited; return how many were touched.

    Each step is taken by one conditional update, so ten workers send one mail.
    """
    clocks = configuration.current(db).clocks
    now = clock.now()
    steps = (*clocks.application_reminders, clocks.application_escalates)
    touched = 0
    for application in db.exec(
        select(Application)
        .where(col(Application.status) == "submitted", col(Application.expires_at) <= now)
        .limit(BATCH)
    ).all():
        touched += _expire(db, application)
    for number, after in enumerate(steps, 1):
        due = db.exec(
            select(Application)
            .where(
                col(Application.status) == "submitted",
                col(Application.reminded) == number - 1,
                col(Application.created_at) <= now - after,
                col(Application.expires_at) > now,
            )
            .limit(BATCH)
        ).all()
        for application in due:
            touched += _remind(db, application, number, escalate=number == len(steps))
    return touched


def _expire(db: Db, application: Application) -> int:
    if not _end(db, application.id, "expired", account_id=application.account_id):
        return 0
    details = {"application": application.id}
    event = Event("registration.application.ended", account=application.account_id, reason="expired", details=details)
    log.record(db, event)
    outbox.send(db, application.account_id, "application_expired", {"tin": application.tin_last4})
    return 1


def _remind(db: Db, application: Application, number: int, *, escalate: bool) -> int:
    taken = db.execute(
        update(Application)
        .where(
            col(Application.id) == application.id,
            col(Application.status) == "submitted",
            col(Application.reminded) == number - 1,
        )
        .values(reminded=number)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount != 1:
        return 0
    provider = practices.provider_of(db, application.tin_hash)
    if escalate:
        _escalate(db, application, provider)
    elif provider is not None:
        person = db.get(Account, application.account_id)
        facts = {
            "provider": provider.name,
            "name": person.display_name if person else "Somebody",
            "inbox": f"{of(db).settings.issuer}/p/{provider.id}/inbox",
        }
        for manager in managers.in_force(db, provider.id, application.line):
            outbox.send(db, manager.id, "application_reminder", facts)
    return 1


def _escalate(db: Db, application: Application, provider: Provider | None) -> None:
    clocks, insurer = configuration.current(db).clocks, configuration.current(db).insurer
    facts = {
        "provider": provider.name if provider else "a practice we don't know yet",
        "tin": application.tin_last4,
        "days": clocks.application_escalates.days,
        "application": application.id,
    }
    outbox.send(db, application.account_id, "application_escalated", facts, to=(insurer.help_email,))
    log.record(
        db,
        Event(
            "registration.application.escalated",
            account=application.account_id,
            provider=provider.id if provider else None,
            details={"application": application.id},
        ),
    )
