"""Keep signing keys fresh: rotate the old, remove the retired."""

from idp.database import Database, transaction
from idp.oauth import keys


def tend_keys(database: Database) -> bool:
    """Do what is due for the signing keys."""
    keys.ensure(database)
    with transaction(database) as session:
        keys.tend(session)
    return False
