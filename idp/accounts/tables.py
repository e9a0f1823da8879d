"""Tables of people and their credentials (decisions.md 2). No `from __future__ import annotations` here."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.history import keep_statuses
from idp.database.types import Row, id_column, json_column, moment, secret_column

LIVE = text("ended_at IS NULL")
_ENDED = text("ended_at IS NOT NULL")
_MERGED = text("merged_into IS NOT NULL")
FROM_OUTSIDE = text("upstream_sid IS NOT NULL")


class Account(Row, table=True):
    """One person; never deleted."""

    __table_args__ = (
        CheckConstraint("status IN ('invited','verified','active','suspended','ceased','closed')", name="status"),
        Index("ix_account_merged_into", "merged_into", sqlite_where=_MERGED, postgresql_where=_MERGED),
    )
    id: str = id_column("acc")
    status: str = "active"
    ial: int = 1
    display_name: str
    given_name: str | None = None
    family_name: str | None = None
    locale: str = "en"
    ceased_at: datetime | None = moment(nullable=True)
    ceased_because: str | None = None
    merged_into: str | None = None
    """The account that took this one's logins, where one person had two."""


keep_statuses(Account, "ial")


class Contact(Row, table=True):
    """An address for notices and recovery; never a login key, never matched for linking."""

    id: str = id_column("ctc")
    account_id: str = Field(foreign_key="account.id", index=True)
    email: str = Field(index=True)
    verified_at: datetime | None = moment(nullable=True)


class Login(Row, table=True):
    """One way in: (issuer, subject). Local logins have our issuer and the user name."""

    __table_args__ = (
        Index("uq_login_live_identity", "issuer", "subject", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_login_ended_identity", "issuer", "subject", sqlite_where=_ENDED, postgresql_where=_ENDED),
    )
    id: str = id_column("lgn")
    account_id: str = Field(foreign_key="account.id", index=True)
    upstream_id: str | None = Field(default=None, index=True)
    issuer: str
    subject: str
    facts: dict[str, Any] | None = json_column(nullable=True, default=None)
    linked_at: datetime = moment(default_now=True)
    facts_at: datetime | None = moment(nullable=True)
    """When the facts last came."""
    last_used_at: datetime | None = moment(nullable=True)
    ceiling: str | None = None
    """The most this login counts for: the strength of the sign-in that added it; None where nobody limits it."""
    held_at: datetime | None = moment(nullable=True)
    """Since when it is refused; why, `held_because` tells."""
    held_facts: dict[str, Any] | None = json_column(nullable=True, default=None)
    held_because: str | None = None
    """`organization` or `security` by whose word (moved.py); None where its facts went over to somebody else."""
    ended_at: datetime | None = moment(nullable=True)
    end_reason: str | None = None


class Password(Row, table=True):
    """The hash of a local login's password; the parameters are inside the hash."""

    login_id: str = Field(foreign_key="login.id", primary_key=True)
    hash: str
    changed_at: datetime = moment(default_now=True)


class Factor(Row, table=True):
    """A second step: time-based code (secret sealed), passkey, or one recovery code (hashed)."""

    __table_args__ = (CheckConstraint("kind IN ('totp','passkey','recovery')", name="kind"),)
    id: str = id_column("fac")
    account_id: str = Field(foreign_key="account.id", index=True)
    kind: str
    name: str = ""
    secret: bytes = secret_column()
    phishing_resistant: bool = False
    last_step: int = 0
    confirmed_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)


class Device(Row, table=True):
    """A browser we gave a device cookie to; known to the accounts that signed in on it."""

    id: str = id_column("dev")
    token_hash: bytes = secret_column(index=True, unique=True)
    label: str = ""
    last_seen_at: datetime = moment(default_now=True)


class KnownDevice(Row, table=True):
    """This account has signed in on this device before; throttling spares it."""

    __tablename__ = "known_device"
    __table_args__ = (Index("ix_known_device_account", "account_id"),)
    device_id: str = Field(primary_key=True)
    account_id: str = Field(primary_key=True)
    remembered_until: datetime | None = moment(nullable=True)
    """Until when a first login alone is enough on it again: the limit of the session that used a second step."""
    factor_at: datetime | None = moment(nullable=True)
    """When that second step was used; functions that ask for a fresh one still ask."""


