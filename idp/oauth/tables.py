"""Tables of the authorization server (decisions.md 2). Codes and refresh tokens are kept as SHA-256."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.types import Row, json_column, moment, secret_column

_ACTIVE, _NEXT = text("state = 'active'"), text("state = 'next'")


class Client(Row, table=True):
    """A downstream app (relying party) or service."""

    __table_args__ = (
        CheckConstraint("client_class IN ('own','affiliate','third_party')", name="class"),
        CheckConstraint("channel IN ('site','mobile','third_party_site')", name="channel"),
        CheckConstraint(
            "auth_method IN ('none','client_secret_basic','client_secret_post','private_key_jwt')", name="auth_method"
        ),
        CheckConstraint("pkce IN ('required','optional')", name="pkce"),
        CheckConstraint("status IN ('active','suspended','ended')", name="status"),
    )
    client_id: str = Field(primary_key=True)
    name: str
    client_class: str = "own"
    partner_id: str | None = None
    channel: str = "site"
    status: str = "active"
    auth_method: str = "client_secret_basic"
    secret_hashes: list[Any] = json_column()
    """SHA-256 hex of each secret in force (two during a rotation)."""
    jwks: dict[str, Any] | None = json_column(nullable=True, default=None)
    redirect_uris: list[Any] = json_column()
    post_logout_redirect_uris: list[Any] = json_column()
    backchannel_logout_uri: str | None = None
    signals: list[Any] = json_column()
    """Short names of the security events it may have a stream of (`transmitter.events`); none unless said."""
    grant_types: list[Any] = json_column()
    scopes: list[Any] = json_column()
    audiences: list[Any] = json_column()
    entitlements: list[Any] | None = json_column(nullable=True, default=None)
    """Catalogue keys it may ask about; null means all."""
    lines: list[Any] = json_column()
    default_line: str = "medical"
    acts_for_provider: bool = True
    first_party: bool = True
    continue_page: bool = False
    id_token_alg: str = "ES256"
    pkce: str = "required"
    require_par: bool = False
    """Whether its authorization requests must be pushed first (RFC 9126)."""
    token_status_list: bool = False
    """Whether its access tokens have a place in a public status list."""
    help_url: str | None = None


class ResourceServer(Row, table=True):
    """An audience: an API named by a URI."""

    __tablename__ = "resource_server"
    identifier: str = Field(primary_key=True)
    name: str = ""
    client_id: str | None = None
    access_token_alg: str = "ES256"
    scopes: list[Any] = json_column()


class AuthorizationCode(Row, table=True):
    """Lives 60 seconds, is spent once by one conditional update (security.md 43)."""

    __tablename__ = "authorization_code"
    code_hash: bytes = secret_column(primary_key=True)
    client_id: str
    redirect_uri: str
    redirect_uri_given: bool = True
    challenge: str | None = None
    scope: str = ""
    nonce: str | None = None
    resource: str | None = None
    claims: dict[str, Any] | None = json_column(nullable=True, default=None)
    account_id: str
    session_id: str
    provider_id: str | None = None
    line: str | None = None
    acr: str = ""
    auth_time: datetime = moment()
    expires_at: datetime = moment(index=True)
    spent_at: datetime | None = moment(nullable=True)
    family_id: str | None = None


class PushedRequest(Row, table=True):
    """An authorization request sent ahead by the app itself (RFC 9126); good once."""

    __tablename__ = "pushed_request"
    request_hash: bytes = secret_column(primary_key=True)
    client_id: str
    body: str
    """The parameters as a query string, without the client's proof of itself."""
    expires_at: datetime = moment(index=True)
    spent_at: datetime | None = moment(nullable=True)


class RefreshToken(Row, table=True):
    """One link of a family's chain; spent by one conditional update, reuse ends the family."""

    __tablename__ = "refresh_token"
    token_hash: bytes = secret_column(primary_key=True)
    family_id: str = Field(index=True)
    client_id: str
    expires_at: datetime = moment(index=True)
    spent_at: datetime | None = moment(nullable=True)


class RevokedToken(Row, table=True):
    """An access token revoked before its end, until it would have ended."""

    __tablename__ = "revoked_token"
    jti: str = Field(primary_key=True)
    expires_at: datetime = moment(index=True)


class UsedAssertion(Row, table=True):
    """A client assertion's jti, once over all workers (security.md 45)."""

    __tablename__ = "used_assertion"
    client_id: str = Field(primary_key=True)
    jti: str = Field(primary_key=True)
    expires_at: datetime = moment(index=True)


class Consent(Row, table=True):
    """What a person allowed a client that is not first-party."""

    account_id: str = Field(primary_key=True)
    client_id: str = Field(primary_key=True)
    scopes: list[Any] = json_column()
    ended_at: datetime | None = moment(nullable=True)


class SigningKey(Row, table=True):
    """next > active > retiring > removed; the private part is sealed."""

    __table_args__ = (
        CheckConstraint("state IN ('next','active','retiring','removed')", name="state"),
        Index("uq_signing_key_active", "alg", unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
        Index("uq_signing_key_next", "alg", unique=True, sqlite_where=_NEXT, postgresql_where=_NEXT),
    )
    __tablename__ = "signing_key"
    kid: str = Field(primary_key=True)
    use: str = "sig"
    alg: str
    private: bytes = secret_column()
    public: dict[str, Any] = json_column()
    state: str = "next"
    activated_at: datetime | None = moment(nullable=True)
    retired_at: datetime | None = moment(nullable=True)
    removed_at: datetime | None = moment(nullable=True)
