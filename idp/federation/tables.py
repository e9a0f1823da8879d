"""Tables of the identity providers we trust."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment, secret_column


class Upstream(Row, table=True):
    """An outside identity provider; belongs to a partner, whose standing is asked at every use."""

    __table_args__ = (CheckConstraint("status IN ('active','disabled')", name="status"),)
    id: str = id_column("ups")
    partner_id: str = Field(foreign_key="partner.id", index=True)
    kind: str = "oidc"
    display_name: str
    issuer: str = Field(unique=True)
    client_id: str
    client_secret: bytes | None = secret_column(nullable=True, default=None)
    auth_method: str = "client_secret_basic"
    scopes: list[Any] = json_column()
    algorithms: list[Any] = json_column()
    """ID token algorithms accepted, pinned here, never taken from metadata."""
    acr_map: dict[str, Any] = json_column()
    """What the partner's acr values prove here: their value -> ours."""
    domains: list[Any] = json_column()
    status: str = "active"
    client_keys: bytes | None = secret_column(nullable=True, default=None)
    """Our own keys towards it for private_key_jwt, newest first; sealed."""
    community_id: str | None = None
    """The trust community it was found in; None for one recorded by hand."""


class PendingLogin(Row, table=True):
    """A browser sent to an upstream: state, nonce and PKCE of one try, usable once."""

    __tablename__ = "pending_login"
    state_hash: bytes = secret_column(primary_key=True)
    upstream_id: str
    flow_id: str | None = None
    browser_hash: bytes = secret_column()
    nonce: str
    verifier: bytes = secret_column()
    purpose: str = "sign_in"
    """`sign_in`, `link` (account_id says to whom) or `reauthenticate`."""
    account_id: str | None = None
    session_id: str | None = None
    max_age: int | None = None
    answer: bytes | None = secret_column(nullable=True, default=None)
    """What a cross-site form post brought, sealed, until the browser comes by itself and brings its cookie."""
    expires_at: datetime = moment(index=True)
    spent_at: datetime | None = moment(nullable=True)


class SamlTrust(Row, table=True):
    """What a SAML upstream's record holds beyond the rest: where its metadata comes from, and how we ask."""

    __tablename__ = "saml_trust"
    __table_args__ = (CheckConstraint("binding IN ('redirect','post')", name="binding"),)
    upstream_id: str = Field(primary_key=True, foreign_key="upstream.id")
    metadata_url: str | None = None
    metadata_text: str | None = None
    """The document itself, where the partner sends a file; one of the two is always there, never both."""
    metadata_certificate: str | None = None
    """Base64; whose signature the document must bear, where the partner's federation signs it."""
    binding: str = "redirect"


class SamlKey(Row, table=True):
    """A key of ours for one SAML upstream: it signs our requests and opens assertions encrypted for us."""

    __tablename__ = "saml_key"
    __table_args__ = (CheckConstraint("state IN ('next','active','retiring')", name="state"),)
    id: str = id_column("smk")
    upstream_id: str = Field(foreign_key="upstream.id", index=True)
    state: str
    certificate: str
    private: bytes = secret_column()
    ends_at: datetime = moment()
    """When the certificate says it is no longer good."""


class SeenLogout(Row, table=True):
    """A logout token's id, once over all workers (OpenID Back-Channel Logout 1.0, 2.6)."""

    __tablename__ = "seen_logout"
    upstream_id: str = Field(primary_key=True)
    jti: str = Field(primary_key=True)
    expires_at: datetime = moment(index=True)


class TrustCommunity(Row, table=True):
    """Organizations that vouch for each other by certificates; run by a partner, whose standing is asked."""

    __table_args__ = (CheckConstraint("status IN ('active','disabled')", name="status"),)
    __tablename__ = "trust_community"
    id: str = id_column("tcm")
    partner_id: str = Field(foreign_key="partner.id", index=True)
    name: str
    anchors: str
    """PEM certificates of its roots; a provider's chain must end in one of them."""
    certificates: str
    """Our own certificate chain in it, leaf first, PEM; public."""
    private_key: bytes = secret_column()
    """The key of our leaf certificate, sealed."""
    acr_map: dict[str, Any] = json_column()
    status: str = "active"
