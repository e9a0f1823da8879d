"""May a token still be used? One statement reads everything a token rests on; one function judges it.

Introspection, userinfo, our own APIs, the refresh and the code exchange all ask here, so a suspended
account or an ended session holds everywhere at once (decisions.md 3, security.md 44).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp import clock
from idp.accounts.assurance import idle_limit
from idp.database.lane import Sql
from idp.oauth.client_facts import IN_GOOD_STANDING, ClientFacts
from idp.oauth.memory import KINDS, Picture
from idp.providers.tables import LINES

_LINE_BITS = {line: 1 << place for place, line in enumerate(LINES)}


def _lines(table: str, also: str = "") -> str:
    """Select the lines of business of a provider's rows that have begun, as bits."""
    bits = " ".join(f"WHEN '{line}' THEN {bit}" for line, bit in _LINE_BITS.items())
    return (
        f"(SELECT sum(DISTINCT CASE x.line {bits} END) FROM {table} x "  # noqa: S608 - our own names
        f"WHERE x.provider_id = pr.id AND x.starts_at <= CAST($3 AS BIGINT){also})"
    )


_IN_FORCE = " AND (x.ends_at IS NULL OR x.ends_at > CAST($3 AS BIGINT))"
_NOT_CLOSED = _IN_FORCE + " AND (x.ended_at IS NULL OR x.ended_at > CAST($3 AS BIGINT))"
_COLUMNS = f"""e.epoch, a.id, a.status, COALESCE(v.authz_epoch, 1), COALESCE(v.version, 0),
  s.account_id, s.ended_at, s.expires_at, s.last_seen_at, s.channel, s.acr, s.amr, s.auth_time,
  s.partner_id, p.status, COALESCE(l.ended_at, l.held_at), l.upstream_id, u.status,
  f.id, f.client_id, f.ended_at, f.end_reason,
  pr.id, pr.name, pr.kind, pr.status, pr.channels, af.id, af.starts_at, af.ends_at, af.partner_id, ap.status,
  (SELECT count(DISTINCT d.kind) FROM terms_acceptance ta JOIN terms_document d ON d.id = ta.document_id
    WHERE ta.account_id = a.id
    AND d.effective_at >= CASE d.kind WHEN 'general' THEN CAST($1 AS BIGINT) ELSE CAST($2 AS BIGINT) END),
  (SELECT max(at.expires_at) FROM attestation at WHERE at.account_id = a.id),
  {_lines("portal_access")}, {_lines("portal_access", _NOT_CLOSED)},
  {_lines("agreement")}, {_lines("agreement", _IN_FORCE)}"""  # noqa: S608 - our own texts
_WIDTH = 38
_JOINS = """
  LEFT JOIN account_version v ON v.account_id = a.id
  LEFT JOIN login l ON l.id = s.login_id
  LEFT JOIN upstream u ON u.id = l.upstream_id
  LEFT JOIN partner p ON p.id = s.partner_id
  LEFT JOIN affiliation af ON af.account_id = a.id AND af.provider_id = pr.id AND af.ended_at IS NULL
  LEFT JOIN partner ap ON ap.id = af.partner_id"""
PERSON = """, a.display_name, a.given_name, a.family_name, a.locale,
  (SELECT min(ct.email) FROM contact ct WHERE ct.account_id = a.id AND ct.verified_at IS NOT NULL),
  (SELECT min(ct.email) FROM contact ct WHERE ct.account_id = a.id), f.claims"""
"""Columns of the person, for userinfo and ID tokens; see person.py."""


def statement(
    *, account: str, session: str, family: str, provider: str, start: str = "", more: str = "", order: str = ""
) -> Sql:
    """Write the one statement from where a request starts: a token's claims, a refresh token or a code.

    $1 to $3 are what `moments` returns; the start's parameters follow. `order` ends it, where there may be many rows.
    """
    return Sql(
        f"SELECT {_COLUMNS}{more} FROM policy_epoch e {start} "  # noqa: S608 - our own texts
        f"LEFT JOIN account a ON a.id = {account} "
        f"LEFT JOIN session s ON s.id = {session} "
        f"LEFT JOIN token_family f ON f.id = {family} "
        f"LEFT JOIN provider pr ON pr.id = {provider} {_JOINS} WHERE e.id = 1 {order}"
    )


_REVOKED = ", (SELECT 1 FROM revoked_token rt WHERE rt.jti = $8)"
_NEXT = """, (SELECT min(x.t) FROM (
    SELECT starts_at AS t FROM portal_access WHERE provider_id = pr.id
    UNION ALL SELECT ends_at FROM portal_access WHERE provider_id = pr.id
    UNION ALL SELECT ended_at FROM portal_access WHERE provider_id = pr.id
    UNION ALL SELECT starts_at FROM agreement WHERE provider_id = pr.id
    UNION ALL SELECT ends_at FROM agreement WHERE provider_id = pr.id) x WHERE x.t > CAST($3 AS BIGINT))"""
