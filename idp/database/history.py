"""What an account, partner, organisation or delegation was on any past day, so that a replay sees that day.

Kept by the mapper itself: whichever function writes such a column, the row here goes with it in the same transaction.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Index, event, insert, inspect
from sqlmodel import Field

from idp import clock
from idp.database.types import Row, moment


class StatusChange(Row, table=True):
    """From `at` on the subject (`acc_...`, `ptr_...`, `prv_...`, `dlg_...`) had this value; the moment in our clock."""

    __table_args__ = (Index("ix_status_change_subject", "subject_id", "at"),)
    __tablename__ = "status_change"
    id: int | None = Field(default=None, primary_key=True)
    subject_id: str
    what: str = "status"
    """Which column of the subject: `status`, `ial`, `payment_arrangement`."""
    status: str
    before: str | None = None
    """What it was until then, where that is known: the answer for moments before the first row."""
    at: datetime = moment(default_now=True)


def keep_statuses(model: type[Any], *more: str) -> None:
    """Record each status a model's rows get: at insert, and whenever it differs; of other columns the changes."""

    def inserted(_mapper: object, connection: Connection, row: Any) -> None:
        _note(connection, row, "status", None)

    def updated(_mapper: object, connection: Connection, row: Any) -> None:
        for what in ("status", *more):
            change = inspect(row).attrs[what].history
            if change.has_changes():
                _note(connection, row, what, next(iter(change.deleted), None))

    event.listen(model, "after_insert", inserted)
    event.listen(model, "after_update", updated)


def _note(connection: Connection, row: Any, what: str, before: Any) -> None:
    now = clock.now()
    connection.execute(
        insert(StatusChange).values(
            subject_id=row.id,
            what=what,
            status=str(getattr(row, what)),
            before=None if before is None else str(before),
            at=now,
            created_at=now,
        )
    )
