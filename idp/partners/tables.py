"""Tables of outside organisations and of who handles which function (decisions.md 2)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.history import keep_changes, keep_rows, keep_statuses
from idp.database.types import Row, id_column, moment

LIVE = text("ended_at IS NULL")


class Partner(Row, table=True):
    """An outside organisation; its standing is asked at every use (invariant 11)."""

    __table_args__ = (
        CheckConstraint(
            "status IN ('prospect','due_diligence','ready','active','review_overdue','suspended','ended')",
            name="status",
        ),
        CheckConstraint("kind IN ('affiliate','third_party','administrator','agency')", name="kind"),
    )
    id: str = id_column("ptr")
    name: str
    kind: str = "affiliate"
    status: str = "prospect"
    contact_name: str = ""
    contact_phone: str = ""
    contact_url: str = ""


keep_statuses(Partner, "name", "contact_name", "contact_phone", "contact_url")


class PartnerMember(Row, table=True):
    """A person who works for an outside organisation; its administrators say what its people do (W-6)."""

    __tablename__ = "partner_member"
    __table_args__ = (
        Index(
            "uq_partner_member_live",
            "partner_id",
            "account_id",
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        ),
        Index("ix_partner_member_account", "account_id"),
    )
    id: str = id_column("mem")
    partner_id: str = Field(foreign_key="partner.id")
    account_id: str
    administrator: bool = False
    named_by: str
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None
    end_reason: str | None = None


class SharedAccount(Row, table=True):
    """An employer account administered with somebody else (S-01)."""

    __tablename__ = "shared_account"
    id: str = id_column("sha")
    account_number: str = Field(unique=True)
    name: str = ""
    partner_id: str = Field(foreign_key="partner.id")
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)


keep_changes(SharedAccount, "partner_id")


class FunctionOwner(Row, table=True):
    """Who answers for one function of one shared account, and how to reach them (S-04)."""

    __table_args__ = (Index("uq_function_owner_once", "shared_account_id", "entitlement", unique=True),)
    __tablename__ = "function_owner"
    id: str = id_column("fno")
    shared_account_id: str = Field(foreign_key="shared_account.id")
    entitlement: str
    owner: str = "partner"
    """`partner`, `insurer` or `affiliate`."""
    partner_id: str | None = None
    contact_name: str = ""
    contact_phone: str = ""
    contact_url: str = ""


OF_AN_OWNER = ("owner", "partner_id", "contact_name", "contact_phone", "contact_url")
"""What a decision reads of an owner, in the order a replay finds it in the history."""
keep_rows(FunctionOwner, "owner", lambda row: str(row.id), OF_AN_OWNER, born=True)
