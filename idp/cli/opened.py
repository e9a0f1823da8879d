"""The database for a command, its schema known to this program."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlmodel import Session


@contextmanager
def changing() -> Iterator["Session"]:
    """Open a transaction of the operator's; committed at the end."""
    from idp.audit import origin
    from idp.cli.schema import refuse_unknown
    from idp.database import Database, transaction
    from idp.settings import load

    database = Database(load())
    try:
        refuse_unknown(database)
        with origin.acting_as("operator"), transaction(database) as db:
            yield db
    finally:
        database.dispose()
