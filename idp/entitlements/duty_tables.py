"""Tables of what one person must not hold together, and of what an organisation may not hold (domain.md 6)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from idp.database.types import Row, id_column, moment
from idp.entitlements.tables import LIVE
from idp.providers.tables import LINE_IS_KNOWN


class DutyConflict(Row, table=True):
    """Two functions that may not be in one person's hands; the smaller key stands first."""

    __tablename__ = "duty_conflict"
    __table_args__ = (
        CheckConstraint("first < second", name="order"),
        Index("uq_duty_conflict_live", "first", "second", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
    )
    id: str = id_column("dty")
    first: str = Field(foreign_key="entitlement.key")
    second: str = Field(foreign_key="entitlement.key")
    why: str
    added_by: str
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None


class DutyException(Row, table=True):
    """One person may hold a conflicting pair at one place until a day: two of the insurer's staff said so."""

    __tablename__ = "duty_exception"
    __table_args__ = (Index("ix_duty_exception_person", "account_id", "provider_id", "line"),)
    id: str = id_column("dex")
    conflict_id: str = Field(foreign_key="duty_conflict.id")
    account_id: str = Field(foreign_key="account.id")
    provider_id: str = Field(foreign_key="provider.id")
    line: str
    reason: str
    ends_at: datetime = moment()
    asked_by: str
    confirmed_by: str | None = None
    confirmed_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None


class WithheldFunction(Row, table=True):
    """The insurer keeps one function from one organisation and line, whatever its managers give (gate 6)."""

    __tablename__ = "withheld_function"
    __table_args__ = (
        CheckConstraint(LINE_IS_KNOWN, name="line"),
        Index("ix_withheld_function_place", "provider_id", "line"),
    )
    id: str = id_column("whf")
    provider_id: str = Field(foreign_key="provider.id")
    line: str
    entitlement: str = Field(foreign_key="entitlement.key")
    reason: str
    withheld_by: str
    starts_at: datetime = moment()
    announced_at: datetime | None = moment(nullable=True)
    """When apps were told; None while it waits for its day."""
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None
