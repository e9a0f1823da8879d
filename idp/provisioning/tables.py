"""Tables of the people partners tell us about."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment

_KEPT = text("removed_at IS NULL")


class PartnerPerson(Row, table=True):
    """One person as their organization describes them; a removed one stays as history."""

    __tablename__ = "partner_person"
    __table_args__ = (
        Index(
            "uq_partner_person_name", "partner_id", "name_key", unique=True, sqlite_where=_KEPT, postgresql_where=_KEPT
        ),
        Index(
            "uq_partner_person_subject",
            "partner_id",
            "external_id",
            unique=True,
            sqlite_where=_KEPT,
            postgresql_where=_KEPT,
        ),
        Index("ix_partner_person_subject", "partner_id", "external_id"),  # the removed too: each sign-in asks
    )
    id: str = id_column("ppn")
    partner_id: str = Field(foreign_key="partner.id")
    name_key: str
    """The user name as comparisons use it: RFC 7643 compares it without regard to case."""
    external_id: str | None = None
    """The person's subject at the partner's upstream; None while the partner has not said it."""
    active: bool = True
    facts: dict[str, Any] = json_column()
    """The SCIM attributes we keep, without id and meta."""
    version: int = 1
    changed_at: datetime = moment(default_now=True)
    removed_at: datetime | None = moment(nullable=True)
    promise: dict[str, Any] | None = json_column(nullable=True, default=None)
    """The log's signed promise that the partner turned this person off or took them off its list."""