"""The next date on which the lines change by themselves."""
_CLAIMED = {"account": "$4", "session": "$5", "family": "$6", "provider": "$7"}
TOKEN = statement(**_CLAIMED, more=_REVOKED + _NEXT)
"""$4 account, $5 session, $6 family, $7 provider, $8 jti; adds whether it was revoked and until when this holds."""
TOKEN_AND_PERSON = statement(**_CLAIMED, more=_REVOKED + _NEXT + PERSON)
SERVICE = Sql("SELECT e.epoch, (SELECT 1 FROM revoked_token rt WHERE rt.jti = $1) FROM policy_epoch e WHERE e.id = 1")
"""For a token without a person: $1 jti."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the statement read."""

    epoch: int
    account_id: str | None
    account_status: str | None
    authz_epoch: int
    version: int
    session_account: str | None
    session_ended: int | None
    session_expires: int
    session_seen: int
    session_channel: str | None
    acr: str | None
    amr: Any
    auth_time: int
    partner_id: str | None
    partner_status: str | None
    login_shut: int | None
    """When the login was removed, or has been held since."""
    upstream_id: str | None
    upstream_status: str | None
    family_id: str | None
    family_client: str | None
    family_ended: int | None
    family_end_reason: str | None
    provider_id: str | None
    provider_name: str | None
    provider_kind: str | None
    provider_status: str | None
    provider_channels: str | None
    affiliation_id: str | None
    affiliation_starts: int
    affiliation_ends: int | None
    affiliation_partner: str | None
    affiliation_partner_status: str | None
    terms_accepted: int
    attested_until: int | None
    opened: int | None
    """Lines the insurer ever opened to the practice, as bits."""
    open: int | None
    agreed: int | None
    agreement: int | None


def standing(row: Sequence[Any]) -> Standing:
    """Name the columns of a row."""
    return Standing(*tuple(row)[:_WIDTH])


def added(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return the columns a statement added."""
    return tuple(row)[_WIDTH:]


def moments(picture: Picture, now: datetime) -> tuple[int, int, int]:
    """Return $1 to $3: from when the general and the site terms in force hold, and now."""
    current = picture.terms_at(now)
    general, site = (current.get(kind, (0, ""))[0] for kind in KINDS)
    return general, site, clock.micros(now)


def terms_claim(picture: Picture, now: datetime) -> str:
    """Return the `terms` claim: the versions in force that the person has accepted, general then site."""
    current = picture.terms_at(now)
    return " ".join(f"{kind}:{current[kind][1]}" for kind in KINDS if kind in current)


def refusal(
    found: Standing,
    client: ClientFacts | None,
    picture: Picture,
    now: datetime,
    *,
    for_provider: str | None,
) -> str | None:
    """Return the first reason why nothing may rest on this person, session and practice; None when all is well.

    Reasons are the decision's (domain.md 4, gates 1 to 7) and those of sessions and families.
    """
    at = clock.micros(now)
    if client is None or client.status != "active":
        return "client_not_allowed"
    if not client.partner_in_good_standing:
        return "partner_not_in_good_standing"
    if client.channel not in picture.configuration.channels:
        return "channel_not_enabled"
    if found.account_id is None or found.account_status not in ("active", "ceased"):
        return "account_inactive"
    if found.session_account != found.account_id or found.session_ended is not None:
        return "session_ended"
    idle = idle_limit(picture.configuration.clocks, found.acr) // _MICROSECOND
    if at >= found.session_expires or at >= found.session_seen + idle:
        return "session_expired"
    if found.family_ended is not None:
        return found.family_end_reason or "family_ended"
    if found.login_shut is not None:
        return "login_removed"
    if found.partner_id is not None and found.partner_status not in IN_GOOD_STANDING:
        return "partner_not_in_good_standing"
    if found.upstream_id is not None and found.upstream_status != "active":
        return "upstream_disabled"
    if found.terms_accepted < len(picture.terms_at(now)):
        return "terms_required"
    if found.account_status == "ceased":
        return "eligibility_ceased"
    if for_provider is None:
        return None
    if found.attested_until is None or at >= found.attested_until:
        return "eligibility_ceased"
    if found.provider_id is None:
        return "provider_not_granted"
    if found.provider_status != "active":
        return "organisation_not_granted"
    if _closed(found, client):
        return "organisation_not_granted"
    if found.provider_channels is not None and f'"{client.channel}"' not in found.provider_channels:
        return "channel_not_enabled"
    if found.affiliation_id is None or (found.affiliation_ends is not None and at >= found.affiliation_ends):
        return "affiliation_ended"
    if at < found.affiliation_starts:
        return "provider_not_granted"
    if found.affiliation_partner is not None and found.affiliation_partner_status not in IN_GOOD_STANDING:
        return "partner_not_in_good_standing"
    return None


def _closed(found: Standing, client: ClientFacts) -> bool:
    """Say whether the practice lost what the insurer had opened to it, in every line the client is for (gate 6).

    A practice to which nothing was ever opened may sign in and read why it can do nothing: the decision tells.
    """
    ours = sum(_LINE_BITS[line] for line in client.lines)
    still = (found.open or 0) & ours
    if (found.opened or 0) & ours and not still:
        return True
    if found.provider_kind == "insurer":
        return False
    return bool((found.agreed or 0) & ours) and not still & (found.agreement or 0)


_MICROSECOND = clock.from_micros(1) - clock.EPOCH
