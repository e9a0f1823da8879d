"""The database for a command, its schema known to this program."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlmodel import Session

    from idp.database import Database


@contextmanager
def opened() -> Iterator["Database"]:
    """Open the database the settings name; refuse one whose schema this program does not know."""
    from idp.cli.schema import refuse_unknown
    from idp.database import Database
    from idp.settings import load

    database = Database(load())
    try:
        refuse_unknown(database)
        yield database
    finally:
        database.dispose()


@contextmanager
def changing() -> Iterator["Session"]:
    """Open a transaction of the operator's; committed at the end."""
    from idp.audit import origin
    from idp.database import transaction

    with opened() as database, origin.acting_as("operator"), transaction(database) as db:
        yield db
