"""The schema of the database: bring it up, refuse one we do not know."""

from sqlalchemy.exc import OperationalError, ProgrammingError

from idp.audit import origin
from idp.database import Database, transaction
from idp.database.schema import known
from idp.errors import Refused


class UnknownSchema(Refused):
    """The database's schema is not the one this program was written for."""

    code = "unknown_schema"


def problem(database: Database) -> str | None:
    """Say how the database's schema differs from ours; None when it is ours."""
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    from idp import migrate

    present, newest = migrate.state(database)
    if present == newest:
        return None
    if present is None:
        return "The database is empty. Run: idp migrate"
    try:
        ScriptDirectory.from_config(migrate.config()).get_revision(present)
    except CommandError:
        return (
            f"The database is at revision {present}, which this program does not know: it is newer. Update the program."
        )
    return f"The database is at revision {present}, this program needs {newest}. Run: idp migrate"


def refuse_unknown(database: Database) -> None:
    """Raise UnknownSchema unless the database has exactly our schema (security.md 91)."""
    try:
        if known(database):
            return
    except (OperationalError, ProgrammingError):
        pass  # an empty database, or none: `problem` tells which
    wrong = problem(database)
    if wrong:
        raise UnknownSchema(wrong)


def bring_up(database: Database) -> str:
    """Migrate, load the default catalogue, make the first keys; return a sentence."""
    from idp import migrate
    from idp.entitlements import catalog
    from idp.oauth import keys

    before, newest = migrate.state(database)
    if before != newest:
        migrate.migrate(database)
    with origin.acting_as("operator"), transaction(database) as db:
        loaded = catalog.load_default(db)
    keys.ensure(database)
    told = f"Migrated to {newest}." if before != newest else f"The schema is {newest} already."
    return told + (" Loaded the default catalogue." if loaded else "")
