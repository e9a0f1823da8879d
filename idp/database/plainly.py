"""Run a statement with the driver itself: for the few that are sent so often that reading them again is what costs."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from idp.database.engine import of
from idp.database.lane.statements import Sql


def say(session: Session, sql: Sql, *values: object) -> Any:
    """Run a statement that is written for every driver; return the driver's cursor."""
    if of(session).is_sqlite:
        return run(session, sql.sqlite, values)
    return run(session, sql.percent, {f"p{n}": value for n, value in enumerate(values, start=1)})


def run(session: Session, statement: str, values: Sequence[object] | Mapping[str, object]) -> Any:
    """Run it in the session's transaction and return the driver's cursor; what fails fails as SQLAlchemy says it."""
    connection = session.connection()
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
    except connection.dialect.loaded_dbapi.Error as problem:
        gone = connection.dialect.is_disconnect(problem, connection.connection, cursor)
        if gone:
            connection.invalidate(problem)
        said = values if isinstance(values, Mapping) else tuple(values)
        dbapi = connection.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(
            statement, said, problem, dbapi, connection_invalidated=gone, dialect=connection.dialect
        ) from problem
    return cursor
