"""Tables of registration."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment, secret_column

_WAITING = text("status = 'submitted'")
_UNDER_WAY = text("status IN ('open','proven')")


class Invitation(Row, table=True):
    """A one-time link to join an organisation (or, without one, to become first administrator)."""

    id: str = id_column("inv")
    token_hash: bytes = secret_column(unique=True)
    account_id: str | None = None
    provider_id: str | None = Field(default=None, index=True)
    line: str = "medical"
    capacity: str = "employee"
    email: str = ""
    display_name: str = ""
    bundle: str | None = None
    access_ends_at: datetime | None = moment(nullable=True)
    """When what the job gives ends (exclusive); None: it does not."""
    partner_id: str | None = Field(default=None, index=True)
    """The outside organisation that invites, instead of a practice."""
    administrator: bool = False
    invited_by: str
    expires_at: datetime = moment()
    spent_at: datetime | None = moment(nullable=True)
    spent_by: str | None = None
    ended_at: datetime | None = moment(nullable=True)


class Registration(Row, table=True):
    """One person's way through self-registration, bound to the browser it began in (security.md 11).

    No account exists before the address is confirmed; the row is deleted a day after it expired.
    """

    __table_args__ = (
        CheckConstraint("status IN ('started','applied','verified','submitted','ended')", name="status"),
        CheckConstraint("route IN ('new','existing','affiliate','third_party')", name="route"),
    )
    id: str = id_column("reg")
    browser_hash: bytes = secret_column()
    status: str = "started"
    route: str
    flow_id: str | None = None
    client_id: str | None = None
    upstream_id: str | None = None
    partner_id: str | None = None
    account_id: str | None = Field(default=None, index=True)
    """Who it is: set when the account is made, or when a person who has one began; never changed."""
    steps: dict[str, Any] = json_column()
    """Completed steps -> when."""
    tins: bytes | None = secret_column(nullable=True, default=None)
    """The numbers typed, sealed."""
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    line: str = "medical"
    capacity: str = "employee"
    starts_at: datetime | None = moment(nullable=True)
    ends_at: datetime | None = moment(nullable=True)
    bundle: str | None = None
    npi: str | None = None
    licence_state: str | None = None
    licence_number: str | None = None
    licence_until: datetime | None = moment(nullable=True)
    code_hash: bytes | None = secret_column(nullable=True, default=None)
    code_tries: int = 0
    code_until: datetime | None = moment(nullable=True)
    expires_at: datetime = moment(index=True)


class Application(Row, table=True):
    """A person asks to act for the organisation of one TIN; its access managers decide, once (W-2).

    Found by the TIN's keyed hash, so an organisation the insurer records later finds its applications.
    """

    __table_args__ = (
        CheckConstraint("status IN ('submitted','approved','denied','withdrawn','expired')", name="status"),
        CheckConstraint("capacity IN ('employee','representative','agent')", name="capacity"),
        Index("ix_application_account", "account_id"),
        Index(
            "uq_application_waiting",
            "account_id",
            "tin_hash",
            unique=True,
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index("ix_application_inbox", "tin_hash", "status"),
        Index("ix_application_due", "expires_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )
    id: str = id_column("apl")
    account_id: str = Field(foreign_key="account.id")
    tin_hash: bytes = secret_column()
    tin_encrypted: bytes = secret_column()
    tin_last4: str
    line: str = "medical"
    capacity: str = "employee"
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    bundle: str | None = None
    route: str = "new"
    upstream_id: str | None = None
    partner_id: str | None = None
    """Whose login the person came with; a third party's people act within its delegation."""
    client_id: str | None = None
    npi: str | None = None
    licence_state: str | None = None
    licence_number: str | None = None
    licence_until: datetime | None = moment(nullable=True)
    status: str = "submitted"
    decided_at: datetime | None = moment(nullable=True)
    decided_by: str | None = None
    reason: str = ""
    reminded: int = 0
    """How many of the reminders and the escalation have been sent."""
    expires_at: datetime = moment()


class FirstManagerClaim(Row, table=True):
    """The first person at an organisation says that they may manage its access; to be proven (W-1)."""

    __table_args__ = (
        CheckConstraint("status IN ('open','proven','confirmed','locked','refused','ended')", name="status"),
        Index(
            "uq_first_manager_claim_under_way",
            "tin_hash",
            "line",
            unique=True,
            sqlite_where=_UNDER_WAY,
            postgresql_where=_UNDER_WAY,
        ),
    )
    __tablename__ = "first_manager_claim"
    id: str = id_column("clm")
    application_id: str = Field(foreign_key="application.id")
    account_id: str = Field(foreign_key="account.id", index=True)
    tin_hash: bytes = secret_column()
    line: str = "medical"
    status: str = "open"
    tries: int = 0
    """Wrong proofs so far; the fifth locks."""
    proof: str | None = None
    proven_at: datetime | None = moment(nullable=True)
    locked_at: datetime | None = moment(nullable=True)
    decided_by: str | None = None
    """Who of the insurer confirmed or refused it."""
    decided_at: datetime | None = moment(nullable=True)
    accepted_at: datetime | None = moment(nullable=True)
    """When the person took on the duties; then they are appointed."""
    reason: str = ""


class ProofKey(Row, table=True):
    """A key that proves a claim: mailed on paper to the address on file, or read out when we call back (W-1).

    A row is made also where there is nothing to mail, so that asking teaches nobody what we know.
    """

    __tablename__ = "proof_key"
    __table_args__ = (CheckConstraint("kind IN ('mailed_key','call_back')", name="kind"),)
    id: str = id_column("pky")
    claim_id: str = Field(foreign_key="first_manager_claim.id", index=True)
    kind: str
    key_hash: bytes = secret_column()
    letter: bytes | None = secret_column(nullable=True, default=None)
    """What the letter says, sealed until it is printed; then forgotten."""
    handled_by: str | None = None
    """Who of the insurer printed the letter, or called."""
    handled_at: datetime | None = moment(nullable=True)
    spent_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)
    expires_at: datetime = moment(index=True)


class PracticeFact(Row, table=True):
    """A claim or payment of a practice that only the practice can know, as a keyed hash; good for one proof (W-1)."""

    __tablename__ = "practice_fact"
    fact_hash: bytes = secret_column(primary_key=True)
    spent_at: datetime | None = moment(nullable=True)
    spent_by: str | None = None
    expires_at: datetime = moment(index=True)
