"""Provider organisations and the insurer's gate: who they are, which portals are open to them (T-07, T-30)."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from idp import clock, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound
from idp.providers import identifiers
from idp.providers.tables import LINES, Agreement, Participation, PortalAccess, Provider
from idp.signals import epochs, revocations

KINDS = ("practice", "facility", "insurer")
STATUSES = ("active", "suspended", "ended")
ARRANGEMENTS = ("fee_for_service", "discounted_fee_for_service", "capitation", "salary")
_FACTS = ("name", "status", "payment_arrangement", "help_name", "help_contact", "channels")
CHANNELS = ("site", "mobile", "third_party_site")

_SOON = timedelta(seconds=60)
"""An end this near is told with the change: what tells of dates may look between its moment and this commit."""


def register(
    db: Session,
    *,
    name: str,
    kind: str = "practice",
    tin: str | None = None,
    status: str = "active",
    payment_arrangement: str = "fee_for_service",
    help_name: str | None = None,
    help_contact: str | None = None,
    channels: list[str] | None = None,
    provider_id: str | None = None,
) -> Provider:
    """Record an organisation; its TIN is sealed, found by keyed hash, shown by its last four.

    Raises Invalid for a TIN that is not nine digits, Conflict when an organisation has it already.
    """
    _check(kind=kind, status=status, payment_arrangement=payment_arrangement)
    _check_channels(channels)
    made = Provider(
        id=provider_id or entropy.new_id("prv"),
        kind=kind,
        name=name,
        status=status,
        payment_arrangement=payment_arrangement,
        help_name=help_name,
        help_contact=help_contact,
        channels=sorted(channels) if channels is not None else None,
    )
    if tin is not None:
        if not identifiers.tin_is_valid(tin):
            raise Invalid(fields={"tin": "Enter a nine-digit TIN, such as 12-3456789."})
        number, ring = identifiers.normalise(tin), of(db).ring
        made.tin_hash = ring.keyed_hash("tin-hash", number)
        made.tin_encrypted = ring.seal("tin", f"provider.tin_encrypted:{made.id}", number.encode())
        made.tin_last4 = number[-4:]
    try:
        with db.begin_nested():
            db.add(made)
    except IntegrityError:
        raise Conflict("An organization with this TIN or id is already recorded.") from None
    epochs.changed_policy(db)
    log.record(db, Event("providers.provider.created", provider=made.id, details={"kind": kind, "status": status}))
    return made


def change(db: Session, provider: Provider, **facts: Any) -> bool:
    """Change an organisation's name, status, payment arrangement or helper; return whether anything differed."""
    unknown = set(facts) - set(_FACTS)
    if unknown:
        raise TypeError(f"not facts of an organisation: {sorted(unknown)}")
    _check(**{name: facts[name] for name in ("status", "payment_arrangement") if name in facts})
    _check_channels(facts.get("channels"))
    changed = [name for name, value in facts.items() if getattr(provider, name) != value]
    if not changed:
        return False
    closes = "status" in changed and provider.status == "active"
    narrows = "channels" in changed and not set(provider.channels or CHANNELS) <= set(facts["channels"] or CHANNELS)
    for name in changed:
        setattr(provider, name, facts[name])
    db.add(provider)
    db.flush()
    epochs.changed_policy(db)
    if closes:
        revocations.announce(db, "provider_suspended", reason=provider.status, provider_id=provider.id)
    if narrows:
        revocations.announce(db, "portal_closed", reason="channel_not_enabled", provider_id=provider.id)
    log.record(db, Event("providers.provider.changed", provider=provider.id, details={"changed": sorted(changed)}))
    return True


def open_portal(
    db: Session,
    provider_id: str,
    line: str,
    *,
    by: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    basis: str = "contract",
    reference: str = "",
) -> PortalAccess:
    """Open a line of business of the portals to an organisation: gate 1."""
    access = PortalAccess(
        provider_id=provider_id, opened_by=by, basis=basis, reference=reference, **_span(line, starts_at, ends_at)
    )
    db.add(access)
    _changed(db, "providers.portal.opened", provider_id, {"line": line, "by": by, "id": access.id})
    return access


