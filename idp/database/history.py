"""Every status an account or a partner has had, with its day, so that a replay sees the status of that day.

Kept by the mapper itself: whichever function writes a status, the row here goes with it in the same transaction.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Index, event, insert, inspect
from sqlmodel import Field

from idp import clock
from idp.database.types import Row, moment


class StatusChange(Row, table=True):
    """From `at` on the subject (`acc_...`, `ptr_...`) had this status; the moment in our clock."""

    __table_args__ = (Index("ix_status_change_subject", "subject_id", "at"),)
    __tablename__ = "status_change"
    id: int | None = Field(default=None, primary_key=True)
    subject_id: str
    status: str
    at: datetime = moment(default_now=True)


def keep_statuses(model: type[Any]) -> None:
    """Record each status a model's rows get: at insert, and whenever it differs."""

    def inserted(_mapper: object, connection: Connection, row: Any) -> None:
        _note(connection, row)

    def updated(_mapper: object, connection: Connection, row: Any) -> None:
        if inspect(row).attrs.status.history.has_changes():
            _note(connection, row)

    event.listen(model, "after_insert", inserted)
    event.listen(model, "after_update", updated)


def _note(connection: Connection, row: Any) -> None:
    now = clock.now()
    connection.execute(insert(StatusChange).values(subject_id=row.id, status=row.status, at=now, created_at=now))
