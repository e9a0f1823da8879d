"""Bring a database to the newest schema, and refuse to serve on an unknown one."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from idp.database import Database

_HOME = Path(__file__).resolve().parent.parent


def config() -> Config:
    """Return Alembic's configuration; the folder of revisions stands beside the package."""
    made = Config()
    made.set_main_option("script_location", str(_HOME / "migrations"))
    made.set_main_option("path_separator", "os")
    return made


def migrate(database: Database) -> None:
    """Run every revision that is missing."""
    with database.engine.connect() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, "head")
        connection.commit()


def state(database: Database) -> tuple[str | None, str | None]:
    """Return (revision of the database, newest revision we know)."""
    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
    return current, ScriptDirectory.from_config(config()).get_current_head()
