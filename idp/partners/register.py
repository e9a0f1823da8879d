"""The partner register: record outside organisations and change their status (P-01)."""

from typing import Any

from sqlmodel import Session

from idp import entropy
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Invalid, NotFound
from idp.partners.standing import is_good
from idp.partners.tables import Partner
from idp.signals import epochs

KINDS = ("affiliate", "third_party", "administrator", "agency")
STATUSES = ("prospect", "due_diligence", "ready", "active", "review_overdue", "suspended", "ended")
_FACTS = ("name", "kind", "contact_name", "contact_phone", "contact_url")


def record(
    db: Session,
    *,
    name: str,
    kind: str = "affiliate",
    status: str = "prospect",
    contact_name: str = "",
    contact_phone: str = "",
    contact_url: str = "",
    partner_id: str | None = None,
) -> Partner:
    """Record an outside organisation; raise Invalid for an unknown kind or status."""
    _check(kind, status)
    partner = Partner(
        id=partner_id or entropy.new_id("ptr"),
        name=name,
        kind=kind,
        status=status,
        contact_name=contact_name,
        contact_phone=contact_phone,
        contact_url=contact_url,
    )
    db.add(partner)
    db.flush()
    epochs.changed_policy(db)
    log.record(db, Event("partners.partner.created", details={"partner": partner.id, "kind": kind, "status": status}))
    return partner


def change(db: Session, partner: Partner, **facts: Any) -> bool:
    """Change a partner's name, kind or contact; return whether anything differed."""
    unknown = set(facts) - set(_FACTS)
    if unknown:
        raise TypeError(f"not facts of a partner: {sorted(unknown)}")
    _check(facts.get("kind", partner.kind), partner.status)
    changed = [name for name, value in facts.items() if getattr(partner, name) != value]
    for name in changed:
        setattr(partner, name, facts[name])
    if changed:
        db.add(partner)
        db.flush()
        epochs.changed_policy(db)
        log.record(db, Event("partners.partner.changed", details={"partner": partner.id, "changed": sorted(changed)}))
    return bool(changed)


def change_status(db: Session, partner: Partner, status: str, *, because: str) -> bool:
    """Move a partner to a status; return whether it differed.

    Losing good standing also ends what was born of the partner's logins: callers that take it away use
    `leaving.partners.suspend`, which does both.
    """
    _check(partner.kind, status)
    if partner.status == status:
        return False
    before, partner.status = partner.status, status
    db.add(partner)
    db.flush()
    epochs.changed_policy(db)
    if is_good(status) and not is_good(before):
        name = "partners.partner.activated"
    elif is_good(before) and not is_good(status):
        name = "partners.partner.suspended"
    else:
        name = "partners.partner.changed"
    log.record(db, Event(name, reason=because, details={"partner": partner.id, "before": before, "after": status}))
    return True


def find(db: Session, partner_id: str) -> Partner:
    """Return a partner; raise NotFound for an unknown id."""
    partner = db.get(Partner, partner_id)
    if partner is None:
        raise NotFound("There is no such partner.")
    return partner


def _check(kind: str, status: str) -> None:
    if kind not in KINDS:
        raise Invalid(fields={"kind": f"Choose one of {', '.join(KINDS)}."})
    if status not in STATUSES:
        raise Invalid(fields={"status": f"Choose one of {', '.join(STATUSES)}."})
