"""Hash a file's initial passwords before its transaction, as many at a time as the settings allow.

A hash takes about 25 ms of a processor. Inside the transaction it would hold the database's write lock for as long.
"""

from concurrent.futures import ThreadPoolExecutor

from idp.accounts import passwords
from idp.accounts.passwords import Hashed
from idp.apply.schema.people import Person
from idp.apply.source import Source
from idp.apply.work import References, Work
from idp.configuration import current
from idp.database import Database, reading


def hash_ahead(database: Database, read: Source, entries: list[Person]) -> dict[str, Hashed]:
    """Return ref -> hash for everybody the database does not know yet; raise FileWrong where a secret is missing."""
    with reading(database) as db:
        work = Work(db, read, References(db))
        limits = current(db).passwords
        texts = {
            entry.ref: work.reveal(entry.password, ("people", index, "password"))
            for index, entry in enumerate(entries)
            if entry.password is not None and work.references.find("people", entry.ref) is None
        }
    # As many threads as places: nobody waits in the queue, whose patience is made for people.
    with ThreadPoolExecutor(max_workers=max(1, limits.concurrent_hashes)) as pool:
        made = pool.map(lambda text: passwords.hashed(database.ring, text, limits), texts.values())
        return dict(zip(texts, made, strict=True))
