"""Tables of provider organisations and the people who act for them (decisions.md 2)."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.history import keep_changes, keep_statuses
from idp.database.types import Row, id_column, json_column, moment, secret_column

LINES = ("medical", "behavioural", "dental", "medicare_advantage")
_LINE = "IN ('medical','behavioural','dental','medicare_advantage')"
LINE_IS_KNOWN = f"line {_LINE}"
LIVE = text("ended_at IS NULL")


class Provider(Row, table=True):
    """The acting-for organisation, known by its TIN (encrypted; searched by keyed hash)."""

    __table_args__ = (
        CheckConstraint("kind IN ('practice','facility','insurer')", name="kind"),
        CheckConstraint("status IN ('active','suspended','ended')", name="status"),
    )
    id: str = id_column("prv")
    kind: str = "practice"
    source: str = "operator"
    """`registry`: made by an import, until somebody opens something to it."""
    name: str
    tin_encrypted: bytes | None = secret_column(nullable=True, default=None)
    tin_hash: bytes | None = secret_column(nullable=True, default=None, unique=True)
    tin_last4: str = ""
    status: str = "active"
    payment_arrangement: str = "fee_for_service"
    help_name: str | None = None
    help_contact: str | None = None
    channels: list[Any] | None = json_column(nullable=True, default=None)
    """Channels open to this organisation (T-29); None where all that are open at all."""


keep_statuses(Provider, "payment_arrangement", "channels")


class PortalAccess(Row, table=True):
    """Gate 1: the insurer opened a line of business of its portals to this organisation."""

    __table_args__ = (
        CheckConstraint(f"line {_LINE}", name="line"),
        CheckConstraint("basis IN ('contract','continuity')", name="basis"),
        Index("ix_portal_access_ends_at", "ends_at", sqlite_where=LIVE, postgresql_where=LIVE),
    )
    __tablename__ = "portal_access"
    id: str = id_column("pac")
    provider_id: str = Field(foreign_key="provider.id", index=True)
    line: str
    opened_by: str = ""
    basis: str = "contract"
    """`continuity`: for a time, to a non-participating organisation that goes on with a treatment (O-08)."""
    reference: str = ""
    """The insurer's number of that continuity case; nothing clinical."""
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)


class Participation(Row, table=True):
    """Network participation of an organisation in a line of business (T-11)."""

    __table_args__ = (Index("ix_participation_ends_at", "ends_at"),)
    id: str = id_column("par")
    provider_id: str = Field(foreign_key="provider.id", index=True)
    line: str
    network: str = "insurer"
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)


class Agreement(Row, table=True):
    """The contract between insurer and organisation (T-30)."""

    __table_args__ = (
        CheckConstraint("basis IN ('contract','continuity')", name="basis"),
        Index("ix_agreement_ends_at", "ends_at"),
    )
    id: str = id_column("agr")
    provider_id: str = Field(foreign_key="provider.id", index=True)
    line: str
    basis: str = "contract"
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)


class Practitioner(Row, table=True):
    """A licensed individual, known by NPI."""

    id: str = id_column("prc")
    npi: str = Field(unique=True)
    name: str
    account_id: str | None = Field(default=None, index=True)
    registry_facts: dict[str, Any] | None = json_column(nullable=True, default=None)
    """What the registry says, unverified: it opens no gate (docs/decisions)."""
    registry_date: str = ""
    """Newest date of the registry's row, ISO; an older row changes nothing."""
    deactivated_at: datetime | None = moment(nullable=True)
    """The registry took the NPI out of use on this day; then nothing the practitioner has counts."""
    lapse_handled_at: datetime | None = moment(nullable=True)


keep_changes(Practitioner, "deactivated_at")


class PractitionerMembership(Row, table=True):
    """This practitioner works at this organisation, with dates."""

    __tablename__ = "practitioner_membership"
    id: str = id_column("pmb")
    practitioner_id: str = Field(foreign_key="practitioner.id", index=True)
    provider_id: str = Field(foreign_key="provider.id", index=True)
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)


class Credential(Row, table=True):
    """A credentialing fact of a practitioner, with source and dates (O-01)."""

    __table_args__ = (
        CheckConstraint(
            "kind IN ('licence','credentialing','dea','board','malpractice','education','residency')", name="kind"
        ),
        Index("ix_credential_ends_at", "ends_at"),
    )
    id: str = id_column("crd")
    practitioner_id: str = Field(foreign_key="practitioner.id", index=True)
    kind: str
    number: str = ""
    state: str = ""
    services: list[Any] | None = json_column(nullable=True, default=None)
    """Services a licence covers; null means all."""
    source: str = ""
    """Who said so: a board, a primary source, the practitioner."""
    verified_at: datetime | None = moment(nullable=True)
    warned: int = 0
    """How many of the warnings before the end were sent."""
    lapse_handled_at: datetime | None = moment(nullable=True)
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)


class Affiliation(Row, table=True):
    """A WAM's approval that a person acts for an organisation, and as what (T-10)."""

    __table_args__ = (
        CheckConstraint("capacity IN ('employee','representative','agent')", name="capacity"),
        Index(
            "uq_affiliation_live", "account_id", "provider_id", unique=True, sqlite_where=LIVE, postgresql_where=LIVE
        ),
        Index("ix_affiliation_provider", "provider_id", "account_id"),
        Index("ix_affiliation_account", "account_id"),
        Index("ix_affiliation_ends_at", "ends_at", sqlite_where=LIVE, postgresql_where=LIVE),
    )
    id: str = id_column("aff")
    account_id: str = Field(foreign_key="account.id")
    provider_id: str = Field(foreign_key="provider.id")
    capacity: str = "employee"
    partner_id: str | None = Field(default=None, index=True)
    locations: list[Any] | None = json_column(nullable=True, default=None)
    """Ids of the places a third party's person works for; None means all that the delegation names."""
    approved_by: str = ""
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None
    end_reason: str | None = None


keep_changes(Affiliation, "locations")
