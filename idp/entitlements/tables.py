"""Tables of the catalogue, of grants and of the authority to give them (decisions.md 2)."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.history import keep_rows, keep_statuses
from idp.database.types import Row, id_column, json_column, moment

LIVE = text("ended_at IS NULL")
PAUSES = text("ended_at IS NULL AND effect = 'deny'")


class Entitlement(Row, table=True):
    """One function of the portals, as catalogue data (domain.md 5)."""

    key: str = Field(primary_key=True)
    name: str
    app: str
    sensitivity: int
    acr: str = "aal2"
    fresh: bool = False
    ial: int = 1
    non_participating: bool = True
    shared: str = "none"
    """Who handles it on shared accounts:
    `TPA`, `permit`, `insurer`, `insurer line`, `affiliate`, `by account`, `none`."""
    purposes: list[Any] = json_column()
    needs: list[Any] = json_column()
    """Preconditions: `capitation`, `licence`, `credentialed`."""
    insurer_side: bool = False


OF_A_FUNCTION = (
    "key", "name", "sensitivity", "acr", "fresh", "ial", "non_participating", "shared", "purposes", "needs",
)  # fmt: skip
"""What a decision reads of a function, in the order a replay finds it in the history."""
keep_rows(Entitlement, "function", lambda row: str(row.key), OF_A_FUNCTION)


class Bundle(Row, table=True):
    """A named set of entitlements, versioned."""

    key: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    name: str
    description: str = ""
    retired_at: datetime | None = moment(nullable=True)
    effective_at: datetime | None = moment(nullable=True)
    """The day it counts from; None for a version that always has."""
    published_by: str = "system"
    reason: str = ""
    withdrawn_at: datetime | None = moment(nullable=True)
    """Taken back before its day."""
    told_at: datetime | None = moment(nullable=True)
    """When the access managers of practices where people have it were written to."""


class BundleItem(Row, table=True):
    """One entitlement of one bundle version; wildcards are written out."""

    __tablename__ = "bundle_item"
    bundle: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    entitlement: str = Field(primary_key=True, foreign_key="entitlement.key")


class Appointment(Row, table=True):
    """Somebody is Website Access Manager of an organisation and line: the only source of that authority."""

    __table_args__ = (
        Index(
            "uq_appointment_live",
            "account_id",
            "provider_id",
            "line",
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        ),
        Index("ix_appointment_provider", "provider_id", "line"),
        Index("ix_appointment_ends_at", "ends_at", sqlite_where=LIVE, postgresql_where=LIVE),
    )
    id: str = id_column("wam")
    account_id: str = Field(foreign_key="account.id")
    provider_id: str = Field(foreign_key="provider.id")
    line: str = "medical"
    verified_by: str = ""
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None
    end_reason: str | None = None
    warned: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """How many warnings of its end were sent, of an interim one."""


class Assignment(Row, table=True):
    """What a WAM sees as "biller": a bundle version given to a person; expands into grants."""

    __table_args__ = (Index("ix_assignment_bundle", "bundle", "version", sqlite_where=LIVE, postgresql_where=LIVE),)

    id: str = id_column("asg")
    account_id: str = Field(foreign_key="account.id", index=True)
    provider_id: str = Field(foreign_key="provider.id", index=True)
    line: str
    bundle: str
    version: int
    assigned_by: str
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)


class Grant(Row, table=True):
    """Gate 2. Never edited but for the three end columns, once (T-09)."""

    __table_args__ = (
        CheckConstraint("effect IN ('allow','deny')", name="effect"),
        CheckConstraint("expires_at IS NULL OR expires_at > not_before", name="interval"),
        Index(
            "ix_grant_held",
            "account_id",
            "provider_id",
            "line_of_business",
            "entitlement",
            "effect",
            "delegation_id",
            "not_before",
            "expires_at",
            "ended_at",
            "id",
        ),
        Index("ix_grant_by_function", "provider_id", "line_of_business", "entitlement", "account_id"),
        Index(
            "ix_grant_by_delegation",
            "delegation_id",
            sqlite_where=text("delegation_id IS NOT NULL"),
            postgresql_where=text("delegation_id IS NOT NULL"),
        ),
        Index("ix_grant_expiry", "expires_at", sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_grant_pause_begins", "not_before", sqlite_where=PAUSES, postgresql_where=PAUSES),
    )
    __tablename__ = "grant"
    id: str = id_column("grt")
    account_id: str = Field(foreign_key="account.id")
    provider_id: str = Field(foreign_key="provider.id")
    line_of_business: str
    entitlement: str = Field(foreign_key="entitlement.key")
    effect: str = "allow"
    not_before: datetime = moment()
    expires_at: datetime | None = moment(nullable=True)
    granted_by: str
    reason: str
    assignment_id: str | None = Field(default=None, index=True)
    delegation_id: str | None = None
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None
    end_reason: str | None = None


class Absence(Row, table=True):
    """A person is away from a practice for a time: what they were given rests, and goes on afterwards (domain.md 7).

    It rests by rows that deny; what is given meanwhile rests too, so the absence is kept beside them.
    """

    __table_args__ = (
        Index("ix_absence_person", "account_id", "provider_id", "line", sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_absence_end", "ends_at", sqlite_where=LIVE, postgresql_where=LIVE),
    )
    id: str = id_column("abs")
    account_id: str = Field(foreign_key="account.id")
    provider_id: str = Field(foreign_key="provider.id")
    line: str
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    set_by: str
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None


class Delegation(Row, table=True):
    """An organisation's permission for a third party to act, bounded in scope and time (W-6)."""

    __table_args__ = (
        CheckConstraint("status IN ('requested','active','suspended','ended')", name="status"),
        Index("ix_delegation_ends_at", "ends_at", sqlite_where=LIVE, postgresql_where=LIVE),
    )
    id: str = id_column("dlg")
    provider_id: str = Field(foreign_key="provider.id", index=True)
    partner_id: str = Field(foreign_key="partner.id", index=True)
    parent_id: str | None = None
    entitlements: list[Any] = json_column()
    lines: list[Any] = json_column()
    locations: list[Any] | None = json_column(nullable=True, default=None)
    """Ids of the places it is good for; None means all."""
    redelegable: bool = False
    """Whether the third party may pass it on to another one."""
    approved_by: str = ""
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    status: str = "active"
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None
    end_reason: str | None = None


keep_statuses(Delegation, "partner_id", "parent_id", "entitlements", "lines", "locations")
