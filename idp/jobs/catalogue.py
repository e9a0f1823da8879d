"""Put versions of functions and jobs, and what is withheld, into effect when their day comes."""

from idp.catalogue import bundles, functions, gate, telling
from idp.database import Database, transaction


def run(database: Database) -> bool:
    """Take a batch of each; return whether more waits."""
    with transaction(database) as db:
        more = functions.apply_due(db) >= functions.BATCH
    with transaction(database) as db:
        more = telling.tell(db) > 0 or more
    with transaction(database) as db:
        more = gate.announce_due(db) >= gate.BATCH or more
    with transaction(database) as db:
        return bundles.apply_due(db) >= bundles.BATCH or more
