"""The outbox: mail written in the same transaction as the fact it tells."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from idp.database.types import Row, json_column, moment

_UNSENT = text("sent_at IS NULL AND failed_at IS NULL")


class Outbox(Row, table=True):
    """One mail to one address, with its tries."""

    __table_args__ = (Index("ix_outbox_unsent", "next_try_at", sqlite_where=_UNSENT, postgresql_where=_UNSENT),)
    id: int | None = Field(default=None, primary_key=True)
    account_id: str | None = Field(default=None, index=True)
    recipient: str
    template: str
    facts: dict[str, Any] = json_column()
    tries: int = 0
    next_try_at: datetime = moment(default_now=True)
    sent_at: datetime | None = moment(nullable=True)
    failed_at: datetime | None = moment(nullable=True)
