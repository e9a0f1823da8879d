"""The identity providers we trust: recorded, changed, and asked about at every use."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import sessions
from idp.accounts.tables import Login, Session
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.envelope import KeyRing
from idp.errors import Conflict, Invalid, NotFound, Refused
from idp.federation import certificates, client_keys, saml_trust
from idp.federation.checked import check
from idp.federation.contract import TrustedUpstream
from idp.federation.tables import TrustCommunity, Upstream
from idp.partners import standing
from idp.partners.tables import Partner
from idp.provisioning import people as provisioned
from idp.signals import epochs
from idp.signatures import Key


class LoginPaused(Refused):
    """The organization's logins are paused, or its record is not in good standing (invariant 11)."""

    status = 403
    code = "partner_not_in_good_standing"
    title = "Your organization's login is paused"


def register(
    db: Db,
    *,
    partner_id: str,
    display_name: str,
    issuer: str,
    client_id: str = "",
    client_secret: str | None = None,
    kind: str = "oidc",
    auth_method: str = "client_secret_basic",
    scopes: Sequence[str] = ("openid", "profile", "email"),
    algorithms: Sequence[str] = ("ES256", "RS256"),
    acr_map: Mapping[str, str] | None = None,
    domains: Sequence[str] = (),
    status: str = "active",
    upstream_id: str | None = None,
    saml: Mapping[str, Any] | None = None,
) -> Upstream:
    """Record an upstream of a partner. Raises Invalid with field names, Conflict for an issuer known already.

    `saml`: metadata and binding of an upstream of that kind (`saml_trust.FIELDS`).
    """
    if db.get(Partner, partner_id) is None:
        raise Invalid(fields={"partner": "There is no such partner."})
    upstream = Upstream(partner_id=partner_id, display_name="", issuer=issuer, client_id="", kind=kind)
    if upstream_id is not None:
        upstream.id = upstream_id
    values: dict[str, Any] = {
        "display_name": display_name,
        "client_id": client_id,
        "auth_method": auth_method,
        "scopes": list(scopes),
        "algorithms": list(algorithms),
        "acr_map": dict(acr_map or {}),
        "domains": [d.strip().lower() for d in domains],
        "status": status,
    }
    if kind == "saml" and not client_id:
        values["client_id"] = saml_trust.entity_id(of(db).settings.issuer, upstream.id)
    _put(db, upstream, {"issuer": issuer, **values}, client_secret)
    try:
        with db.begin_nested():
            db.add(upstream)
            db.flush()
    except IntegrityError:
        raise Conflict("An upstream with this issuer is recorded already.") from None
    if kind == "saml":
        saml_trust.put(db, upstream, saml or {})
    details = {"upstream": upstream.id, "partner": partner_id, "issuer": issuer, "algorithms": values["algorithms"]}
    log.record(db, Event("federation.upstream.registered", details=details))
    epochs.changed_policy(db)
    _ensure_key(db, upstream)
    return upstream


def change(
    db: Db,
    upstream_id: str,
    *,
    client_secret: str | None = None,
    saml: Mapping[str, Any] | None = None,
    **values: Any,
) -> bool:
    """Change an upstream; return whether anything changed.

    The secret is write-only and is cleared when the issuer it belongs to changes (security.md 60). Disabling it
    ends the sessions its logins opened.
    """
    upstream = find(db, upstream_id)
    if "domains" in values:
        values["domains"] = [d.strip().lower() for d in values["domains"]]
    before = {name: getattr(upstream, name) for name in values}
    changed = {name: value for name, value in values.items() if before[name] != value}
    same_secret = client_secret is None or _secret(db, upstream) == client_secret
    of_saml = saml_trust.of_upstream(db, upstream_id)
    same_saml = upstream.kind != "saml" or saml is None or of_saml == {**of_saml, **saml}
    if not changed and same_secret and same_saml:
        return False
    if "issuer" in changed:
        upstream.client_secret = upstream.client_keys = None
    _put(db, upstream, changed, client_secret)
    db.add(upstream)
    db.flush()
    names = sorted(changed)
    if upstream.kind == "saml" and (not same_saml or "issuer" in changed):
        names += saml_trust.put(db, upstream, saml or {})
    if changed.get("status") == "disabled":
        _end_sessions(db, upstream.id)
    _ensure_key(db, upstream)
    details = {"upstream": upstream.id, "changed": names, "secret": not same_secret}
    log.record(db, Event("federation.upstream.changed", details=details))
    epochs.changed_policy(db)
    return True


def _ensure_key(db: Db, upstream: Upstream) -> None:
    if upstream.auth_method == "private_key_jwt" and upstream.client_keys is None and upstream.community_id is None:
        client_keys.rotate(db, upstream)


def _end_sessions(db: Db, upstream_id: str) -> None:
    born = db.exec(
        select(Session)
        .join(Login, col(Login.id) == col(Session.login_id))
        .where(col(Login.upstream_id) == upstream_id, col(Session.ended_at).is_(None))
    ).all()
    for session in born:
        sessions.end(db, session, because="upstream_disabled")


