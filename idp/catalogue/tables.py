"""Tables of the catalogue's versions."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment

_WAITS = text("applied_at IS NULL AND withdrawn_at IS NULL")


class CatalogueChange(Row, table=True):
    """One version of one function: what changes, why, from when; `before` is what replays of earlier days see."""

    __tablename__ = "catalogue_change"
    __table_args__ = (
        Index("uq_catalogue_change_version", "entitlement", "version", unique=True),
        Index("uq_catalogue_change_waits", "entitlement", unique=True, sqlite_where=_WAITS, postgresql_where=_WAITS),
    )
    id: str = id_column("cch")
    entitlement: str = Field(foreign_key="entitlement.key")
    version: int
    before: dict[str, Any] | None = json_column(nullable=True, default=None)
    """The values until then, written when the change is applied."""
    after: dict[str, Any] = json_column()
    reason: str
    published_by: str
    effective_at: datetime = moment()
    applied_at: datetime | None = moment(nullable=True)
    withdrawn_at: datetime | None = moment(nullable=True)
    told_at: datetime | None = moment(nullable=True)
    """When the access managers of practices where people have the function were written to."""
