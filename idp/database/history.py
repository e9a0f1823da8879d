"""What an account, partner, organisation, delegation, the catalogue or the settings were on any past day, for replays.

Kept by the mapper itself: whichever function writes such a column, the row here goes with it in the same transaction.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Index, event, insert, inspect
from sqlmodel import Field

from idp import clock
from idp.database.types import Row, moment

ABSENT = ""
"""What a row was before it was there, in a history of whole rows."""


class StatusChange(Row, table=True):
    """From `at` on the subject (`acc_...`, `ptr_...`, `prv_...`, `dlg_...`) had this value; the moment in our clock."""

    __table_args__ = (Index("ix_status_change_subject", "subject_id", "at"),)
    __tablename__ = "status_change"
    id: int | None = Field(default=None, primary_key=True)
    subject_id: str
    what: str = "status"
    """Which column of the subject: `status`, `ial`, `payment_arrangement` ...; of whole rows their name."""
    status: str
    before: str | None = None
    """What it was until then, where that is known: the answer for moments before the first row."""
    at: datetime = moment(default_now=True)


def keep_statuses(model: type[Any], *more: str) -> None:
    """Record each status a model's rows get: at insert, and whenever it differs; of other columns the changes."""

    def inserted(_mapper: object, connection: Connection, row: Any) -> None:
        _note(connection, row.id, "status", row.status, None)

    def updated(_mapper: object, connection: Connection, row: Any) -> None:
        _note_columns(connection, row, ("status", *more))

    event.listen(model, "after_insert", inserted)
    event.listen(model, "after_update", updated)


def keep_changes(model: type[Any], *columns: str) -> None:
    """Record the changes of some columns of a model's rows; what they were inserted with, they always were."""

    def updated(_mapper: object, connection: Connection, row: Any) -> None:
        _note_columns(connection, row, columns)

    event.listen(model, "after_update", updated)


def keep_rows(
    model: type[Any], what: str, subject: Callable[[Any], str], columns: Sequence[str], *, born: bool = False
) -> None:
    """Record some columns of a model's rows together, as `whole` writes them, whenever one differs.

    `born`: also that the row was not there before it was inserted; else it counts as having always been there.
    """

    def inserted(_mapper: object, connection: Connection, row: Any) -> None:
        _note(connection, subject(row), what, whole([getattr(row, name) for name in columns]), ABSENT)

    def updated(_mapper: object, connection: Connection, row: Any) -> None:
        changes = [inspect(row).attrs[name].history for name in columns]
        if any(change.has_changes() for change in changes):
            now = [getattr(row, name) for name in columns]
            before = [next(iter(c.deleted), value) for c, value in zip(changes, now, strict=True)]
            _note(connection, subject(row), what, whole(now), whole(before))

    if born:
        event.listen(model, "after_insert", inserted)
    event.listen(model, "after_update", updated)


def whole(values: Sequence[Any]) -> str:
    """Return the columns of a row as a history keeps them, in the order they are kept."""
    return orjson.dumps(list(values)).decode()


def text_of(value: Any) -> str:
    """Return one column's value as a history keeps it."""
    if isinstance(value, datetime):
        return str(clock.micros(value))
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _note_columns(connection: Connection, row: Any, columns: Sequence[str]) -> None:
    for what in columns:
        change = inspect(row).attrs[what].history
        if change.has_changes():
            before = next(iter(change.deleted), None)
            known = change.deleted and (before is not None or what != "status")
            _note(connection, row.id, what, getattr(row, what), text_of(before) if known else None)


def _note(connection: Connection, subject: str, what: str, value: Any, before: str | None) -> None:
    now = clock.now()
    connection.execute(
        insert(StatusChange).values(
            subject_id=subject,
            what=what,
            status=text_of(value),
            before=before,
            at=now,
            created_at=now,
        )
    )