def _put(db: Db, upstream: Upstream, values: dict[str, Any], secret: str | None) -> None:
    for name, value in values.items():
        setattr(upstream, name, value)
    check(db, upstream, has_secret=secret is not None or upstream.client_secret is not None)
    if secret is not None:
        upstream.client_secret = of(db).ring.seal("upstreams", _place(upstream.id), secret.encode())


def find(db: Db, upstream_id: str) -> Upstream:
    """Return an upstream or raise NotFound."""
    upstream = db.get(Upstream, upstream_id)
    if upstream is None:
        raise NotFound
    return upstream


def trusted(db: Db, upstream_id: str, *, subject: str | None = None) -> TrustedUpstream:
    """Return an upstream that may be used now; raise LoginPaused where it or its partner may not.

    Asked at every use: begin, finish, session (security.md 35). With a subject, the person's organization must
    not have turned that login off; raises provisioning.people.Deactivated.
    """
    upstream = find(db, upstream_id)
    partner = db.get(Partner, upstream.partner_id, populate_existing=True)
    if not in_use(upstream.status, partner.status if partner else None):
        contact = " or ".join(part for part in (partner.contact_name, partner.contact_phone) if part) if partner else ""
        ask = f"Ask {contact}." if contact else "Ask your organization."
        event = Event(
            "accounts.login.refused",
            outcome="refused",
            reason="partner_not_in_good_standing",
            details={"upstream": upstream.id, "partner": upstream.partner_id},
        )
        raise LoginPaused(
            f"{upstream.display_name} logins are paused. {ask} If you have another login, use that one.",
            then=(partial(log.record, event=event),),
            page="login/paused.html",
            context={"organization": upstream.display_name},
        )
    if subject is not None:
        provisioned.require_active(db, upstream.partner_id, subject, organization=upstream.display_name)
    return plain(db, upstream)


def in_use(status: str, partner_status: str | None) -> bool:
    """Say whether an upstream may be used, from its own status and its partner's (invariant 11)."""
    return status == "active" and standing.is_good(partner_status)


def plain(db: Db, upstream: Upstream) -> TrustedUpstream:
    """Return an upstream as a connector sees it; its standing is not asked here."""
    community = db.get(TrustCommunity, upstream.community_id) if upstream.community_id else None
    return TrustedUpstream(
        id=upstream.id,
        partner_id=upstream.partner_id,
        kind=upstream.kind,
        display_name=upstream.display_name,
        issuer=upstream.issuer,
        client_id=upstream.client_id,
        client_secret=_secret(db, upstream),
        auth_method=upstream.auth_method,
        scopes=tuple(upstream.scopes),
        algorithms=tuple(upstream.algorithms),
        acr_map=upstream.acr_map,
        details=saml_trust.details(db, upstream.id) if upstream.kind == "saml" else {},
        client_key=_key(db, upstream, community),
        certificates=certificates.encoded(community.certificates) if community else (),
    )


COLUMNS = (
    "id", "partner_id", "kind", "display_name", "issuer", "client_id", "client_secret", "auth_method", "scopes",
    "algorithms", "acr_map", "community_id", "status",
)  # fmt: skip
"""Order of the values `in_lane` takes, before the partner's status."""


def in_lane(ring: KeyRing, row: Sequence[Any]) -> TrustedUpstream | None:
    """Return an upstream in use whose record alone says all that its connector has to know, from the lane's statement.

    None for every other, whatever the reason: the pages' lane knows it.
    """
    (
        upstream_id, partner_id, kind, name, issuer, client_id, secret, auth_method, scopes, algorithms, acr_map,
        community_id, status, partner_status,
    ) = row  # fmt: skip
    if upstream_id is None or not in_use(status, partner_status):
        return None
    if kind != "oidc" or community_id is not None or auth_method == "private_key_jwt":
        return None  # these have keys, certificates or metadata in tables of their own
    return TrustedUpstream(
        id=upstream_id,
        partner_id=partner_id,
        kind=kind,
        display_name=name,
        issuer=issuer,
        client_id=client_id,
        client_secret=None if secret is None else opened_secret(ring, upstream_id, bytes(secret)),
        auth_method=auth_method,
        scopes=tuple(orjson.loads(scopes)),
        algorithms=tuple(orjson.loads(algorithms)),
        acr_map=orjson.loads(acr_map),
    )


def _key(db: Db, upstream: Upstream, community: TrustCommunity | None) -> Key | None:
    if upstream.auth_method != "private_key_jwt":
        return None
    return client_keys.of_community(db, community) if community else client_keys.signing(db, upstream)


def names(db: Db) -> dict[str, str]:
    """Return every upstream's name by its id, for lists of logins."""
    return {u.id: u.display_name for u in db.exec(select(Upstream)).all()}


def _place(upstream_id: str) -> str:
    return f"upstream.client_secret:{upstream_id}"


def _secret(db: Db, upstream: Upstream) -> str | None:
    if upstream.client_secret is None:
        return None
    return opened_secret(of(db).ring, upstream.id, upstream.client_secret)


def opened_secret(ring: KeyRing, upstream_id: str, sealed: bytes) -> str:
    """Open the secret we have at an upstream."""
    return ring.open("upstreams", _place(upstream_id), sealed).decode()
