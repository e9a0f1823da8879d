"""What an appointment as access manager brings: the only source of that authority (decisions.md 2)."""

from idp.entitlements.defaults import FROM_APPOINTMENT
from idp.entitlements.enforcer import Line
from idp.entitlements.standing import Organisation, Person


def lines(person: Person, organisation: Organisation, place: tuple[str, str, str], entitlement: str) -> list[Line]:
    """Return the appointments nobody has ended, when the function is one they bring."""
    if entitlement not in FROM_APPOINTMENT:
        return []
    subject, provider, line = place
    return [
        Line(a.appointment_id, subject, provider, line, entitlement, "allow", a.starts_at, a.ends_at)
        for a in person.appointments
        if not a.revoked
    ]
