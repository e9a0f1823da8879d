"""Grants that name a delegation: they live and die with it (W-6)."""

from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.enforcer import Line
from idp.entitlements.standing import Organisation, Person


def lines(person: Person, organisation: Organisation, place: tuple[str, str, str], entitlement: str) -> list[Line]:
    """Return the grants for one function whose delegation is in force."""
    subject, provider, line = place
    found = []
    for g in person.grants.get(entitlement, ()):
        if g.effect != "allow" or g.revoked or g.delegation_id is None:
            continue
        delegation = organisation.delegations.get(g.delegation_id)
        if delegation is not None and delegation.in_force and entitlement not in AUTHORITY:
            found.append(
                Line(
                    g.grant_id,
                    subject,
                    provider,
                    line,
                    g.entitlement,
                    g.effect,
                    g.not_before,
                    g.expires_at,
                    g.delegation_id,
                )
            )
    return found
