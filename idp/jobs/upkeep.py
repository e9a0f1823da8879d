"""Hooks of other areas: signing keys and mail."""

from idp.database import Database, transaction
from idp.oauth import keys


def tend_keys(database: Database) -> bool:
    """Rotate signing keys that are old enough and remove retired ones."""
    keys.ensure(database)
    with transaction(database) as session:
        keys.tend(session)
    return False
