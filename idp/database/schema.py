"""Which schema this code speaks; `readyz` and `doctor` compare the database with it."""

from sqlalchemy import text

from idp.database.engine import Database, reading

NEWEST = "0042"
"""Newest revision of migrations/versions; a test keeps them equal."""


def known(database: Database) -> bool:
    """Say whether the database stands at the newest revision."""
    with reading(database) as session:
        return session.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [NEWEST]