def close_portal(db: Session, provider_id: str, line: str, *, by: str, because: str) -> int:
    """Close a line of the portals to an organisation; return how many openings ended. Holds at the next decision."""
    result = db.execute(
        update(PortalAccess)
        .where(
            col(PortalAccess.provider_id) == provider_id,
            col(PortalAccess.line) == line,
            col(PortalAccess.ended_at).is_(None),
        )
        .values(ended_at=clock.now())
    )
    assert isinstance(result, CursorResult)
    if result.rowcount:
        revocations.announce(db, "portal_closed", reason=because, provider_id=provider_id)
        _changed(db, "providers.portal.closed", provider_id, {"line": line, "by": by}, because)
    return result.rowcount


def participate(
    db: Session,
    provider_id: str,
    line: str,
    *,
    network: str = "insurer",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Participation:
    """Record network participation of an organisation in a line (T-11)."""
    row = Participation(provider_id=provider_id, network=network, **_span(line, starts_at, ends_at))
    db.add(row)
    _changed(db, "providers.provider.changed", provider_id, {"line": line, "participation": row.id})
    return row


def agree(
    db: Session,
    provider_id: str,
    line: str,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    basis: str = "contract",
) -> Agreement:
    """Record the agreement between insurer and organisation for a line (T-30)."""
    row = Agreement(provider_id=provider_id, basis=basis, **_span(line, starts_at, ends_at))
    db.add(row)
    _changed(db, "providers.provider.changed", provider_id, {"line": line, "agreement": row.id})
    return row


def set_end(db: Session, row: PortalAccess | Participation | Agreement, ends_at: datetime | None) -> bool:
    """Move the end date of an opening, participation or agreement; return whether it differed."""
    if row.ends_at == ends_at:
        return False
    if ends_at is not None and ends_at <= row.starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})
    row.ends_at = ends_at
    db.add(row)
    if ends_at is not None and ends_at <= clock.now() + _SOON:
        revocations.announce(db, "agreement_ended", reason="ended", provider_id=row.provider_id)
    _changed(db, "providers.provider.changed", row.provider_id, {"line": row.line, "id": row.id})
    return True


def has_line(db: Session, provider_id: str, line: str, at: datetime) -> bool:
    """Say whether the portals are open to an organisation for a line at a moment."""
    return (
        db.exec(
            select(PortalAccess.id).where(
                col(PortalAccess.provider_id) == provider_id,
                col(PortalAccess.line) == line,
                col(PortalAccess.starts_at) <= at,
                or_(col(PortalAccess.ends_at).is_(None), col(PortalAccess.ends_at) > at),
                or_(col(PortalAccess.ended_at).is_(None), col(PortalAccess.ended_at) > at),
            )
        ).first()
        is not None
    )


def find(db: Session, provider_id: str) -> Provider:
    """Return an organisation; raise NotFound for an unknown id."""
    provider = db.get(Provider, provider_id)
    if provider is None:
        raise NotFound("There is no such organization.")
    return provider


def by_tin(db: Session, tin: str) -> Provider | None:
    """Return the organisation of a TIN, found by its keyed hash, or None."""
    hashed = of(db).ring.keyed_hash("tin-hash", identifiers.normalise(tin))
    return db.exec(select(Provider).where(col(Provider.tin_hash) == hashed)).one_or_none()


def _check(**facts: str) -> None:
    allowed = {"kind": KINDS, "status": STATUSES, "payment_arrangement": ARRANGEMENTS}
    for name, value in facts.items():
        if value not in allowed[name]:
            raise Invalid(fields={name: f"Choose one of {', '.join(allowed[name])}."})


def _check_channels(channels: list[str] | None) -> None:
    if channels is not None and not set(channels) <= set(CHANNELS):
        raise Invalid(fields={"channels": f"Choose among {', '.join(CHANNELS)}."})


def _span(line: str, starts_at: datetime | None, ends_at: datetime | None) -> dict[str, Any]:
    if line not in LINES:
        raise Invalid(fields={"line": f"Choose one of {', '.join(LINES)}."})
    starts_at = starts_at or clock.now()
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(fields={"ends_at": "The end must be after the start."})
    return {"line": line, "starts_at": starts_at, "ends_at": ends_at}


def _changed(db: Session, event: str, provider_id: str, details: dict[str, object], reason: str | None = None) -> None:
    db.flush()
    epochs.changed_policy(db)
    log.record(db, Event(event, provider=provider_id, reason=reason, details=details))
