"""Applications to work for a practice: sent once, decided once by an access manager of that practice (RU-2, W-2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import CursorResult, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy
from idp.accounts import people, readiness
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import appointed, bundles
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.notices import outbox
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.registration import first_manager, journey, managers, practices, routes
from idp.registration.tables import Application, Registration


class AlreadyDecided(Conflict):
    """Another access manager decided first, or the application ended; the sentence says what it came to."""

    code = "already_decided"
    title = "This was decided already"


MOST_SHOWN = 200
"""Applications an inbox holds, the oldest; it says so where there may be more."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What an access manager approves: as applied for, or altered."""

    capacity: str
    ends_at: datetime | None
    bundle: str | None


def left_out(db: Db, registration: Registration, account_id: str) -> dict[str, str]:
    """Return the TINs of a registration that will not be sent, masked, and why."""
    found = {}
    for number in practices.kept(db, registration):
        why = _why_not(db, registration, account_id, practices.hash_of(db, number))
        if why is not None:
            found[number[-4:]] = why
    return found


def _why_not(db: Db, registration: Registration, account_id: str, tin_hash: bytes) -> str | None:
    provider = practices.provider_of(db, tin_hash)
    if provider is not None:
        if affiliations.current(db, account_id, provider.id) is not None:
            return "You work for this practice already."
        if registration.route not in routes.open_for(db, provider.id):
            return "This practice does not take registrations this way. Ask its access manager to invite you."
    waits = db.exec(
        select(Application.id).where(
            col(Application.account_id) == account_id,
            col(Application.tin_hash) == tin_hash,
            col(Application.status) == "submitted",
        )
    ).first()
    return "You applied to this practice already. It waits for its access manager." if waits else None


def submit(db: Db, registration: Registration, account: Account) -> list[Application]:
    """Send the applications of a registration, once, and tell the access managers.

    The caller has seen to it that terms, attestation and second step are done. Raises RegistrationLost for a
    registration that was sent already, Conflict when there is nothing to send.
    """
    _finish(db, registration)
    made = []
    for number in practices.kept(db, registration):
        if _why_not(db, registration, account.id, practices.hash_of(db, number)) is None:
            application = _record(db, registration, account, number)
            if application is not None:
                made.append(application)
    if not made:
        raise Conflict("There is nothing to send: you work for these practices or have applied to them already.")
    outbox.send(db, account.id, "application_sent", {"practices": _count(len(made), "practice")})
    return made


def _finish(db: Db, registration: Registration) -> None:
    finished = db.execute(
        update(Registration)
        .where(col(Registration.id) == registration.id, col(Registration.status).not_in(("submitted", "ended")))
        .values(status="submitted")
        .execution_options(synchronize_session="fetch")
    )
    assert isinstance(finished, CursorResult)
    if finished.rowcount != 1:
        raise journey.RegistrationLost


def _record(db: Db, registration: Registration, account: Account, number: str) -> Application | None:
    now = clock.now()
    made = Application(
        id=entropy.new_id("apl"),
        account_id=account.id,
        tin_hash=practices.hash_of(db, number),
        tin_encrypted=b"",
        tin_last4=number[-4:],
        line=registration.line,
        capacity=registration.capacity,
        starts_at=registration.starts_at or now,
        ends_at=registration.ends_at,
        bundle=registration.bundle,
        route=registration.route,
        upstream_id=registration.upstream_id,
        partner_id=registration.partner_id,
        client_id=registration.client_id,
        npi=registration.npi,
        licence_state=registration.licence_state,
        licence_number=registration.licence_number,
        licence_until=registration.licence_until,
        expires_at=now + configuration.current(db).clocks.application_expires,
    )
    made.tin_encrypted = of(db).ring.seal("tin", f"application.tin_encrypted:{made.id}", number.encode())
    try:
        with db.begin_nested():
            db.add(made)
    except IntegrityError:
        return None  # sent in another tab a moment ago
    provider = practices.provider_of(db, made.tin_hash)
    log.record(
        db,
        Event(
            "registration.application.submitted",
            account=account.id,
            provider=provider.id if provider else None,
            client=made.client_id,
            details={"application": made.id, "line": made.line, "capacity": made.capacity, "route": made.route},
        ),
    )
    deciding = managers.in_force(db, provider.id, made.line) if provider else []
    if provider is None or not deciding:
        first_manager.open_claim(db, made)
    else:
        _tell_managers(db, "application_waiting", provider, account, deciding)
    return made


def _tell_managers(db: Db, template: str, provider: Provider, account: Account, deciding: Sequence[Account]) -> None:
    facts = {
        "provider": provider.name,
        "name": account.display_name,
        "inbox": f"{of(db).settings.issuer}/p/{provider.id}/inbox",
    }
    for manager in deciding:
        outbox.send(db, manager.id, template, facts)


