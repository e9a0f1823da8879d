"""Apply a file: one transaction, sections in an order in which each finds what it refers to."""

from collections import deque
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlmodel import Session as Db

from idp.accounts.tables import Account, TermsDocument
from idp.apply import source
from idp.apply.difference import Difference
from idp.apply.hashing import hash_ahead
from idp.apply.schema.document import Document, parse
from idp.apply.sections import (
    clients,
    communities,
    duties,
    functions,
    grants,
    partners,
    people,
    provider_places,
    providers,
    sessions,
    settings,
    terms,
    upstreams,
    versions,
    withheld,
)
from idp.apply.work import References, Work
from idp.audit import origin, promises
from idp.configuration import ConfigurationRow
from idp.database import Database, gathering, transaction
from idp.entitlements.tables import Delegation, Entitlement
from idp.federation.tables import Upstream
from idp.partners.tables import Partner
from idp.providers.tables import Provider


class _DryRun(Exception):
    """Raised at the end of a dry run, so that the transaction is rolled back."""


def apply_file(
    database: Database, path: Path, *, dry_run: bool = False, receipt: list[dict[str, Any]] | None = None
) -> Difference:
    """Bring the database to what the file says; raise FileWrong, and change nothing, when the file has a mistake.

    A dry run does the same work and rolls it back, so what it tells is what would happen. `receipt` gets the log's
    signed promise of the access that was given and taken, where any was.
    """
    read = source.read(path)
    document = parse(read, development=database.settings.development)
    difference = Difference()
    hashes = hash_ahead(database, read, document.people)
    try:
        with origin.acting_as("operator"), transaction(database) as db:
            _remember_rows(db)
            gathering.gather(db)
            if receipt is not None and not dry_run:
                promises.want_of_access(db, receipt.append)
            work = Work(db, read, References(db), difference, hashes=hashes)
            _sections(work, document)
            work.references.write()
            if dry_run:
                raise _DryRun  # noqa: TRY301 - the transaction rolls back on its way out
    except _DryRun:
        pass
    return difference


_FEW = (ConfigurationRow, TermsDocument, Entitlement, Provider, Partner, Upstream)


def _remember_rows(db: Db) -> None:
    """Keep the latest rows in memory, so that asking for one by its key again is no statement (a third of the time).

    Only the latest, but of the few that everybody's entries name: a bulk UPDATE looks at every row the session holds.
    """
    latest: deque[Any] = deque(maxlen=64)
    always: list[Any] = []

    def keep(_session: Db, row: Any) -> None:
        (always if isinstance(row, _FEW) else latest).append(row)

    event.listen(db, "loaded_as_persistent", keep)
    event.listen(db, "pending_to_persistent", keep)


TABLES = {
    "people": Account,
    "providers": Provider,
    "partners": Partner,
    "upstreams": Upstream,
    "delegations": Delegation,
}
"""Sections whose entries may also be named by id, where they were not made by apply."""


def _sections(work: Work, document: Document) -> None:
    work.tables = dict(TABLES)
    settings.apply(work, document.settings)
    functions.apply(work, document.functions)
    versions.apply_functions(work, document.functions)
    versions.apply_jobs(work, document.jobs)
    duties.apply(work, document.duties)
    terms.apply(work, document.terms)
    partners.apply(work, document.partners)
    clients.apply(work, document.clients)
    clients.apply_servers(work, document.resource_servers)
    upstreams.apply(work, document.upstreams)
    communities.apply(work, document.communities)
    providers.apply(work, document.providers)
    provider_places.apply(work, document.providers)
    withheld.apply(work, document.providers)
    grants.apply_delegations(work, document.providers)
    people.apply(work, document.people)
    providers.apply_practitioners(work, document.providers)
    duties.apply_exceptions(work, document.duties)
    grants.apply_appointments(work, document.appointments)
    grants.apply(work, document.grants)
    sessions.apply(work, document.sessions)
