"""Run a statement with the driver itself: for the few that are sent so often that reading them again is what costs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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


def together(session: Session, *asked: tuple[Sql, tuple[object, ...]]) -> list[list[Any]]:
    """Run statements one after the other and return the rows of each; PostgreSQL is sent all of them at once.

    None may need what another one found: each way there and back is a wait, for the server and for a core.
    """
    if of(session).is_sqlite:
        return [run(session, sql.sqlite, values).fetchall() for sql, values in asked]
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    cursors = []
    with _told(session, "; ".join(sql.percent for sql, _ in asked), ()), driver.pipeline():
        for sql, values in asked:
            cursors.append(driver.cursor())
            cursors[-1].execute(sql.percent, {f"p{n}": value for n, value in enumerate(values, start=1)})
    return [cursor.fetchall() if cursor.description else [] for cursor in cursors]


def run(session: Session, statement: str, values: Sequence[object] | Mapping[str, object]) -> Any:
    """Run it in the session's transaction and return the driver's cursor; what fails fails as SQLAlchemy says it."""
    cursor = session.connection().connection.cursor()
    with _told(session, statement, values):
        cursor.execute(statement, values)
    return cursor


@contextmanager
def _told(session: Session, statement: str, values: Sequence[object] | Mapping[str, object]) -> Iterator[None]:
    """Let what fails fail as SQLAlchemy says it, and the pool know of a connection that is lost."""
    connection = session.connection()
    dbapi = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except dbapi as problem:
        gone = connection.dialect.is_disconnect(problem, connection.connection, None)
        if gone:
            connection.invalidate(problem)
        said = values if isinstance(values, Mapping) else tuple(values)
        raise DBAPIError.instance(
            statement, said, problem, dbapi, connection_invalidated=gone, dialect=connection.dialect
        ) from problem
