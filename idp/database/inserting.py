"""Insert a row unless a unique index already holds one: one statement, whose answer decides."""

from typing import Any

from sqlalchemy import CursorResult, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel


def insert_unless_there(session: Session, table: type[SQLModel], values: dict[str, Any]) -> bool:
    """Insert, and say whether a row was: False where any unique index has its like."""
    session.flush()  # what the new row refers to
    target: Table = table.__table__  # type: ignore[attr-defined]
    insert = (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert
    # Told for an INSERT only where asked for.
    result = session.execute(
        insert(target).on_conflict_do_nothing(), values, execution_options={"preserve_rowcount": True}
    )
    assert isinstance(result, CursorResult)
    return result.rowcount == 1