class Session(Row, table=True):
    """A browser session; its id is the `sid` claim, the cookie holds a separate secret."""

    __table_args__ = (
        Index("ix_session_device", "device_id", "auth_time"),
        Index("ix_session_live", "expires_at", sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_session_upstream_sid", "upstream_sid", sqlite_where=FROM_OUTSIDE, postgresql_where=FROM_OUTSIDE),
    )
    __tablename__ = "session"
    id: str = id_column("ses")
    token_hash: bytes = secret_column(unique=True)
    account_id: str = Field(foreign_key="account.id", index=True)
    login_id: str = Field(foreign_key="login.id")
    partner_id: str | None = Field(default=None, index=True)
    upstream_sid: str | None = None
    """The session over there, by which its provider may end this one (OpenID Back-Channel Logout 1.0)."""
    acr: str
    amr: list[Any] = json_column()
    auth_time: datetime = moment()
    factor_time: datetime | None = moment(nullable=True)
    device_id: str | None = None
    channel: str = "site"
    last_seen_at: datetime = moment(default_now=True)
    expires_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)
    ended_because: str | None = None


class TokenFamily(Row, table=True):
    """Everything that came from one code exchange; ends as one, and with its session."""

    __table_args__ = (Index("ix_token_family_person", "account_id", "provider_id"),)
    __tablename__ = "token_family"
    id: str = id_column("fam")
    session_id: str = Field(index=True)
    client_id: str
    account_id: str
    provider_id: str | None = None
    line: str | None = None
    scope: str = ""
    resource: str | None = None
    nonce: str | None = None
    claims: dict[str, Any] | None = json_column(nullable=True, default=None)
    started_at: datetime = moment(default_now=True)
    ended_at: datetime | None = moment(nullable=True)
    end_reason: str | None = None


class Flow(Row, table=True):
    """A journey through sign-in, kept here and bound to one browser (security.md 11)."""

    id: str = id_column("flw")
    browser_hash: bytes = secret_column()
    target: str
    """Path and query on this service where the journey goes on; the original authorize request."""
    client_id: str | None = None
    session_id: str | None = None
    facts: dict[str, Any] = json_column()
    """What completed steps recorded: step name -> its facts and time."""
    expires_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)


class Throttle(Row, table=True):
    """Consecutive failures under one key; counted by one conditional update."""

    key: str = Field(primary_key=True)
    failures: int = 0
    last_at: datetime = moment(default_now=True)
    not_before: datetime | None = moment(nullable=True)


class TermsDocument(Row, table=True):
    """One version of one of the two documents; never changed once effective."""

    __table_args__ = (
        CheckConstraint("kind IN ('site','general')", name="kind"),
        Index("uq_terms_document_kind_version", "kind", "version", unique=True),
    )
    __tablename__ = "terms_document"
    id: str = id_column("trm")
    kind: str
    version: str
    title: str
    body: str
    digest: str
    changes: str = ""
    """What differs from the version before, one plain sentence a line."""
    effective_at: datetime = moment()


class TermsAcceptance(Row, table=True):
    """Who accepted which version, when, from where, on which channel (T-04)."""

    __table_args__ = (
        Index("uq_terms_acceptance_once", "account_id", "document_id", unique=True),
        # All a decision reads of it, so that it fetches no row beside the index.
        Index("ix_terms_acceptance_held", "account_id", "document_id", "accepted_at"),
    )
    __tablename__ = "terms_acceptance"
    id: str = id_column("tac")
    account_id: str = Field(foreign_key="account.id")
    document_id: str = Field(foreign_key="terms_document.id")
    accepted_at: datetime = moment(default_now=True)
    channel: str = "site"
    address: bytes | None = secret_column(nullable=True, default=None)


class Attestation(Row, table=True):
    """A person's yearly word on why they may act (T-14)."""

    __table_args__ = (
        Index("ix_attestation_held", "account_id", "attested_at", "expires_at", "id"),
        Index("ix_attestation_expires_at", "expires_at"),
    )
    id: str = id_column("att")
    account_id: str = Field(foreign_key="account.id")
    capacity: str
    """`licensed_provider` or `authorised_agent`."""
    principal: str
    """The named provider on whose behalf the person acts."""
    attested_at: datetime = moment(default_now=True)
    expires_at: datetime = moment()
    reminded: int = 0
    """How many reminders of its end were sent."""


class PendingLink(Row, table=True):
    """An outside login proved but not yet linked; bound to flow, browser and upstream subject (security.md 29)."""

    __tablename__ = "pending_link"
    id: str = id_column("plk")
    upstream_id: str
    issuer: str
    subject: str
    browser_hash: bytes = secret_column()
    flow_id: str | None = None
    facts: dict[str, Any] = json_column()
    acr: str = ""
    amr: list[Any] = json_column()
    auth_time: datetime = moment()
    account_id: str | None = None
    expires_at: datetime = moment()
    spent_at: datetime | None = moment(nullable=True)