def waiting_at(db: Db, provider: Provider, lines: Sequence[str]) -> list[Application]:
    """Return the applications an organisation's managers of these lines have to decide, oldest first."""
    if provider.tin_hash is None or not lines:
        return []
    return list(
        db.exec(
            select(Application)
            .where(
                col(Application.tin_hash) == provider.tin_hash,
                col(Application.line).in_(lines),
                col(Application.status) == "submitted",
                col(Application.expires_at) > clock.now(),
            )
            .order_by(col(Application.created_at), col(Application.id))
            .limit(MOST_SHOWN)
        )
    )


def of_practice(db: Db, application_id: str, provider: Provider, lines: Sequence[str]) -> Application:
    """Return an application of this practice and these lines; anything else is NotFound."""
    found = db.get(Application, application_id, populate_existing=True)
    if found is None or provider.tin_hash is None or found.tin_hash != provider.tin_hash or found.line not in lines:
        raise NotFound
    return found


def approve(db: Db, application: Application, provider: Provider, *, by: str, choice: Choice) -> None:
    """Approve the person for the practice as chosen; the account becomes active with its first approval.

    Raises NotEntitled for somebody who does not manage this practice and line now, Conflict for oneself or a
    person whose account has ended, AlreadyDecided, Invalid for an end that has passed.
    """
    _may_decide(db, application, provider, by)
    if choice.ends_at is not None and choice.ends_at <= clock.now():
        raise Invalid(fields={"ends": "Enter a day that has not passed, or leave it empty."})
    account = people.lock(db, application.account_id)
    if account.status not in ("verified", "active"):
        raise Conflict("This person's account has ended or is on hold, so there is nothing to approve.")
    _decide(db, application, provider, "approved", by=by, reason="")
    affiliations.approve(
        db,
        account_id=account.id,
        provider_id=provider.id,
        capacity=choice.capacity,
        by=by,
        # Whoever comes by a third party's login acts within its delegation (T-24, W-6).
        partner_id=application.partner_id if application.route == "third_party" else None,
        ends_at=choice.ends_at,
    )
    if choice.bundle:
        bundles.assign(
            db,
            account_id=account.id,
            provider_id=provider.id,
            line=application.line,
            bundle=choice.bundle,
            by=by,
            reason="applied",
            ends_at=choice.ends_at,
            fitting=True,
        )
    db.flush()
    readiness.activate_when_ready(db, account.id)
    outbox.send(db, account.id, "application_approved", {"provider": provider.name})


def deny(db: Db, application: Application, provider: Provider, *, by: str, reason: str) -> None:
    """Deny an application with a reason the person is told. Raises as `approve` does."""
    _may_decide(db, application, provider, by)
    said = " ".join(reason.split())
    if not said or len(said) > 200:
        raise Invalid(fields={"reason": "Say why, in at most 200 characters. The person reads it."})
    _decide(db, application, provider, "denied", by=by, reason=said)
    facts = {"tin": application.tin_last4, "reason": said}
    outbox.send(db, application.account_id, "application_denied", facts)


def _may_decide(db: Db, application: Application, provider: Provider, by: str) -> None:
    if application.account_id == by:
        raise Conflict("Nobody decides about their own application. Ask another access manager.")
    if provider.tin_hash != application.tin_hash or not appointed.manages(db, by, provider.id, application.line):
        raise NotEntitled("You are not an access manager of this practice and line of business.")


def _decide(db: Db, application: Application, provider: Provider, what: str, *, by: str, reason: str) -> None:
    """Take the decision by one conditional update: the first wins, the second sees the outcome (W-2)."""
    now = clock.now()
    decided = db.execute(
        update(Application)
        .where(
            col(Application.id) == application.id,
            col(Application.status) == "submitted",
            col(Application.expires_at) > now,
        )
        .values(status=what, decided_at=now, decided_by=by, reason=reason)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(decided, CursorResult)
    db.refresh(application)
    event = Event(
        f"registration.application.{what}",
        account=application.account_id,
        provider=provider.id,
        outcome="done" if decided.rowcount == 1 else "refused",
        details={"application": application.id, "by": by, "status": application.status},
    )
    if decided.rowcount != 1:
        raise AlreadyDecided(outcome(db, application), then=(partial(log.record, event=event),))
    log.record(db, event)


def outcome(db: Db, application: Application) -> str:
    """Say in a sentence what became of an application."""
    who = db.get(Account, application.decided_by) if application.decided_by else None
    name = who.display_name if who else "Nobody"
    if application.status in ("approved", "denied"):
        return f"{name} {application.status} this application. What you chose was not done."
    if application.status == "withdrawn":
        return "The person took this application back."
    return "This application expired before anybody decided."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
