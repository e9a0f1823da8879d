"""Grants an access manager gave to a person directly (T-09), and pauses of any of their access."""

from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.enforcer import Line
from idp.entitlements.standing import Organisation, Person


def lines(person: Person, organisation: Organisation, place: tuple[str, str, str], entitlement: str) -> list[Line]:
    """Return the stored grants for one function nobody has ended; pauses always count.

    The authority of access managers never comes from here (decisions.md 2).
    """
    subject, provider, line = place
    return [
        Line(g.grant_id, subject, provider, line, g.entitlement, g.effect, g.not_before, g.expires_at, g.delegation_id)
        for g in person.grants.get(entitlement, ())
        if not g.revoked and (g.effect == "deny" or (g.delegation_id is None and entitlement not in AUTHORITY))
    ]
