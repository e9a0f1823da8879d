"""A person's yearly word on why they may act (T-14)."""

from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts.tables import Attestation
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Invalid
from idp.signals import epochs

CAPACITIES = {
    "licensed_provider": "I am a licensed provider",
    "authorised_agent": "I act for a licensed provider or practice",
}


def in_date(db: Db, account_id: str, at: datetime | None = None) -> bool:
    """Say whether an attestation holds at a moment (half-open: the last moment is out)."""
    return latest(db, account_id, at) is not None


def renewable(db: Db, account_id: str) -> bool:
    """Say whether it is time to attest (again): none in date, or the first reminder's day has come."""
    held = latest(db, account_id)
    if held is None:
        return True
    reminders = configuration.current(db).clocks.attestation_reminders
    return bool(reminders) and clock.now() >= held.expires_at - max(reminders)


def latest(db: Db, account_id: str, at: datetime | None = None) -> Attestation | None:
    """Return the attestation that holds longest at a moment."""
    moment = at or clock.now()
    return db.exec(
        select(Attestation)
        .where(
            col(Attestation.account_id) == account_id,
            col(Attestation.attested_at) <= moment,
            col(Attestation.expires_at) > moment,
        )
        .order_by(col(Attestation.expires_at).desc())
        .limit(1)
    ).first()


def problems(capacity: str, principal: str) -> dict[str, str]:
    """Return what is wrong with the two answers, as field -> sentence."""
    fields = {}
    if capacity not in CAPACITIES:
        fields["capacity"] = "Choose why you may act."
    named = " ".join(principal.split())
    if not named or len(named) > 200 or not named.isprintable():
        fields["principal"] = "Name the provider or practice you act for."
    return fields


def attest(db: Db, account_id: str, *, capacity: str, principal: str) -> Attestation:
    """Record a person's attestation, good for a year. Raises Invalid."""
    fields = problems(capacity, principal)
    if fields:
        raise Invalid(fields=fields)
    named = " ".join(principal.split())
    now = clock.now()
    years = configuration.current(db).clocks.attestation_years
    made = Attestation(
        account_id=account_id,
        capacity=capacity,
        principal=named,
        attested_at=now,
        expires_at=years_later(now, years),
    )
    db.add(made)
    db.flush()
    log.record(
        db,
        Event(
            "accounts.attestation.made",
            account=account_id,
            details={"attestation": made.id, "capacity": capacity, "expires_at": clock.iso(made.expires_at)},
            personal={"principal": named},
        ),
    )
    epochs.changed_account(db, account_id)
    return made


def years_later(moment: datetime, years: int) -> datetime:
    """Return the same calendar date some years on; 29 February becomes 1 March (decisions.md 12)."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, month=3, day=1)
