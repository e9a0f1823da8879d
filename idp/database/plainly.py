"""Run a statement with the driver itself: for the few that are sent so often that reading them again is what costs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session


def run(session: Session, statement: str, values: Sequence[object]) -> Any:
    """Run it in the session's transaction and return the driver's cursor; what fails fails as SQLAlchemy says it."""
    connection = session.connection()
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
    except connection.dialect.loaded_dbapi.Error as problem:
        gone = connection.dialect.is_disconnect(problem, connection.connection, cursor)
        if gone:
            connection.invalidate(problem)
        dbapi = connection.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(
            statement, tuple(values), problem, dbapi, connection_invalidated=gone, dialect=connection.dialect
        ) from problem
    return cursor
