"""Trust communities: recorded by the operator; an upstream found in one belongs to the partner that runs it.

`provider_for` turns an address an app names (`idp=https://...`) into an upstream: one recorded already, or one a
community vouches for. Its people are nobody here until they prove a login or an invitation, as everybody.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy, signatures
from idp.accounts.assurance import ORDER
from idp.audit import log
from idp.audit.events import Event
from idp.database import of, reading, transaction
from idp.errors import Invalid, Refused
from idp.federation import client_keys, upstreams
from idp.federation.certificates import Untrusted, names_of
from idp.federation.flow import Federation, callback_of
from idp.federation.revoked import Lists
from idp.federation.tables import TrustCommunity, Upstream
from idp.federation.udap import ALGORITHMS, Community, Found, discover, enlist
from idp.outbound import OutboundFailed
from idp.partners import standing
from idp.partners.tables import Partner
from idp.signals import epochs
from idp.signatures import BadToken

AT_ONCE = 2
"""Searches for unknown providers a worker makes at once; more are refused, so that they hold no other sign-in up."""
FORGET_AFTER = 60.0
"""Seconds an address that led nowhere is not asked again."""
_REMEMBERED = 256


class NoSuchProvider(Refused):
    """The identity provider the app named cannot be used to sign in (UDAP tiered OAuth: `invalid_idp`)."""

    status = 400
    code = "invalid_idp"
    title = "This organization's login can't be used here"


def register(
    db: Db,
    *,
    partner_id: str,
    name: str,
    anchors: str,
    certificates: str,
    private_key: str,
    acr_map: Mapping[str, str] | None = None,
    community_id: str | None = None,
) -> TrustCommunity:
    """Record a community a partner runs. Certificates and key are PEM; raises Invalid."""
    if db.get(Partner, partner_id) is None:
        raise Invalid(fields={"partner": "There is no such partner."})
    made = TrustCommunity(
        id=community_id or entropy.new_id("tcm"),
        partner_id=partner_id,
        name=name,
        anchors=anchors,
        certificates=certificates,
        private_key=b"",
        acr_map=dict(acr_map or {}),
    )
    _check(made, private_key)
    made.private_key = of(db).ring.seal("upstreams", client_keys.place_of(made), private_key.strip().encode())
    db.add(made)
    db.flush()
    log.record(db, Event("federation.community.registered", details={"community": made.id, "partner": partner_id}))
    epochs.changed_policy(db)
    return made


def change(db: Db, community: TrustCommunity, *, private_key: str | None = None, **values: Any) -> bool:
    """Change a community; return whether anything differed. Disabling it closes every upstream found in it."""
    changed = [name for name, value in values.items() if getattr(community, name) != value]
    private_key = private_key.strip() if private_key is not None else None
    stored = of(db).ring.open("upstreams", client_keys.place_of(community), community.private_key).decode().strip()
    if not changed and private_key in (None, stored):
        return False
    for name in changed:
        setattr(community, name, values[name])
    _check(community, private_key or stored)
    community.private_key = of(db).ring.seal(
        "upstreams", client_keys.place_of(community), (private_key or stored).encode()
    )
    db.add(community)
    db.flush()
    if values.get("status") == "disabled":
        for one in db.exec(select(Upstream).where(col(Upstream.community_id) == community.id)).all():
            upstreams.change(db, one.id, status="disabled")
    log.record(db, Event("federation.community.changed", details={"community": community.id, "changed": changed}))
    epochs.changed_policy(db)
    return True


def _check(community: TrustCommunity, private_key: str) -> None:
    fields = {}
    if not community.name.strip():
        fields["name"] = "Name the community."
    for field in ("anchors", "certificates"):
        try:
            x509.load_pem_x509_certificates(getattr(community, field).encode())
        except ValueError:
            fields[field] = "Give PEM certificates."
    if set(community.acr_map.values()) - set(ORDER):
        fields["acr_map"] = f"Map their values to {', '.join(ORDER)}."
    if community.status not in ("active", "disabled"):
        fields["status"] = "Choose active or disabled."
    if not fields:
        leaf = x509.load_pem_x509_certificates(community.certificates.encode())[0]
        try:
            ours = load_pem_private_key(private_key.encode(), password=None).public_key()
            fits = ours == leaf.public_key() and bool(names_of(leaf)) and signatures.key_from_pem(private_key)
        except (ValueError, TypeError, BadToken):
            fits = False
        if not fits:
            fields["private_key"] = "Give the key of the first certificate, which must name a URI of ours."
    if fields:
        raise Invalid(fields=fields)


def usable(db: Db) -> list[Community]:
    """Return the communities that may be relied on now: active, their partner in good standing."""
    found = db.exec(select(TrustCommunity).where(col(TrustCommunity.status) == "active")).all()
    return [as_seen(db, one) for one in found if standing.in_good_standing(db, one.partner_id)]


def as_seen(db: Db, one: TrustCommunity) -> Community:
    """Return a community with its key opened."""
    return Community(one.id, one.partner_id, one.anchors, one.certificates, client_keys.of_community(db, one))


def recorded(db: Db, named: str) -> Upstream | None:
    """Return the upstream an app names by its id or, in the manner of tiered OAuth, by its address."""
    found = db.get(Upstream, named) if "\x00" not in named else None
    if found is None and named.startswith(("https://", "http://")):
        found = db.exec(select(Upstream).where(col(Upstream.issuer) == named)).one_or_none()
    return found


class Search:
    """What one worker remembers of addresses that led nowhere, and of revocation lists; bounded."""

    def __init__(self) -> None:
        self.lists = Lists()
        self._nowhere: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()
        self._out = 0

    @contextmanager
    def one(self, issuer: str) -> Iterator[None]:
        """Make a search; raise NoSuchProvider at once for an address that just failed, or when many are out."""
        with self._lock:
            failed = self._nowhere.get(issuer)
            if self._out >= AT_ONCE or (failed is not None and time.monotonic() < failed + FORGET_AFTER):
                raise NoSuchProvider
            self._out += 1
        try:
            yield
        except NoSuchProvider:
            with self._lock:
                self._nowhere[issuer] = time.monotonic()
                while len(self._nowhere) > _REMEMBERED:
                    self._nowhere.popitem(last=False)
            raise
        finally:
            with self._lock:
                self._out -= 1


def provider_for(federation: Federation, search: Search, issuer: str) -> str:
    """Return the id of the upstream at an address; find and register it through a community where it is new.

    No transaction is open while anybody is asked. Raises NoSuchProvider, LoginPaused.
    """
    with reading(federation.database) as db:
        known = recorded(db, issuer)
        if known is not None:
            return known.id
        communities = usable(db)
        settings = configuration.current(db)
    if not communities or not federation.outbound.allowed(issuer) or "?" in issuer or len(issuer) > 255:
        raise NoSuchProvider
    upstream_id = entropy.new_id("ups")
    reason = "unknown"
    now = clock.now()
    with search.one(issuer):
        for community in communities:
            try:
                found = discover(
                    federation.outbound, issuer, community, search.lists, now=now, leeway=settings.clocks.leeway
                )
                leaf = x509.load_pem_x509_certificates(community.certificates.encode())[0]
                client_id = enlist(
                    federation.outbound,
                    found,
                    community,
                    callback=callback_of(federation.database, upstream_id),
                    us=names_of(leaf)[0],
                    name=settings.insurer.name,
                    now=now,
                )
            except (Untrusted, OutboundFailed) as problem:
                reason = problem.reason
                continue
            return _keep(federation, community, found, client_id, upstream_id)
        event = Event("federation.community.refused", outcome="refused", reason=reason)
        with transaction(federation.database):
            raise NoSuchProvider(then=(partial(log.record, event=event),))


def _keep(federation: Federation, community: Community, found: Found, client_id: str, upstream_id: str) -> str:
    with transaction(federation.database) as db:
        row = db.get(TrustCommunity, community.id)
        if row is None or row.status != "active" or not standing.in_good_standing(db, row.partner_id):
            raise NoSuchProvider
        upstream = Upstream(
            id=upstream_id,
            partner_id=row.partner_id,
            kind="oidc",
            display_name=found.name,
            issuer=found.issuer,
            client_id=client_id,
            auth_method="private_key_jwt",
            scopes=["openid", "udap"],
            algorithms=list(ALGORITHMS),
            acr_map=row.acr_map,
            domains=[],
            community_id=row.id,
        )
        try:
            with db.begin_nested():
                db.add(upstream)
                db.flush()
        except IntegrityError:  # another worker was first; its registration counts
            known = recorded(db, found.issuer)
            assert known is not None
            return known.id
        details = {"upstream": upstream.id, "partner": row.partner_id, "issuer": found.issuer, "community": row.id}
        log.record(db, Event("federation.upstream.registered", details=details))
        epochs.changed_policy(db)
    return upstream_id
